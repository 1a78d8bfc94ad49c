/**
 * Volumes that are attached over iSCSI move to another backend of the process while clients write to them: what was answered is in the
 * file that counts in the end, wherever something dies, and no old file is written to after it was given up.
 *
 * How long clients wait is printed.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { hostname, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExportRef, LiveSource } from '../../../src/drivers/driver.ts';
import { IscsiExports } from '../../../src/drivers/exports/iscsi-exports.ts';
import { JointExports } from '../../../src/drivers/exports/joint-exports.ts';
import { TargetDaemonFailed, Tgtd } from '../../../src/drivers/exports/tgtd.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import { LiveMoveRefused } from '../../../src/model/errors.ts';
import type { Reached } from '../../crash/iscsi-client.ts';
import { freePort } from '../../free-port.ts';
import { calm } from '../driver-world.ts';
import { cannotMount, type Kind, mountFileSystem } from '../file/file-systems.ts';
import { fileWorld } from '../file/file-world.ts';
import { AcknowledgedWriter, WRITTEN_BYTES } from './acknowledged-writer.ts';
import { IscsiSession } from './iscsi-session.ts';
import { killTgtd, noTgt, withWorkers } from './tgt-world.ts';

const PREFIX = 'iqn.2010-10.org.openstack:';
const INITIATOR = 'iqn.2004-10.test:initiator';

/** Two backends of one process, on file systems of these kinds, or both on one. */
async function neighbours(t: TestContext, kinds: readonly [Kind, Kind?], run: Exec = exec) {
  const mounted = kinds.flatMap((kind) => (kind === undefined ? [] : mountFileSystem(kind, 400)));
  const [from, to = from] = mounted;
  const places: { readonly directory: string; readonly portal: string; readonly exports: IscsiExports }[] = [];
  for (const each of [from, to]) {
    const directory = await mkdtemp(join(each?.path ?? '', 'backend-'));
    const portal = `127.0.0.1:${await freePort()}`;
    const daemon = new Tgtd({ exec: run, own: join(directory, '.tgtd'), portal });
    places.push({ directory, portal, exports: new IscsiExports({ daemon, prefix: PREFIX, portal }) });
  }
  const drivers = [];
  for (const { directory, exports: own } of places) {
    const exports = new JointExports({
      directory,
      own,
      neighbours: places.filter((each) => each.directory !== directory),
    });
    const driver = new FileDriver({ name: 'file', directory, exec: run, create: true, exports });
    await driver.start(calm().signal);
    drivers.push(driver);
  }
  t.after(async () => {
    for (const { directory } of places) await killTgtd(directory);
    for (const { directory } of places) await rm(directory, { recursive: true });
    for (const each of mounted) each.remove();
  });
  const [there, here] = places;
  const [source, destination] = drivers;
  assert.ok(there && here && source && destination);
  return { source, destination, old: there, now: here };
}

const wantedOf = (volume: ExportRef['volume']): ExportRef => ({
  attachmentId: uuid(),
  volume,
  connector: { host: hostname(), initiator: INITIATOR },
  readOnly: false,
  secret: 'abcdefghijklmnop',
});

/** `change` is made to what holds a volume that moves. */
const holding =
  (change: (argv: readonly string[]) => readonly string[]): Exec =>
  (argv, options) =>
    exec(isHolder(argv) ? (change(argv) as [string, ...string[]]) : argv, options);
const isHolder = (argv: readonly string[]): boolean => argv[0] === 'perl' && argv.at(-1) === '-';
const MILLISECONDS = 4;

/** The processes that hold a daemon. */
function holders(directory: string): number[] {
  const daemon = pidOf(directory);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const words = wordsOf(pid);
      return words[0] === 'perl' && words[2] === daemon;
    })
    .map(Number);
}

const pidOf = (directory: string): string => readFileSync(join(directory, '.tgtd.pid'), 'utf8').trim();

