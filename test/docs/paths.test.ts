/** Files that documents and comments name are there, so that a renaming takes them along. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

/** Files of recipes, which somebody is to make. */
const TO_BE_MADE = /resize-volume|drivers\/nfs|azure-store/;

const documents = ['README.md', 'CONTRIBUTING.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter(
  (file) => file.endsWith('.md'),
);

describe('files named in documents', () => {
  for (const document of documents) {
    test(`of ${document} are there`, () => {
      const text = readFileSync(document, 'utf8');
      const named = text.matchAll(
        /\b(?:src|test|bench|scripts|findings)\/[a-z0-9./-]+\.(?:ts|sh|pl|py|json|txt|md)\b/g,
      );
      const missing = new Set([...named].map(([path]) => path).filter((path) => !existsSync(path)));
      assert.deepEqual(
        [...missing].filter((path) => !TO_BE_MADE.test(path)),
        [],
      );
    });
  }
});

test('docs/architecture.md has a row for each room, which names the folders in it', () => {
  const text = readFileSync('docs/architecture.md', 'utf8');
  const folders = (path: string) => readdirSync(path, { withFileTypes: true }).filter((each) => each.isDirectory());
  const missing = folders('src').flatMap(({ name: room }) => {
    const row = text.split('\n').find((line) => new RegExp(`^\\| \\d \\| [^|]*\`${room}\``).test(line)) ?? '';
    const inside = folders(`src/${room}`).map(({ name }) => name);
    return [room, ...inside].filter((name) => !new RegExp(`\`${name}/?\``).test(row)).map((name) => `${room}: ${name}`);
  });
  assert.deepEqual(missing, []);
});

test('files named in comments of src are there', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const missing = files.flatMap((file) => {
    const path = join('src', file);
    const comments = readFileSync(path, 'utf8').matchAll(/^\s*(?:\/\/|\/\*\*|\*) .*$/gm);
    const named = [...comments].flatMap(([line]) => [
      ...line.matchAll(/`([a-z0-9-]+(?:\/[a-z0-9-]+)*\.(?:types\.)?ts)`/g),
    ]);
    return named
      .map(([, name = '']) => name)
      .filter(
        (name) => !['', 'src', dirname(path), dirname(dirname(path))].some((folder) => existsSync(join(folder, name))),
      )
      .map((name) => `${path} names ${name}`);
  });
  assert.deepEqual(missing, []);
});

test('findings/README.md has a row for each script there', () => {
  const text = readFileSync('findings/README.md', 'utf8');
  const scripts = readdirSync('findings').filter((name) => name !== 'README.md');
  assert.deepEqual(
    [...text.matchAll(/^\| `([\w.-]+)` \|/gm)].map(([, name]) => name),
    scripts.sort(),
  );
});
