/**
 * `npm run mutate`: falsifies each row of the tables (`mutations.ts`) in turn, in a copy of the checkout, and runs the tests
 * concerned. A row that nobody misses survives; survivors are told, and the run ends with 1.
 *
 *     npm run mutate                                  all tables, an hour or more
 *     npm run mutate -- --only statuses --only views  these
 *     npm run mutate -- --row revert                  rows whose names have that
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Mutation, TABLES } from './mutations.ts';

const COPIED = ['src', 'test', 'scripts', 'docs', 'package.json', 'tsconfig.json', 'CONTRIBUTING.md', 'README.md'];
const LINKED = ['node_modules', '.node'];
/** A row that makes the tests hang is missed, too. */
const PATIENCE_MS = 300_000;

const { only, row } = parseArgs({
  options: { only: { type: 'string', multiple: true, default: [] }, row: { type: 'string', default: '' } },
}).values;
const wanted = only.length > 0 ? only : Object.keys(TABLES);
const unknown = wanted.find((name) => !(name in TABLES));
if (unknown !== undefined) {
  console.error(`There is no table ${unknown}. There are: ${Object.keys(TABLES).join(', ')}.`);
  process.exit(2);
}

const copy = mkdtempSync(join(tmpdir(), 'pumice-mutate-'));
let running: ChildProcess | undefined;
process.once('exit', () => {
  running?.kill('SIGKILL');
  rmSync(copy, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
for (const name of COPIED) cpSync(name, join(copy, name), { recursive: true });
for (const name of LINKED) symlinkSync(resolve(name), join(copy, name));

/** Whether the tests pass in the copy as it is. */
function passes({ tests, options = [] }: Pick<Mutation, 'tests' | 'options'>): Promise<boolean> {
  const fixed = ['--import', './test/no-leaks.ts', '--test', '--test-force-exit', '--test-isolation=none'];
  const scratch = mkdtempSync(join(copy, 'scratch-'));
  const child = spawn(process.execPath, [...fixed, '--test-timeout=120000', ...options, ...tests], {
    cwd: copy,
    stdio: 'ignore',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, TMPDIR: scratch },
  });
  running = child;
  return new Promise((done) => child.once('exit', (code) => done(code === 0))).then((passed) => {
    rmSync(scratch, { recursive: true, force: true });
    return passed === true;
  });
}

const survivors: string[] = [];
let rows = 0;
for (const table of wanted) {
  const mutations = (TABLES[table]?.() ?? []).filter(({ name }) => name.includes(row));
  const sound = new Map<string, boolean>();
  for (const mutation of mutations) {
    const witnesses = [...(mutation.options ?? []), ...mutation.tests].join(' ');
    if (!sound.has(witnesses)) sound.set(witnesses, await passes(mutation));
    if (sound.get(witnesses) !== true) {
      console.error(`${table}: ${witnesses} fails while nothing is falsified.`);
      process.exit(2);
    }
    const file = join(copy, mutation.file);
    const text = readFileSync(mutation.file, 'utf8');
    const { at, length, by } = mutation;
    writeFileSync(file, text.slice(0, at) + by + text.slice(at + length));
    const survives = await passes(mutation);
    writeFileSync(file, text);
    rows += 1;
    if (survives) survivors.push(`${table}: ${mutation.name}`);
    console.log(`${survives ? 'SURVIVES' : 'missed  '} ${table}: ${mutation.name}`);
  }
}
console.log(`\n${rows} rows falsified, ${survivors.length} survive.`);
for (const survivor of survivors) console.log(`  ${survivor}`);
process.exitCode = survivors.length > 0 ? 1 : 0;
