/** What a host's copies share: turns, a rate, and the space they are going to take. */
import assert from 'node:assert/strict';
import { mkdtemp, open, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { VolumeDriver } from '../../src/drivers/driver.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';
import { HostCopies } from '../../src/drivers/host-copies.ts';
import { uuid } from '../../src/lib/clock.ts';
import { type Exec, exec } from '../../src/lib/exec.ts';
import { BackendFull } from '../../src/model/errors.ts';
import { calm } from './driver-world.ts';
import { cannotMount, mountFileSystem } from './file/file-systems.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-copies-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A volume elsewhere, and backends that receive it with these copies. */
async function world(t: TestContext, backends: number, copies: HostCopies, run: Exec) {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'source');
  await writeFile(path, '');
  await truncate(path, GIB);
  const drivers = await Promise.all(
    Array.from({ length: backends }, async (_, n) => {
      const pool = join(directory, `pool${n}`);
      const driver = new FileDriver({ name: `pool${n}`, directory: pool, exec: run, create: true, copies });
      await driver.start(calm().signal);
      return driver;
    }),
  );
  const receive = (driver: VolumeDriver | undefined, call = calm()) =>
    driver?.receiveVolume({ id: uuid(), sizeGiB: 1 }, { path, bytes: GIB }, { copies: true }, call);
  return { drivers, receive };
}

/** Conversions wait at a gate each. */
function gated() {
  const gates: (() => void)[] = [];
  const state = { running: 0, most: 0 };
  const run: Exec = async (argv, options) => {
    if (argv[1] !== 'convert') return exec(argv, options);
    state.most = Math.max(state.most, ++state.running);
    await new Promise<void>((resolve) => gates.push(resolve));
    state.running--;
    return exec(argv, options);
  };
  const begun = async (count: number): Promise<void> => {
    while (gates.length < count) await new Promise(setImmediate);
  };
  const openAll = async (count: number): Promise<void> => {
    for (let opened = 0; opened < count; opened += 1) {
      await begun(opened + 1);
      gates[opened]?.();
    }
  };
  return { state, run, begun, openAll };
}

describe('the copies of a host', () => {
  test('keep to its rate together, each to an equal part, however long that takes', async (t) => {
    const seen: { readonly rate: string | undefined; readonly timeoutMs: number }[] = [];
    const run: Exec = (argv, options) => {
      if (argv[1] === 'convert') {
        const rate = argv.includes('-r') ? argv[argv.indexOf('-r') + 1] : undefined;
        seen.push({ rate, timeoutMs: options.timeoutMs ?? 0 });
      }
      return exec(argv, options);
    };
    for (const bytesPerSecond of [0, 40_000, 1]) {
      const { drivers, receive } = await world(t, 1, new HostCopies({ atOnce: 2, bytesPerSecond }), run);
      await receive(drivers[0]);
    }
    const rates = seen.map(({ rate }) => rate);
    assert.deepEqual(rates, [undefined, '20000', '1']);
    const [plain = 0, slow = 0, slowest = 0] = seen.map(({ timeoutMs }) => timeoutMs);
    assert.ok(slow > plain + (GIB / 20_000) * 1000, 'it may take as long as its rate wants');
    assert.equal(slowest, 2 ** 31 - 1, 'no longer than a timer can wait for');
  });

  test('take turns whichever backends they are for, and one that waits can be aborted', async (t) => {
    const { state, run, begun, openAll } = gated();
    const { drivers, receive } = await world(t, 2, new HostCopies({ atOnce: 2 }), run);
    const [one, two] = drivers;
    const copies = [receive(one), receive(two)];
    await begun(2);
    const aborter = new AbortController();
    const waiting = receive(one, { ...calm(), signal: aborter.signal });
    copies.push(receive(two), receive(one));
    aborter.abort(new Error('no longer'));
    await assert.rejects(waiting ?? Promise.resolve(), /no longer/);
    await openAll(copies.length);
    await Promise.all(copies);
    assert.equal(state.most, 2);
  });

  test('wait aside for their turn, and only then', async () => {
    const copies = new HostCopies({ atOnce: 1 });
    const asides: Promise<unknown>[] = [];
    const call = {
      ...calm(),
      aside: <Result>(wait: Promise<Result>) => {
        asides.push(wait);
        return wait;
      },
    };
    const writing = { path: join(tmpdir(), 'none'), needs: () => 0 };
    const first = copies.run(writing, call, async () => {});
    assert.equal(asides.length, 0);
    const second = copies.run(writing, call, async () => {});
    assert.equal(asides.length, 1);
    await Promise.all([first, second, ...asides]);
  });

  test('have the space that they are going to take for themselves, until they have it or end', async (t) => {
    const directory = await temporaryDirectory(t);
    const { bavail, bsize } = await statfs(directory);
    const most = Math.floor((bavail * bsize * 2) / 3);
    const copies = new HostCopies({ atOnce: 2 });
    const writing = (name: string) => ({ path: join(directory, name), needs: () => most });
    let inside = (): void => {};
    const begun = new Promise<void>((resolve) => {
      inside = resolve;
    });
    let end = (): void => {};
    const first = copies.run(writing('a'), calm(), () => {
      inside();
      return new Promise((resolve) => {
        end = resolve;
      });
    });
    await begun;
    const mustNot = async (): Promise<void> => assert.fail('there is no room for it');
    await assert.rejects(copies.run(writing('b'), calm(), mustNot), BackendFull);
    end();
    await first;
    let ran = false;
    await copies.run(writing('b'), calm(), async () => {
      ran = true;
    });
    assert.ok(ran);
  });

  test('do not count twice what they have written', async (t) => {
    const directory = await temporaryDirectory(t);
    const path = join(directory, 'a');
    const bytes = 8 * 1024 ** 2;
    const copies = new HostCopies({ atOnce: 2 });
    const frees: number[] = [];
    const look = (): Promise<void> =>
      copies.run({ path: join(directory, 'b'), needs: (free) => frees.push(free) && 0 }, calm(), async () => {});
    await copies.run({ path, needs: () => bytes }, calm(), async () => {
      await look();
      const file = await open(path, 'w');
      await file.writeFile(Buffer.alloc(bytes, 'data'));
      await file.sync();
      await file.close();
      await look();
    });
    const [before = 0, after = 0] = frees;
    assert.ok(Math.abs(before - after) < bytes / 2, 'the same is left for others, but for what others write meanwhile');
  });

  for (const kind of ['xfs', 'btrfs'] as const)
    test(`find the room of what was removed a moment before, on ${kind}`, {
      skip: cannotMount(kind) ?? false,
    }, async (t) => {
      const disk = mountFileSystem(kind, 400);
      t.after(() => disk.remove());
      const [removed, path] = [join(disk.path, 'removed'), join(disk.path, 'copy')];
      const free = async (): Promise<number> => {
        const { bavail, bsize } = await statfs(disk.path);
        return bavail * bsize;
      };
      const bytes = 32 * MIB;
      // In many pieces, which take their time to be freed.
      const file = await open(removed, 'wx');
      const piece = Buffer.alloc(4096, 1);
      for (let at = 0; at < 2 * bytes; at += 2 * piece.length) await file.write(piece, 0, piece.length, at);
      await file.sync();
      await file.close();
      await exec(['fallocate', '--length', String((await free()) - bytes / 2), join(disk.path, 'rest')], calm());
      await exec(['sync', '-f', disk.path], calm());
      await exec(['rm', removed], calm());
      await new HostCopies().run({ path, needs: () => bytes }, calm(), async () => {});
    });
});
