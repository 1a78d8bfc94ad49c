/**
 * What CONTRIBUTING says of a driver and of a kind of backup store: the compiler names all places that ask for the kind, when there is
 * one more.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

const WITHOUT_MEANING = "Type.Literal('planted')";
/** In which files, what, and what stands there instead. */
const PLANTED: readonly (readonly [file: string, text: string, by: string])[] = [
  [
    'src/lib/config/backends.ts',
    'export const Backend = Type.Union([',
    `const PlantedBackend = Type.Object({ driver: ${WITHOUT_MEANING}, ...anyBackend });
export const Backend = Type.Union([PlantedBackend, `,
  ],
  [
    'src/lib/config/backup-stores.ts',
    'export const BackupStore = Type.Union([',
    `const PlantedStore = Type.Object({ backup_driver: ${WITHOUT_MEANING}, ...anyStore });
export const BackupStore = Type.Union([PlantedStore, `,
  ],
  [
    'src/backups/stores/store-address.ts',
    'export type StoreAddress = ',
    "export type StoreAddress = { readonly kind: 'planted' } | ",
  ],
];

/** Files with errors when the source is compiled with one kind more of each. */
async function complaining(directory: string): Promise<readonly string[]> {
  cpSync('src', join(directory, 'src'), { recursive: true });
  const { compilerOptions } = JSON.parse(readFileSync('tsconfig.json', 'utf8'));
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  for (const [file, text, by] of PLANTED) {
    const old = readFileSync(file, 'utf8');
    assert.ok(old.includes(text), `${file} has where a kind is planted`);
    writeFileSync(join(directory, file), old.replace(text, by));
  }
  const compiler = resolve('node_modules/.bin/tsc');
  const told = await promisify(execFile)(compiler, ['-p', '.', '--pretty', 'false'], { cwd: directory }).then(
    () => '',
    ({ stdout }: { readonly stdout: string }) => stdout,
  );
  return [...new Set([...told.matchAll(/^(src\/[^(]+)\(/gm)].map(([, file = '']) => file))].sort();
}

/** Of a recipe: where the compiler complains, in files that are there. */
function named(heading: string): readonly string[] {
  const [, recipe = ''] = readFileSync('CONTRIBUTING.md', 'utf8').split(`## ${heading}\n`);
  const [table = ''] = recipe.split('\n## ');
  const rows = [...table.matchAll(/^\| `(src\/[^`]+)` \|[^|]*\| the compiler \|$/gm)].map(([, file = '']) => file);
  return rows.filter((file) => existsSync(file));
}

describe('another kind of backends, and of backup stores', () => {
  test('does not compile in any place that its recipe names, and in no other', async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'pumice-second-kind-'));
    context.after(() => rmSync(directory, { recursive: true }));
    const recipes = [...named('Add a driver'), ...named('Add a kind of backup store')];
    assert.deepEqual(await complaining(directory), recipes.sort());
  });
});