function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** How many processes are that daemon. */
const tgtdsOf = (directory: string): number =>
  readdirSync('/proc').filter((name) => {
    const words = /^\d+$/.test(name) ? wordsOf(name) : [];
    return words[0] === 'tgtd' && words.includes(join(directory, '.tgtd.pid'));
  }).length;

function killHolders(directory: string): void {
  const pids = holders(directory);
  assert.equal(pids.length, 1);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

/** What tgtd says that its units have open. */
function opened(directory: string): string[] {
  const shown = execFileSync('tgtadm', ['--lld', 'iscsi', '--op', 'show', '--mode', 'target'], {
    env: { ...process.env, TGT_IPC_SOCKET: join(directory, '.tgtd') },
    encoding: 'utf8',
  });
  return [...shown.matchAll(/Backing store path: (\/.*)/g)].map(([, path]) => path as string);
}

/** A volume that is written to through so many attachments. */
async function written(t: TestContext, between: Awaited<ReturnType<typeof neighbours>>, attachments = 1) {
  const { source, destination, old, now } = between;
  const volume = { id: uuid(), sizeGiB: 1 };
  const moved = { ...volume, nameId: uuid() };
  await source.createVolume(volume, calm());
  const exports = Array.from({ length: attachments }, () => wantedOf(volume));
  const sessions: IscsiSession[] = [];
  const writers: AcknowledgedWriter[] = [];
  for (const [at, wanted] of exports.entries()) {
    const { data } = await source.ensureExport(wanted, calm());
    const session = await IscsiSession.open(INITIATOR, {
      ...(data as unknown as Reached),
      auth_password: wanted.secret,
    });
    sessions.push(session);
    const writer = new AcknowledgedWriter(session, at * WRITTEN_BYTES);
    writers.push(writer);
    t.after(() => writer.stop());
    await writer.goesOn();
  }
  const path = {
    before: join(old.directory, `volume-${volume.id}`),
    after: join(now.directory, `volume-${moved.nameId}`),
  };
  const receive = (live: LiveSource) => destination.receiveLive(moved, live, { copies: false }, calm());
  return { ...between, volume, moved, exports, sessions, writers, path, receive };
}

/** What a writer has written there. */
async function beginning(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  const { buffer } = await file.read(Buffer.alloc(WRITTEN_BYTES), 0, WRITTEN_BYTES, 0).finally(() => file.close());
  return buffer;
}

async function missing(writers: readonly AcknowledgedWriter[], path: string): Promise<number> {
  let all = 0;
  for (const writer of writers) {
    await writer.stop();
    all += await writer.missing(path);
  }
  return all;
}

const cannot = (...kinds: readonly Kind[]): string | false =>
  noTgt ?? kinds.map(cannotMount).find((why) => why !== null) ?? false;

describe('a volume that is written over iSCSI and moves', () => {
  for (const kinds of [
    ['xfs', 'ext4'],
    ['xfs', 'btrfs'],
    ['btrfs', 'xfs'],
    ['ext4'],
    ['xfs'],
  ] as const satisfies readonly (readonly [Kind, Kind?])[]) {
    const way = kinds.length === 1 ? `within one ${kinds[0]}` : `from ${kinds.join(' to ')}`;
    it(`${way} loses no write that was answered, and no session`, { skip: cannot(...kinds) }, async (t) => {
      const { source, volume, sessions, writers, path, receive, old } = await written(t, await neighbours(t, kinds), 2);
      for (const writer of writers) writer.longestMs = 0;
      const told = () => sessions.map(({ reconnections, unitAttentions }) => [reconnections, unitAttentions]);
      const before = told();
      await source.giveLive(volume, receive, calm());
      const given = await stat(path.before, { bigint: true });
      await source.goOn(volume, path.after, calm());
      for (const writer of writers) await writer.goesOn();
      assert.deepEqual(opened(old.directory), [path.after, path.after]);
      if (kinds.length > 1) assert.equal((await stat(path.before, { bigint: true })).mtimeNs, given.mtimeNs);
      const waits = writers.map(({ longestMs }) => longestMs.toFixed(0)).join(' and ');
      t.diagnostic(`the longest writes beside it: ${waits} ms; load ${loadavg()[0]?.toFixed(1)}`);
      await source.deleteVolume(volume, calm());
      assert.equal(await missing(writers, path.after), 0);
      assert.deepEqual(told(), before);
    });
  }

  it("stays with the daemon that its clients know, and is the destination's: told of, extended, snapshotted and shut by that one", {
    skip: cannot('xfs', 'btrfs'),
  }, async (t) => {
    const held: string[][] = [];
    const run: Exec = (argv, options) => {
      if (argv.some((word) => word.endsWith('clone-files.pl')))
        held.push(argv.filter((_, at) => argv[at - 1]?.endsWith('tgt-hold.pl')));
      return exec(argv, options);
    };
    const site = await written(t, await neighbours(t, ['xfs', 'btrfs'], run));
    const { source, destination, old, now, volume, moved, exports, sessions, writers, path, receive } = site;
    const [wanted] = exports;
    assert.ok(wanted);
    const { attachmentId } = wanted;
    await source.giveLive(volume, receive, calm());
    await source.goOn(volume, path.after, calm());
    await source.deleteVolume(volume, calm());

    assert.deepEqual(await source.listExports(calm().signal), []);
    assert.deepEqual(
      (await destination.listExports(calm().signal)).map((each) => each.attachmentId),
      [attachmentId],
    );
    const reached = { driver_volume_type: 'iscsi', data: { target_portal: old.portal } };
    const again = await destination.ensureExport({ ...wanted, volume: moved, reached }, calm());
    assert.equal(again.data.target_portal, old.portal);
    assert.equal(sessions[0]?.reconnections, 0);

    await destination.extendVolume(moved, 2, calm());
    assert.equal(await sessions[0]?.bytes(), 2 * 1024 ** 3);
    const snapshot = { id: uuid(), volumeId: volume.id, volumeNameId: moved.nameId, sizeGiB: 2 };
    await destination.createGroupSnapshot([snapshot], calm());
    assert.deepEqual(held, [[pidOf(old.directory)]]);

    const second = { ...wantedOf({ ...moved, sizeGiB: 2 }) };
    assert.equal((await destination.ensureExport(second, calm())).data.target_portal, now.portal);
    await destination.createGroupSnapshot([{ ...snapshot, id: uuid() }], calm());
    assert.deepEqual(held.at(-1)?.sort(), [pidOf(old.directory), pidOf(now.directory)].sort());
    await source.removeExport({ attachmentId }, calm());
    await writers[0]?.goesOn();
    assert.equal(await missing(writers, path.after), 0);
    for (const each of [attachmentId, second.attachmentId])
      await destination.removeExport({ attachmentId: each }, calm());
    assert.deepEqual(await Promise.all([old, now].map(({ directory }) => killTgtd(directory))), [0, 0]);
  });

  it('stays what it was, for its clients too, when what holds them ends before they are bound', {
    skip: cannot('xfs', 'ext4'),
  }, async (t) => {
    const site = await written(t, await neighbours(t, ['xfs', 'ext4']));
    const { source, destination, old, volume, moved, writers, path, receive } = site;
    const killed = source.giveLive(
      volume,
      async (live) => {
        const received = await receive(live);
        killHolders(old.directory);
        return received;
      },
      calm(),
    );
    await assert.rejects(killed, TargetDaemonFailed);
    await writers[0]?.goesOn();
    assert.deepEqual(opened(old.directory), [path.before]);
    await destination.deleteVolume(moved, calm());
    for (const directory of [old.directory, site.now.directory])
      assert.deepEqual(
        readdirSync(directory).filter((name) => /^\.(tmp|del)-/.test(name)),
        [],
      );
    assert.equal(await missing(writers, path.before), 0);
  });

  for (const [what, change, end] of [
    ['what holds them is killed', (argv) => argv, ({ directory }) => killHolders(directory)],
    ['the time is over', (argv) => argv.with(MILLISECONDS, '1500'), () => {}],
    ['tgtd is killed', (argv) => argv, async ({ directory }) => void (await killTgtd(directory))],
  ] as const satisfies readonly (readonly [
    string,
    (argv: readonly string[]) => readonly string[],
    (old: { readonly directory: string }) => Promise<void> | void,
  ])[]) {
    it(`is written to no more where it was when ${what} before it is said which file counts, and where it is to be when that is said`, {
      skip: cannot('xfs', 'ext4'),
    }, async (t) => {
      const site = await written(t, await neighbours(t, ['xfs', 'ext4'], holding(change)));
      const { source, destination, old, volume, moved, exports, writers, path, receive } = site;
      await source.giveLive(volume, receive, calm());
      const given = await beginning(path.before);
      await end(old);
      const dead = AbortSignal.timeout(30_000);
      while (tgtdsOf(old.directory) > 0) await pause(5, undefined, { signal: dead });
      assert.ok((await beginning(path.before)).equals(given));
      await source.goOn(volume, path.after, calm());
      const [wanted] = exports;
      assert.ok(wanted);
      const reached = { driver_volume_type: 'iscsi', data: { target_portal: old.portal } };
      await destination.ensureExport({ ...wanted, volume: moved, reached }, calm());
      await writers[0]?.goesOn();
      assert.deepEqual(opened(old.directory), [path.after]);
      assert.ok((await beginning(path.before)).equals(given));
      assert.equal(await missing(writers, path.after), 0);
    });
  }

  const answering =
    (copied: number): Exec =>
    (argv, options) =>
      argv[1]?.endsWith('catch-up.pl') ? Promise.resolve(`${copied}\n`) : exec(argv, options);

  for (const [why, kinds, run] of [
    ['its file system shares no blocks', ['ext4', 'xfs'], exec],
    [
      'the kernel lets nobody hold writes',
      ['xfs', 'ext4'],
      holding((argv) => ['setpriv', '--reuid=65534', '--clear-groups', ...argv]),
    ],
    ['an older Pumice started the daemon, with two workers', ['xfs', 'ext4'], withWorkers(2)],
    ['it is written to faster than it is copied', ['xfs', 'ext4'], answering(100 * 1024 ** 2)],
  ] as const satisfies readonly (readonly [string, readonly [Kind, Kind], Exec])[]) {
    it(`is refused by name when ${why}, and its clients go on`, { skip: cannot(...kinds) }, async (t) => {
      const site = await written(t, await neighbours(t, kinds, run));
      const { source, volume, sessions, writers, path, receive, old, now } = site;
      await assert.rejects(source.giveLive(volume, receive, calm()), LiveMoveRefused);
      await writers[0]?.goesOn();
      assert.equal(sessions[0]?.reconnections, 0);
      for (const { directory } of [old, now])
        assert.deepEqual(
          readdirSync(directory).filter(
            (name) => /^(\.(tmp|del)-|volume-)/.test(name) && name !== `volume-${volume.id}`,
          ),
          [],
        );
      assert.equal(await missing(writers, path.before), 0);
    });
  }

  it('is refused by name while it is attached by its path', async (t) => {
    const { driver, cleanup } = await fileWorld(tmpdir(), exec);
    t.after(cleanup);
    const wanted = wantedOf({ id: uuid(), sizeGiB: 1 });
    await driver.createVolume(wanted.volume, calm());
    await driver.ensureExport(wanted, calm());
    const given = driver.giveLive(wanted.volume, () => assert.fail('it was received'), calm());
    await assert.rejects(given, LiveMoveRefused);
  });
});
