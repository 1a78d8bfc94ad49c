/** The process that copies, restores and verifies: what it tells, and what becomes of it when somebody dies, freezes or cancels. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Bite, CopyOrder } from '../../src/backups/backups.ts';
import { makeBackups } from '../../src/backups/make-backups.ts';
import { type Exec, exec } from '../../src/lib/exec.ts';
import { BackupFailed, BackupMissing, BackupProcessDied, BackupStoreFull } from '../../src/model/errors.ts';
import { condition } from '../crash/condition.ts';
import { cannotMount, mountFileSystem } from '../drivers/file/file-systems.ts';
import { inTime } from '../in-time.ts';
import { type BackupWorld, backupWorld, MIB, NEVER, SCOPE } from './backup-world.ts';
import type { Oddity } from './odd-child.ts';
import { packsThere, readPlainly } from './plain-reader.ts';

/** What children load is compiled once for all of them, as it is for those of a service. */
const NODE_COMPILE_CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'pumice');
const quickly: Exec = (argv, options) =>
  exec(argv, { ...options, environment: { ...options.environment, NODE_COMPILE_CACHE } });
const backups = makeBackups({ exec: quickly });
const oddly = makeBackups({ exec: quickly, child: join(import.meta.dirname, 'odd-child.ts') });
const CREATED_AT = '2026-01-31T12:00:00.000000';

async function inWorld(body: (world: BackupWorld) => Promise<void>): Promise<void> {
  const world = await backupWorld();
  try {
    await inTime('it', body(world));
  } finally {
    // Of a test that failed it may be left.
    const child = await stateOfChild(world);
    if (child !== null) process.kill(child.pid, 'SIGKILL');
    await world.remove();
  }
}

function watching(bites: Bite[], signal: AbortSignal = NEVER) {
  const waits: (string | null)[] = [];
  return {
    waits,
    signal,
    progress: () => {},
    waiting: (why: string | null) => void waits.push(why),
    bite: (bite: Bite) => void bites.push(bite),
  };
}

async function orderOf(world: BackupWorld, bytes: number, backupId = 'a'): Promise<CopyOrder> {
  const file = await world.file('v', bytes, [[0, randomBytes(bytes)]]);
  return {
    place: world.place(backupId),
    attempt: 1,
    source: { uri: `file:${file}`, bytes },
    parentId: null,
    changed: null,
    base: null,
    bites: [],
    patienceMs: 0,
  };
}

const finish = ({ place, source: { bytes } }: CopyOrder, bites: readonly Bite[]) =>
  backups.writeManifest({ place, parentId: null, bytes, bites, createdAt: CREATED_AT, metadata: null }, NEVER);

const odd = (world: BackupWorld, oddity: Oddity): Promise<void> =>
  writeFile(join(world.path, 'oddity'), JSON.stringify(oddity));
const even = (world: BackupWorld): Promise<void> => rm(join(world.path, 'oddity'));

