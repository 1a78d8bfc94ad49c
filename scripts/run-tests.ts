/**
 * Runs the tests for `scripts/test.sh`: `node scripts/run-tests.ts [FILE or folder…] [option of node --test…]`; all where
 * nothing is named.
 *
 * Files of a room share a process, since starting one costs half a second a file; those that work with real processes have one
 * each. A process waits half of its time, for programs, disks and servers, so there are two more than there are cores. They begin
 * in the order of the lists below, the longest first: what came last would be waited for alone.
 *
 * What one tells is shown when it has ended, and once more at the end what failed; where there is only one it is heard at once. The run
 * has a temporary directory of its own, and what a test leaves there fails it, as does anything that keeps a process alive
 * (test/no-leaks.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
/** Of modules without their types. The processes that tests start, and often kill, take their third of the CPU of a start by it. */
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'tests');
const MOST_AT_ONCE = availableParallelism() + 2;
/** Each file has a process. */
const APART = ['compat', 'crash'];
/** A file is of the room with the longest name that it is below. The last has all that is in no other. */
const ROOMS = [
  'drivers/rbd',
  'flows/backups',
  'flows/volumes',
  'drivers/file',
  'api',
  'engine',
  'flows',
  'drivers/lvm',
  'drivers',
  'backups',
  'page',
  'upkeep',
  'http',
  'cli',
  'db',
  '',
];

interface Job {
  /** A room or a file. */
  readonly name: string;
  readonly files: readonly string[];
  readonly timeoutMs: number;
}

const given = process.argv.slice(2);
const options = given.filter((argument) => argument.startsWith('-'));
const named = given.filter((argument) => !argument.startsWith('-')).map((name) => relative(ROOT, name));
const files = named.length > 0 ? named.flatMap(testsAt) : everyTest();

const directory = mkdtempSync(join(tmpdir(), 'tmp.'));
// A database server that is started for a test by root runs as somebody else.
chmodSync(directory, 0o755);
const told = mkdtempSync(join(tmpdir(), 'tmp.'));
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const made of [directory, told]) rmSync(made, { recursive: true, force: true });
});

const begun = performance.now();
const jobs = jobsOf(files);
const alone = jobs.length === 1;
const waiting = jobs.map((job, index) => ({ ...job, index }));
let failed = false;
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupted = true;
    waiting.length = 0;
    for (const child of running) child.kill();
  });
await Promise.all(
  Array.from({ length: MOST_AT_ONCE }, async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const passed = await run(job, job.index);
      failed ||= !passed;
      if (!alone && !interrupted) process.stdout.write(`\n${job.name}\n${textOf(`${job.index}`)}`);
    }
  }),
);
if (interrupted) process.exit(130);

const summaries = jobs.map((_, index) => textOf(`summary-${index}`));
if (!alone) {
  for (const summary of summaries) {
    const at = summary.indexOf('✖ failing tests:');
    if (at >= 0) process.stdout.write(`\n${summary.slice(at)}`);
  }
  const seconds = Math.round((performance.now() - begun) / 1000);
  say(`${counted('tests')} tests, ${counted('fail')} failed, ${counted('skipped')} skipped, in ${seconds} s`);
}
const left = readdirSync(directory);
if (left.length > 0) {
  say(`left behind in the temporary directory: ${left.join(' ')}`);
  failed = true;
}
if (failed) say('tests failed');
process.exitCode = failed ? 1 : 0;

function everyTest(): readonly string[] {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name}`)
    .sort();
}

/** The file, or those below the folder. */
function testsAt(name: string): readonly string[] {
  const found = statSync(join(ROOT, name), { throwIfNoEntry: false });
  const tests = found?.isDirectory() ? everyTest().filter((file) => file.startsWith(join(name, '/'))) : [name];
  if (found !== undefined && tests.length > 0) return tests;
  say(found === undefined ? `there is no ${name}` : `there is no test below ${name}`);
  process.exit(2);
}

function jobsOf(all: readonly string[]): readonly Job[] {
  const within = (room: string) => (file: string) => file.startsWith(room === '' ? '' : `test/${room}/`);
  const apart = all.filter((file) => APART.some((room) => within(room)(file)));
  const byRoom = Map.groupBy(
    all.filter((file) => !apart.includes(file)),
    (file) => ROOMS.filter((room) => within(room)(file)).reduce((a, b) => (b.length > a.length ? b : a)),
  );
  return [
    ...ROOMS.flatMap((room) => {
      const shared = byRoom.get(room);
      return shared === undefined ? [] : [{ name: `test/${room}`, files: shared, timeoutMs: 240_000 }];
    }),
    ...apart.map((file) => ({ name: file, files: [file], timeoutMs: 400_000 })),
  ];
}

/** Resolves with whether it passed. */
function run({ files, timeoutMs }: Job, index: number): Promise<boolean> {
  const reporters = ['stdout', join(told, `summary-${index}`)].flatMap((to) => [
    '--test-reporter=spec',
    `--test-reporter-destination=${to}`,
  ]);
  const output = alone ? 'inherit' : openSync(join(told, `${index}`), 'w');
  const child = spawn(
    process.execPath,
    [
      // A young generation of the usual size is collected all the time; a larger one is memory whose pages each start of a program copies.
      '--max-semi-space-size=32',
      '--import=./test/no-leaks.ts',
      '--test',
      '--test-force-exit',
      '--test-isolation=none',
      `--test-timeout=${timeoutMs}`,
      ...reporters,
      ...options,
      ...files,
    ],
    {
      cwd: ROOT,
      stdio: ['ignore', output, output],
      env: { ...process.env, TMPDIR: directory, NODE_COMPILE_CACHE: COMPILE_CACHE },
    },
  );
  if (typeof output === 'number') closeSync(output);
  running.add(child);
  return new Promise((done) =>
    child.once('close', (code) => {
      running.delete(child);
      done(code === 0);
    }),
  );
}

/** What a process has written, or nothing. */
function textOf(name: string): string {
  try {
    return readFileSync(join(told, name), 'utf8');
  } catch {
    return '';
  }
}

function counted(what: string): number {
  return summaries.reduce((sum, text) => sum + Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(text)?.[1] ?? 0), 0);
}

function say(text: string): void {
  console.error(`pumice: ${text}`);
}
