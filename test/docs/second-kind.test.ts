/** What CONTRIBUTING says of a driver: the compiler names all places that ask for the kind of a backend, when there is one more. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

const PLANTED = `const PlantedBackend = Type.Object({ driver: Type.Literal('planted'), ...anyBackend });
export const Backend = Type.Union([PlantedBackend, `;

/** Files with errors when the source is compiled with the text changed so. */
async function complaining(directory: string, change: (text: string) => string): Promise<readonly string[]> {
  cpSync('src', join(directory, 'src'), { recursive: true });
  const { compilerOptions } = JSON.parse(readFileSync('tsconfig.json', 'utf8'));
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  const config = join(directory, 'src/lib/config/backends.ts');
  writeFileSync(config, change(readFileSync(config, 'utf8')));
  const compiler = resolve('node_modules/.bin/tsc');
  const told = await promisify(execFile)(compiler, ['-p', '.', '--pretty', 'false'], { cwd: directory }).then(
    () => '',
    ({ stdout }: { readonly stdout: string }) => stdout,
  );
  return [...new Set([...told.matchAll(/^(src\/[^(]+)\(/gm)].map(([, file = '']) => file))].sort();
}

/** Of the recipe for a driver: where the compiler complains, in files that are there. */
function named(): readonly string[] {
  const [, recipe = ''] = readFileSync('CONTRIBUTING.md', 'utf8').split('## Add a driver');
  const [table = ''] = recipe.split('\n## ');
  const rows = [...table.matchAll(/^\| `(src\/[^`]+)` \|[^|]*\| the compiler \|$/gm)].map(([, file = '']) => file);
  return rows.filter((file) => existsSync(file)).sort();
}

describe('another kind of backends', () => {
  test('does not compile in any place that the recipe for a driver names, and in no other', async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'pumice-second-kind-'));
    context.after(() => rmSync(directory, { recursive: true }));
    const files = await complaining(directory, (text) => {
      const changed = text.replace('export const Backend = Type.Union([', PLANTED);
      assert.notEqual(changed, text, 'the kind is planted');
      return changed;
    });
    assert.deepEqual(files, named());
  });
});