/** The state of the process that copies, as in proc(5); null when it has ended. */
async function stateOfChild(world: BackupWorld): Promise<{ readonly pid: number; readonly state: string } | null> {
  const pid = Number(await readFile(join(world.path, 'child'), 'utf8').catch(() => ''));
  if (!(pid > 0)) return null;
  const [command, stat] = await Promise.all(
    ['cmdline', 'stat'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
  );
  return stat === undefined || !command?.includes('odd-child')
    ? null
    : { pid, state: stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '' };
}

describe('the process of a backup', () => {
  test('copies, verifies and restores, and tells what it did', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 5 * MIB);
      const bites: Bite[] = [];
      const outcome = await backups.copy(order, watching(bites));
      assert.deepEqual(outcome, {
        way: 'full',
        distrusted: false,
        readBytes: 5 * MIB,
        storedBytes: bites.reduce((sum, { bytes }) => sum + bytes, 0),
      });
      const manifest = await finish(order, bites);
      assert.deepEqual(await backups.readManifest(order.place, NEVER), manifest);
      const { place } = order;
      const looked: string[] = [];
      const { damage, ended } = await backups.verify(
        { place, backupIds: [place.backupId], depth: 'chunks', patienceMs: 0 },
        { ...watching([]), looked: ({ pack }) => looked.push(pack) },
      );
      assert.deepEqual([damage, ended], [[], true]);
      assert.deepEqual(
        looked,
        manifest.packs.map(({ name }) => name),
      );
      const target = await world.file('target', 6 * MIB, [[0, Buffer.alloc(6 * MIB, 'old')]]);
      let done = 0;
      await backups.restore(
        { place, target: { uri: `file:${target}`, bytes: 6 * MIB, isEmpty: false }, doneBytes: 0, patienceMs: 0 },
        { ...watching([]), done: (bytes) => (done = bytes) },
      );
      assert.equal(done, 6 * MIB);
      assert.ok((await readFile(target)).subarray(0, 5 * MIB).equals(await readFile(join(world.path, 'v'))));
      await backups.deleteManifest(place, NEVER);
      await backups.deletePacks(
        place,
        manifest.packs.map(({ name }) => name),
        NEVER,
      );
      assert.deepEqual(packsThere(world.storePath, SCOPE), []);
    }));

  test('fails as the work does, in words and in kind', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, MIB);
      await assert.rejects(backups.copy({ ...order, parentId: 'none' }, watching([])), BackupMissing);
      const wrong = { ...order, source: { uri: `${order.source.uri}-not`, bytes: MIB } };
      await assert.rejects(backups.copy(wrong, watching([])), (error: Error) => {
        assert.ok(error instanceof BackupFailed);
        assert.match(error.message, /^What is to be backed up cannot be opened/);
        assert.match(String((error.cause as Error).message), /ENOENT/);
        return true;
      });
      const silent = makeBackups({ exec: quickly, child: join(world.path, 'v') });
      await writeFile(join(world.path, 'v'), '');
      await assert.rejects(silent.copy(order, watching([])), /ended without a word/);
    }));

  const deaths = [
    { what: 'after a pack is put', oddity: { does: 'die', when: 'after', change: 1 }, records: true },
    { what: 'after it was told, and not recorded', oddity: { does: 'die', when: 'told', change: 1 }, records: false },
  ] as const;
  for (const { what, oddity, records } of deaths) {
    test(`that is killed ${what} is followed by one that goes on, and nothing is left of it`, () =>
      inWorld(async (world) => {
        const order = await orderOf(world, 7 * MIB);
        const bites: Bite[] = [];
        await odd(world, oddity);
        await assert.rejects(oddly.copy(order, watching(bites)), BackupProcessDied);
        if (!records) bites.pop();
        assert.equal(bites.length, oddity.when === 'told' && records ? 2 : 1);
        await even(world);
        const more: Bite[] = [];
        const outcome = await oddly.copy({ ...order, attempt: 2, bites }, watching(more));
        assert.equal(outcome.readBytes, (7 - bites.reduce((sum, { chunks }) => sum + chunks, 0)) * MIB);
        const all = [...bites, ...more];
        const { packs } = await finish(order, all);
        await finish(order, all);
        await backups.deleteUnrecorded(order.place, 2, all, NEVER);
        assert.deepEqual(packsThere(world.storePath, SCOPE).sort(), packs.map(({ name }) => name).sort());
        const { bytes } = readPlainly(world.storePath, SCOPE, 'a');
        assert.ok(bytes.equals(await readFile(join(world.path, 'v'))));
      }));
  }

  test('that froze and goes on after it was taken over changes nothing of the backup', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 7 * MIB);
      await odd(world, { does: 'freeze', when: 'before', change: 1 });
      const recorded: Bite[] = [];
      const frozen = oddly.copy(order, watching(recorded));
      await condition('it is frozen', 20_000, async () => (await stateOfChild(world))?.state === 'T');
      const { pid = 0 } = (await stateOfChild(world)) ?? {};
      await even(world);
      const bites = [...recorded];
      assert.equal(bites.length, 1);
      await oddly.copy({ ...order, attempt: 2, bites }, watching(bites));
      const { packs } = await finish(order, bites);
      const listed = packs.map(({ name }) => name).sort();
      await backups.deleteUnrecorded(order.place, 2, bites, NEVER);
      assert.deepEqual(packsThere(world.storePath, SCOPE).sort(), listed);
      process.kill(pid, 'SIGCONT');
      await frozen;
      assert.ok(packsThere(world.storePath, SCOPE).length > listed.length);
      const { bytes } = readPlainly(world.storePath, SCOPE, 'a');
      assert.ok(bytes.equals(await readFile(join(world.path, 'v'))));
      await backups.deleteUnrecorded(order.place, 2, bites, NEVER);
      assert.deepEqual(packsThere(world.storePath, SCOPE).sort(), listed);
    }));

  test('comes after others for the processor, and so does its session', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 3 * MIB);
      await odd(world, { does: 'wait', when: 'before', change: 0 });
      const cancel = new AbortController();
      const copying = oddly.copy(order, watching([], cancel.signal));
      await condition('it copies', 20_000, async () => (await stateOfChild(world)) !== null);
      const { pid = 0 } = (await stateOfChild(world)) ?? {};
      const nice = getPriority(pid);
      // Nothing, where Linux knows of no sessions.
      const session = await readFile(`/proc/${pid}/autogroup`, 'utf8').catch(() => '');
      cancel.abort(new Error('cancelled'));
      await assert.rejects(copying, { message: 'cancelled' });
      assert.equal(nice, 10);
      assert.ok(session === '' || session.endsWith(' nice 10\n'), session);
    }));

  test('is gone when it is cancelled', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 3 * MIB);
      await odd(world, { does: 'wait', when: 'before', change: 0 });
      const cancel = new AbortController();
      const copying = oddly.copy(order, watching([], cancel.signal));
      await condition('it copies', 20_000, async () => (await stateOfChild(world)) !== null);
      const reason = new Error('cancelled');
      cancel.abort(reason);
      await assert.rejects(copying, (error) => error === reason);
      assert.equal(await stateOfChild(world), null);
    }));

  test('ends when whoever waited for it has died', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 3 * MIB);
      await odd(world, { does: 'wait', when: 'before', change: 0 });
      const program = join(import.meta.dirname, 'copying-process.ts');
      const parent = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: 'ignore' });
      await condition('it copies', 20_000, async () => (await stateOfChild(world)) !== null);
      parent.kill('SIGKILL');
      await once(parent, 'exit');
      await condition('it has ended', 20_000, async () => (await stateOfChild(world)) === null);
    }));

  test('dies with whoever waited for it, also where it is frozen: what it would write later is not its any more', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 3 * MIB);
      await odd(world, { does: 'freeze', when: 'before', change: 0 });
      const program = join(import.meta.dirname, 'copying-process.ts');
      const parent = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: 'ignore' });
      await condition('it is frozen', 20_000, async () => (await stateOfChild(world))?.state === 'T');
      parent.kill('SIGKILL');
      await once(parent, 'exit');
      await condition('it has ended', 20_000, async () => (await stateOfChild(world)) === null);
    }));

  const why = cannotMount('ext4');
  test('on a disk that fills up says how much is needed, waits, and goes on when there is room', {
    skip: why ?? false,
  }, async () => {
    const disk = mountFileSystem('ext4', 24);
    const world = await backupWorld();
    try {
      const full = { kind: 'directory', path: disk.path } as const;
      const ours = await orderOf(world, 20 * MIB);
      const order = { ...ours, place: { ...ours.place, store: full } };
      await backups.openScope(order.place, null, NEVER);
      const ballast = join(disk.path, 'ballast');
      await writeFile(ballast, Buffer.alloc(15 * MIB, 'x'));
      const impatient = watching([]);
      await assert.rejects(backups.copy(order, impatient), (error: Error) => {
        assert.ok(error instanceof BackupStoreFull);
        assert.match(error.message, /^The backup store is full: about (20|2[0-9])(\.\d)? MiB more are needed\./);
        return true;
      });
      assert.deepEqual(impatient.waits, []);
      const bites: Bite[] = [];
      const patient = watching(bites);
      const copying = backups.copy({ ...order, attempt: 2, patienceMs: 60_000 }, patient);
      await condition('it waits', 20_000, () => patient.waits.length > 0);
      await rm(ballast);
      await inTime('the copy', copying);
      assert.match(patient.waits[0] ?? '', /^it is full, and about \S+ MiB more are needed$/);
      assert.equal(patient.waits.at(-1), null);
      await finish(order, bites);
      assert.ok(readPlainly(disk.path, SCOPE, 'a').bytes.equals(await readFile(join(world.path, 'v'))));
    } finally {
      await world.remove();
      disk.remove();
    }
  });

  test('on a full disk counts what was stored before, by an attempt or by a try, when it says how much is needed', {
    skip: why ?? false,
  }, async () => {
    const disk = mountFileSystem('ext4', 64);
    const world = await backupWorld();
    try {
      const ours = await orderOf(world, 80 * MIB);
      const order = { ...ours, place: { ...ours.place, store: { kind: 'directory', path: disk.path } as const } };
      await backups.openScope(order.place, null, NEVER);
      const stored: Bite[] = [];
      for (const before of [{}, { bites: stored, attempt: 2 }, { earlier: stored, attempt: 3 }]) {
        const copying = backups.copy({ ...order, ...before }, watching('attempt' in before ? [] : stored));
        await assert.rejects(copying, (error: Error) => {
          assert.match(error.message, /^The backup store is full: about 3[0-4](\.\d)? MiB more are needed\./);
          return true;
        });
        assert.equal(stored.length, 3);
      }
    } finally {
      await world.remove();
      disk.remove();
    }
  });

  test('that restores waits until nobody else works on the volume, whoever has lost him', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 2 * MIB);
      const bites: Bite[] = [];
      await backups.copy(order, watching(bites));
      await finish(order, bites);
      const target = await world.file('target', 2 * MIB, []);
      const before = spawn('flock', ['-x', target, 'sh', '-c', 'echo has; exec cat'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      await once(before.stdout, 'data');
      const to = { uri: `file:${target}`, bytes: 2 * MIB, isEmpty: false };
      const restoring = backups.restore(
        { place: order.place, target: to, doneBytes: 0, patienceMs: 0 },
        { ...watching([]), done: () => {} },
      );
      await condition('it waits', 60_000, async () => (await waitingFor(target)) > 0);
      assert.ok((await readFile(target)).equals(Buffer.alloc(2 * MIB)));
      before.stdin.end();
      await restoring;
      assert.ok((await readFile(target)).equals(await readFile(order.source.uri.slice('file:'.length))));
    }));

  test('that restores does not begin where it cannot be alone', () =>
    inWorld(async (world) => {
      const order = await orderOf(world, 2 * MIB);
      const bites: Bite[] = [];
      await backups.copy(order, watching(bites));
      await finish(order, bites);
      const target = await world.file('target', 2 * MIB, []);
      const PATH = await pathWithoutLocks(world);
      const poorly = makeBackups({
        exec: (argv, options) => exec(argv, { ...options, environment: { ...options.environment, PATH } }),
      });
      const to = { uri: `file:${target}`, bytes: 2 * MIB, isEmpty: false };
      await assert.rejects(
        poorly.restore(
          { place: order.place, target: to, doneBytes: 0, patienceMs: 0 },
          { ...watching([]), done: () => {} },
        ),
        { name: 'BackupProcessDied' },
      );
      assert.ok((await readFile(target)).equals(Buffer.alloc(2 * MIB)));
    }));
});

/** Programs without `flock`. */
async function pathWithoutLocks(world: BackupWorld): Promise<string> {
  const directory = join(world.path, 'programs');
  await mkdir(directory);
  for (const name of ['setpriv', 'sh', 'nice']) {
    const found = (process.env.PATH ?? '').split(':').find((each) => existsSync(join(each, name)));
    await symlink(join(found ?? '', name), join(directory, name));
  }
  return directory;
}

/** How many wait for a lock of it, as proc(5) tells it. */
async function waitingFor(path: string): Promise<number> {
  const { ino } = await stat(path);
  const locks = (await readFile('/proc/locks', 'utf8')).split('\n');
  return locks.filter((line) => line.includes('->') && line.includes(`:${ino} `)).length;
}
