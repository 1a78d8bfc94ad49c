/**
 * What every driver must do, whatever it keeps its volumes on.
 *
 * Each operation of the contract is a row of `OPERATIONS`: what must be there before, the call, what must be there
 * after. For each of them: it does so; called again it does so again; it may be called again after any program it
 * starts has failed, or did its work and lost the answer, or was aborted at that point; and after its process was
 * killed in the middle. Before it is called again, the backend shows either nothing or the whole thing.
 *
 * A driver takes part by making worlds: a fresh backend with the driver on it, and ways to reach the bytes that are not
 * the driver's own.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Call, ImageFile, ManageRef, SnapshotRef, VolumeDriver, VolumeRef } from '../src/drivers/driver.ts';
import { elapsed, pause, uuid } from '../src/lib/clock.ts';
import { CommandFailed, type Exec, exec } from '../src/lib/exec.ts';
import * as errors from '../src/model/errors.ts';

export interface DriverWorld {
  /** Started. */
  readonly driver: VolumeDriver;
  write(volume: VolumeRef, at: number, data: Buffer): Promise<void>;
  read(kind: Kind, id: string, at: number, length: number): Promise<Buffer>;
  /** An object made by an operator. */
  foreign(name: string, bytes: number, data: Buffer): Promise<ManageRef>;
  readForeign(ref: ManageRef, length: number): Promise<Buffer>;
  /** Names of all that is half-made or half-deleted. */
  leftovers(): Promise<readonly string[]>;
  /** Performs the call in a process of its own, by `performFromArguments`. */
  elsewhere(request: Request): ChildProcess;
  /** Takes all space but so much, and returns how to give it back. Absent when the backend cannot be filled. */
  readonly fill?: (freeBytes: number) => Promise<() => Promise<void>>;
  cleanup(): Promise<void>;
}

export interface DriverUnderProof {
  readonly name: string;
  /** Why it cannot run here; null when it can. */
  readonly skip: string | null;
  /** Before all worlds, and after them. */
  readonly open?: () => void;
  readonly close?: () => void;
  readonly world: (exec: Exec) => Promise<DriverWorld>;
  /** Sharing blocks makes some copies free, so that they succeed on a full disk. */
  readonly copies: boolean;
}

type Kind = 'volume' | 'snapshot';
type Method =
  | 'createVolume'
  | 'createVolumeFromSnapshot'
  | 'createClonedVolume'
  | 'cloneImage'
  | 'copyImageToVolume'
  | 'deleteVolume'
  | 'extendVolume'
  | 'createSnapshot'
  | 'deleteSnapshot'
  | 'manageExisting'
  | 'unmanage'
  | 'manageExistingSnapshot'
  | 'unmanageSnapshot';
type WithoutCall<Args> = Args extends [...infer Rest, Call] ? Rest : never;
/** A call as data, so that it can be made in another process. */
export type Request = { [M in Method]: readonly [M, ...WithoutCall<Parameters<VolumeDriver[M]>>] }[Method];

export function perform(driver: VolumeDriver, [method, ...args]: Request, call: Call): Promise<unknown> {
  const run = driver[method] as (...args: readonly unknown[]) => Promise<unknown>;
  return run.call(driver, ...args, call);
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const DEADLINE_MS = 30_000;

/** Where volumes hold data; everything else is zero. */
const BLOCKS = [0, 3 * 4096, 8 * MIB + 512, 700 * MIB, GIB - 65_536];
const BLOCK_BYTES = 65_536;

/** The things one operation is about. */
interface Scene {
  readonly world: DriverWorld;
  readonly source: VolumeRef;
  readonly snapshot: SnapshotRef;
  readonly target: VolumeRef;
  readonly images: Images;
  ref: ManageRef;
}

interface Operation {
  readonly title: string;
  readonly prepare: (scene: Scene) => Promise<void>;
  readonly request: (scene: Scene) => Request;
  readonly done: (scene: Scene) => Promise<void>;
  /** What is absent or whole, never half; none for what is changed in place. */
  readonly makes?: (scene: Scene) => { readonly kind: Kind; readonly id: string };
  readonly slow?: boolean;
}

const OPERATIONS: readonly Operation[] = [
  {
    title: 'creating a volume',
    prepare: async () => {},
    request: ({ target }) => ['createVolume', target],
    makes: ({ target }) => ({ kind: 'volume', id: target.id }),
    done: ({ world, target }) => holdsZeroes(world, target),
  },
  {
    title: 'snapshotting a volume',
    prepare: writtenSource,
    request: ({ snapshot }) => ['createSnapshot', snapshot],
    makes: ({ snapshot }) => ({ kind: 'snapshot', id: snapshot.id }),
    done: ({ world, snapshot }) => holds(world, 'snapshot', snapshot.id, GIB, 'source'),
    slow: true,
  },
  {
    title: 'creating a larger volume from a snapshot',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.createSnapshot(scene.snapshot, calm());
    },
    request: ({ target, snapshot }) => ['createVolumeFromSnapshot', target, snapshot],
    makes: ({ target }) => ({ kind: 'volume', id: target.id }),
    done: ({ world, target }) => holds(world, 'volume', target.id, 2 * GIB, 'source'),
    slow: true,
  },
  {
    title: 'cloning a volume into a larger one',
    prepare: writtenSource,
    request: ({ target, source }) => ['createClonedVolume', target, source],
    makes: ({ target }) => ({ kind: 'volume', id: target.id }),
    done: ({ world, target }) => holds(world, 'volume', target.id, 2 * GIB, 'source'),
    slow: true,
  },
  {
    title: 'copying an image to a volume',
    prepare: async ({ world, target }) => {
      await world.driver.createVolume(target, calm());
      await world.write(target, 2 * GIB - BLOCK_BYTES, block('rubbish', 0));
    },
    request: ({ target, images }) => ['copyImageToVolume', target, images.qcow2],
    makes: ({ target }) => ({ kind: 'volume', id: target.id }),
    done: ({ world, target }) => holds(world, 'volume', target.id, 2 * GIB, 'image'),
    slow: true,
  },
  {
    title: 'deleting a volume',
    prepare: writtenSource,
    request: ({ source }) => ['deleteVolume', source],
    done: ({ world, source }) => isGone(world, 'volume', source.id),
  },
  {
    title: 'deleting a snapshot',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.createSnapshot(scene.snapshot, calm());
    },
    request: ({ snapshot }) => ['deleteSnapshot', snapshot],
    done: ({ world, snapshot }) => isGone(world, 'snapshot', snapshot.id),
  },
  {
    title: 'extending a volume',
    prepare: writtenSource,
    request: ({ source }) => ['extendVolume', source, 3],
    done: ({ world, source }) => holds(world, 'volume', source.id, 3 * GIB, 'source'),
  },
  {
    title: 'managing an existing object as a volume',
    prepare: existing,
    request: ({ source, ref }) => ['manageExisting', source, ref],
    done: ({ world, source }) => begins(world, 'volume', source.id),
  },
  {
    title: 'managing an existing object as a snapshot',
    prepare: existing,
    request: ({ snapshot, ref }) => ['manageExistingSnapshot', snapshot, ref],
    done: ({ world, snapshot }) => begins(world, 'snapshot', snapshot.id),
  },
  {
    title: 'giving a managed volume back',
    prepare: async (scene) => {
      await existing(scene);
      await scene.world.driver.manageExisting(scene.source, scene.ref, calm());
    },
    request: ({ source, ref }) => ['unmanage', source, ref],
    done: ({ world, source, ref }) => isGivenBack(world, 'volume', source.id, ref),
  },
  {
    title: 'giving a managed snapshot back',
    prepare: async (scene) => {
      await existing(scene);
      await scene.world.driver.manageExistingSnapshot(scene.snapshot, scene.ref, calm());
    },
    request: ({ snapshot, ref }) => ['unmanageSnapshot', snapshot, ref],
    done: ({ world, snapshot, ref }) => isGivenBack(world, 'snapshot', snapshot.id, ref),
  },
];

export function proveDriver(proof: DriverUnderProof): void {
  describe(`the driver for ${proof.name}`, { skip: proof.skip ?? false }, () => {
    let images: Images;
    before(async () => {
      images = await makeImages();
      proof.open?.();
    });
    after(async () => {
      proof.close?.();
      await images.remove();
    });

    const enter = async (t: TestContext, run: Exec = exec): Promise<Scene> => {
      const world = await proof.world(run);
      t.after(() => world.cleanup());
      const source = { id: uuid(), sizeGiB: 1 };
      const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
      return { world, source, snapshot, target: { id: uuid(), sizeGiB: 2 }, images, ref: {} };
    };

    for (const operation of OPERATIONS) {
      it(`does what it promises when ${operation.title}, also when asked twice`, async (t) => {
        const scene = await enter(t);
        await operation.prepare(scene);
        await perform(scene.world.driver, operation.request(scene), calm());
        await operation.done(scene);
        await perform(scene.world.driver, operation.request(scene), calm());
        await operation.done(scene);
        assert.deepEqual(await scene.world.leftovers(), []);
      });

      for (const fault of FAULTS) {
        it(`can be asked again when ${operation.title} ended because ${fault.title}, at each program`, async (t) => {
          for (let at = 1; ; at++) {
            const faulty = new FaultyExec(fault.strike);
            const scene = await enter(t, faulty.exec);
            await operation.prepare(scene);
            faulty.arm(at);
            const first = await settled(perform(scene.world.driver, operation.request(scene), faulty.call));
            faulty.disarm();
            if (!faulty.struck) break;
            await assertFailedWell(first, faulty);
            await assertNothingHalfMade(operation, scene);
            await perform(scene.world.driver, operation.request(scene), calm());
            await operation.done(scene);
            assert.deepEqual(await scene.world.leftovers(), [], 'leftovers after the second call');
          }
        });
      }

      if (operation.slow) {
        it(`can be asked again when ${operation.title} was killed in the middle`, async (t) => {
          const scene = await enter(t);
          await operation.prepare(scene);
          await killInTheMiddle(scene, operation);
          await assertNothingHalfMade(operation, scene, { leftovers: 'allowed' });
          await perform(scene.world.driver, operation.request(scene), calm());
          await operation.done(scene);
          // A program that outlived its process may still make its own temporary; the sweep is for that.
          await eventually(async () => {
            await scene.world.driver.sweep(new Set(), calm().signal);
            return (await scene.world.leftovers()).length === 0;
          });
        });
      }

      it(`does nothing when ${operation.title} is aborted before it began`, async (t) => {
        const scene = await enter(t);
        await operation.prepare(scene);
        const reason = new Error('not wanted');
        const call = { signal: AbortSignal.abort(reason), progress: () => {} };
        const before = await scene.world.driver.list(calm().signal);
        await assert.rejects(perform(scene.world.driver, operation.request(scene), call), reason);
        assert.deepEqual(await scene.world.driver.list(calm().signal), before);
        assert.deepEqual(await scene.world.leftovers(), []);
      });
    }

    it('keeps snapshots and clones whole when what they came from changes and is deleted', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await writtenSource(scene);
      await driver.createSnapshot(scene.snapshot, calm());
      await driver.createClonedVolume(scene.target, scene.source, calm());
      const third = { id: uuid(), sizeGiB: 1 };
      await driver.createVolumeFromSnapshot(third, scene.snapshot, calm());
      await scene.world.write(scene.source, 0, block('overwritten', 0));
      await holds(scene.world, 'snapshot', scene.snapshot.id, GIB, 'source');
      await driver.deleteVolume(scene.source, calm());
      await driver.deleteSnapshot(scene.snapshot, calm());
      await holds(scene.world, 'volume', scene.target.id, 2 * GIB, 'source');
      await holds(scene.world, 'volume', third.id, GIB, 'source');
    });

    it('refuses what is there under the name with another size, and leaves it alone', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await writtenSource(scene);
      await driver.createSnapshot(scene.snapshot, calm());
      const other = { ...scene.source, sizeGiB: 2 };
      await assert.rejects(driver.createVolume(other, calm()), errors.BackendObjectMismatch);
      await assert.rejects(
        driver.createVolumeFromSnapshot(other, scene.snapshot, calm()),
        errors.BackendObjectMismatch,
      );
      await assert.rejects(
        driver.createSnapshot({ ...scene.snapshot, sizeGiB: 2 }, calm()),
        errors.BackendObjectMismatch,
      );
      await holds(scene.world, 'volume', scene.source.id, GIB, 'source');
    });

    it('never shrinks a volume', async (t) => {
      const scene = await enter(t);
      await writtenSource(scene);
      await scene.world.driver.extendVolume(scene.source, 2, calm());
      await assert.rejects(scene.world.driver.extendVolume(scene.source, 1, calm()), errors.DriverFailed);
      await holds(scene.world, 'volume', scene.source.id, 2 * GIB, 'source');
    });

    it('says so when the source of a copy is missing or smaller than its row, and makes nothing', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await assert.rejects(driver.createSnapshot(scene.snapshot, calm()), errors.DriverFailed);
      await assert.rejects(driver.createClonedVolume(scene.target, scene.source, calm()), errors.DriverFailed);
      await assert.rejects(driver.extendVolume(scene.source, 2, calm()), errors.DriverFailed);
      await driver.createVolume(scene.source, calm());
      const row = { ...scene.source, sizeGiB: 2 };
      await assert.rejects(driver.createClonedVolume(scene.target, row, calm()), errors.DriverFailed);
      await isGone(scene.world, 'volume', scene.target.id);
      await isGone(scene.world, 'snapshot', scene.snapshot.id);
    });

    it('finds a volume by the id its name was made from', async (t) => {
      const scene = await enter(t);
      const moved = { id: uuid(), nameId: scene.source.id, sizeGiB: 1 };
      await writtenSource(scene);
      await scene.world.driver.createClonedVolume(scene.target, moved, calm());
      await holds(scene.world, 'volume', scene.target.id, 2 * GIB, 'source');
      await scene.world.driver.deleteVolume(moved, calm());
      await isGone(scene.world, 'volume', scene.source.id);
    });

    it('lists what it holds with its owners, what is foreign without, and no temporaries', async (t) => {
      const scene = await enter(t);
      await existing(scene);
      await writtenSource({ ...scene, source: scene.target });
      await scene.world.driver.createSnapshot({ id: scene.snapshot.id, volumeId: scene.target.id, sizeGiB: 2 }, calm());
      const listed = await scene.world.driver.list(calm().signal);
      const owners = new Map(listed.map(({ owner, bytes }) => [owner?.id, { kind: owner?.kind, bytes }]));
      assert.deepEqual(
        owners,
        new Map<string | undefined, unknown>([
          [undefined, { kind: undefined, bytes: MANAGED_BYTES }],
          [scene.snapshot.id, { kind: 'snapshot', bytes: 2 * GIB }],
          [scene.target.id, { kind: 'volume', bytes: 2 * GIB }],
        ]),
      );
    });

    it('sweeps what a killed process left, but for the ids that are busy', async (t) => {
      const scene = await enter(t);
      const operation = OPERATIONS.find(({ title }) => title === 'copying an image to a volume');
      assert.ok(operation);
      await operation.prepare(scene);
      await killInTheMiddle(scene, operation);
      const left = await scene.world.leftovers();
      const { driver } = scene.world;
      assert.deepEqual(await driver.sweep(new Set([scene.target.id]), calm().signal), []);
      assert.deepEqual(await scene.world.leftovers(), left);
      assert.deepEqual((await driver.sweep(new Set(), calm().signal)).toSorted(), left.toSorted());
      assert.deepEqual(await scene.world.leftovers(), []);
      assert.partialDeepStrictEqual(await driver.probe('volume', scene.target.id, calm().signal), { is: 'present' });
    });

    for (const format of ['raw', 'qcow2', 'vmdk', 'vdi'] as const) {
      it(`writes the content of a ${format} image, and zeroes after it, with progress`, async (t) => {
        const { world, target } = await enter(t);
        const seen: number[] = [];
        await world.driver.createVolume(target, calm());
        const call = { signal: calm().signal, progress: (fraction: number) => void seen.push(fraction) };
        await world.driver.copyImageToVolume(target, images[format], call);
        await holds(world, 'volume', target.id, 2 * GIB, 'image');
        assert.ok(seen.length > 0 && seen.every((fraction) => fraction >= 0 && fraction <= 1), `progress: ${seen}`);
      });
    }

    it('makes a volume of an image without a copy, or says that it cannot and makes nothing', async (t) => {
      const { world, target } = await enter(t);
      for (const image of [images.raw, images.qcow2]) {
        const { cloned } = await world.driver.cloneImage(target, image, calm());
        if (cloned) await holds(world, 'volume', target.id, 2 * GIB, 'image');
        else await isGone(world, 'volume', target.id);
        await world.driver.deleteVolume(target, calm());
      }
    });

    it('refuses images that point to other files or are not what they claim, and leaves the volume as it was', async (t) => {
      const scene = await enter(t);
      await writtenSource(scene);
      for (const [why, image] of Object.entries(images.hostile)) {
        const copying = scene.world.driver.copyImageToVolume(scene.source, image, calm());
        await assert.rejects(copying, errors.ImageUnacceptable, why);
      }
      await assert.rejects(
        scene.world.driver.copyImageToVolume(scene.source, images.tooBig, calm()),
        errors.ImageTooBig,
      );
      await holds(scene.world, 'volume', scene.source.id, GIB, 'source');
      assert.deepEqual(await scene.world.leftovers(), []);
    });

    it('takes a raw image that begins like a qcow2 for the raw bytes it is', async (t) => {
      const { world, source } = await enter(t);
      await world.driver.createVolume(source, calm());
      await world.driver.copyImageToVolume(source, images.disguised, calm());
      assert.equal((await world.read('volume', source.id, 0, 4)).toString('latin1'), 'QFI\xfb');
      assert.partialDeepStrictEqual(await world.driver.probe('volume', source.id, calm().signal), { bytes: GIB });
    });

    it('tells the size of an existing object rounded up, keeps its bytes, and lists it as long as it is foreign', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      assert.equal(await driver.manageExistingGetSize(scene.ref, calm().signal), 1);
      assert.equal(await driver.manageExistingSnapshotGetSize(scene.ref, calm().signal), 1);
      assert.partialDeepStrictEqual(await driver.listManageable('volume', new Set(), calm().signal), [
        { reference: scene.ref, sizeGiB: 1, safe: true, reason: null },
      ]);
      await driver.manageExisting(scene.source, scene.ref, calm());
      const probe = await driver.probe('volume', scene.source.id, calm().signal);
      assert.deepEqual(probe, { is: 'present', bytes: MANAGED_BYTES });
      const known = new Set((await driver.list(calm().signal)).map(({ name }) => name));
      assert.deepEqual(
        (await driver.listManageable('volume', known, calm().signal)).map(({ reason }) => reason),
        ['already managed'],
      );
      await driver.createSnapshot(scene.snapshot, calm());
      await driver.createClonedVolume(scene.target, scene.source, calm());
      await begins(scene.world, 'snapshot', scene.snapshot.id);
      assert.deepEqual(await driver.probe('volume', scene.target.id, calm().signal), { is: 'present', bytes: 2 * GIB });
      await driver.extendVolume(scene.source, 2, calm());
      assert.deepEqual(await driver.probe('volume', scene.source.id, calm().signal), { is: 'present', bytes: 2 * GIB });
    });

    it('does not take over the volume of another row, but does once that one was given back', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await writtenSource(scene);
      const [held] = await driver.list(calm().signal);
      assert.ok(held);
      const ref = { 'source-name': held.name };
      const next = { id: uuid(), sizeGiB: 1 };
      await assert.rejects(driver.manageExisting(next, ref, calm()), errors.ManageExistingAlreadyManaged);
      await driver.unmanage(scene.source, null, calm());
      await driver.unmanage(scene.source, null, calm());
      await driver.manageExisting(next, ref, calm());
      await driver.manageExisting(next, ref, calm());
      await holds(scene.world, 'volume', next.id, GIB, 'source');
      await isGone(scene.world, 'volume', scene.source.id);
    });

    it('keeps our name when the old one has been taken, and never touches what took it', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      await driver.manageExisting(scene.source, scene.ref, calm());
      await existing(scene, 'another');
      await driver.unmanage(scene.source, scene.ref, calm());
      assert.deepEqual(await scene.world.readForeign(scene.ref, BLOCK_BYTES), block('another', 0));
      await begins(scene.world, 'volume', scene.source.id);
    });

    it('refuses references that name nothing', async (t) => {
      const { world, source } = await enter(t);
      for (const ref of [
        {},
        { 'source-name': '' },
        { 'source-name': 'nothing-here' },
        { 'source-name': '../escape' },
      ]) {
        await assert.rejects(
          world.driver.manageExistingGetSize(ref, calm().signal),
          errors.ManageExistingInvalidReference,
        );
        await assert.rejects(world.driver.manageExisting(source, ref, calm()), errors.ManageExistingInvalidReference);
      }
    });

    it('reports its capacity, and what it can do', async (t) => {
      const { world } = await enter(t);
      const pools = await world.driver.stats(calm().signal);
      assert.equal(pools.length, 1);
      const [{ total_capacity_gb: total, free_capacity_gb: free } = {}] = pools;
      assert.ok(
        typeof total === 'number' && typeof free === 'number' && free <= total && total > 0,
        `${free} of ${total}`,
      );
      assert.equal(world.driver.capabilities.fastClone, !proof.copies);
    });

    it('says that the backend is full, leaves nothing, and succeeds when there is room again', async (t) => {
      const faulty = new FaultyExec('before');
      const scene = await enter(t, faulty.exec);
      const { fill, driver } = scene.world;
      if (fill === undefined) return t.skip('this backend cannot be filled in a test');
      await writtenSource(scene);
      await driver.createVolume(scene.target, calm());
      const clone = { id: uuid(), sizeGiB: 1 };
      const requests: Request[] = [['copyImageToVolume', scene.target, images.dense]];
      if (proof.copies) requests.push(['createClonedVolume', clone, scene.source], ['createSnapshot', scene.snapshot]);
      for (const request of requests) {
        const empty = await fill(200_000);
        await assert.rejects(perform(driver, request, calm()), errors.BackendFull, `${request[0]} beforehand`);
        assert.deepEqual(await scene.world.leftovers(), []);
        await empty();
        // The disk fills up after there seemed to be room.
        const filled: (() => Promise<void>)[] = [];
        faulty.before = async (argv) => {
          if (filled.length === 0 && isCopy(argv)) filled.push(await fill(200_000));
        };
        await assert.rejects(perform(driver, request, calm()), errors.BackendFull, `${request[0]} in the middle`);
        assert.equal(filled.length, 1);
        assert.deepEqual(await scene.world.leftovers(), []);
        await holdsZeroes(scene.world, scene.target);
        for (const empty of filled) await empty();
      }
      for (const request of requests) await perform(driver, request, calm());
      if (proof.copies) await holds(scene.world, 'volume', clone.id, GIB, 'source');
    });
  });
}

// ── Faults

type Strike = 'before' | 'after' | 'abort';

const FAULTS: readonly { readonly title: string; readonly strike: Strike }[] = [
  { title: 'a program failed', strike: 'before' },
  { title: 'the answer of a program was lost', strike: 'after' },
  { title: 'it was aborted', strike: 'abort' },
];

/** Programs run for real, but the n-th one after `arm(n)` does not end well. */
class FaultyExec {
  readonly #strike: Strike;
  #countdown = Number.POSITIVE_INFINITY;
  #aborter = new AbortController();
  struck = false;
  /** Runs before each program. */
  before: (argv: readonly string[]) => Promise<void> = async () => {};

  constructor(strike: Strike) {
    this.#strike = strike;
  }

  arm(at: number): void {
    this.#countdown = at;
  }

  disarm(): void {
    this.#countdown = Number.POSITIVE_INFINITY;
  }

  get call(): Call {
    return { signal: this.#aborter.signal, progress: () => {} };
  }

  get reason(): unknown {
    return this.#aborter.signal.reason;
  }

  readonly exec: Exec = async (argv, options) => {
    await this.before(argv);
    if (--this.#countdown !== 0) return exec(argv, options);
    this.struck = true;
    if (this.#strike === 'abort') this.#aborter.abort(new Error('not wanted any more'));
    if (this.#strike !== 'before') await exec(argv, options);
    throw new CommandFailed(argv, 1, 'Input/output error', false);
  };
}

// An image's program that fails speaks of the image; any other one of the backend.
async function assertFailedWell(outcome: PromiseSettledResult<unknown>, faulty: FaultyExec): Promise<void> {
  assert.equal(outcome.status, 'rejected', 'the failure of a program was swallowed');
  const { reason } = outcome as PromiseRejectedResult;
  if (faulty.reason !== undefined) assert.equal(reason, faulty.reason);
  else assert.ok(reason instanceof errors.PumiceError, `${reason}`);
}

async function assertNothingHalfMade(
  { makes, done, title }: Operation,
  scene: Scene,
  { leftovers }: { leftovers?: 'allowed' } = {},
): Promise<void> {
  if (makes === undefined) return;
  const { kind, id } = makes(scene);
  const probe = await scene.world.driver.probe(kind, id, calm().signal);
  // An image goes into a volume that is there before.
  if (probe.is === 'present' && !title.includes('image')) await done(scene);
  if (leftovers === undefined) {
    assert.notEqual(probe.is, 'partial');
    assert.deepEqual(await scene.world.leftovers(), [], 'leftovers after a failure');
  }
}

/** Kills the process that does the operation as soon as the backend shows something half-made of it. */
async function killInTheMiddle(scene: Scene, operation: Operation): Promise<void> {
  const made = operation.makes?.(scene);
  assert.ok(made);
  const halfMade = async (): Promise<boolean> => (await scene.world.leftovers()).some((name) => name.includes(made.id));
  for (let attempt = 0; attempt < 5; attempt++) {
    const child = scene.world.elsewhere(operation.request(scene));
    const ended = once(child, 'exit');
    await eventually(async () => child.exitCode !== null || (await halfMade()));
    child.kill('SIGKILL');
    await ended;
    if (await halfMade()) return;
    // It was quicker than we are. What it made is taken away, and it begins again.
    assert.equal(child.exitCode ?? 0, 0, 'the other process failed');
    if (made.kind === 'snapshot') await scene.world.driver.deleteSnapshot(scene.snapshot, calm());
    else await scene.world.driver.deleteVolume({ id: made.id, sizeGiB: 1 }, calm());
    await operation.prepare(scene);
  }
  assert.fail('never caught in the middle');
}

const isCopy = ([program, verb]: readonly string[]): boolean => program === 'cp' || verb === 'convert';

// ── Content

function block(of: string, at: number): Buffer {
  return Buffer.alloc(BLOCK_BYTES, `${of} ${at} `);
}

async function writtenSource({ world, source }: Scene): Promise<void> {
  await world.driver.createVolume(source, calm());
  for (const at of BLOCKS) await world.write(source, at, block('source', at));
}

/** Half a GiB and one sector. */
const MANAGED_BYTES = 512 * MIB + 512;

async function existing(scene: Scene, content = 'foreign'): Promise<void> {
  scene.ref = await scene.world.foreign('left-by-an-operator', MANAGED_BYTES, block(content, 0));
}

async function begins(world: DriverWorld, kind: Kind, id: string): Promise<void> {
  assert.deepEqual(await world.driver.probe(kind, id, calm().signal), { is: 'present', bytes: MANAGED_BYTES });
  assert.deepEqual(await world.read(kind, id, 0, BLOCK_BYTES), block('foreign', 0));
}

async function isGivenBack(world: DriverWorld, kind: Kind, id: string, ref: ManageRef): Promise<void> {
  await isGone(world, kind, id);
  assert.deepEqual(await world.readForeign(ref, BLOCK_BYTES), block('foreign', 0));
}

async function holds(world: DriverWorld, kind: Kind, id: string, bytes: number, of: string): Promise<void> {
  assert.deepEqual(await world.driver.probe(kind, id, calm().signal), { is: 'present', bytes });
  for (const at of BLOCKS) {
    const found = await world.read(kind, id, at, BLOCK_BYTES);
    assert.ok(found.equals(expected(of, at)), `${kind} differs at ${at}`);
  }
  for (const at of [4 * MIB, 300 * MIB, bytes - BLOCK_BYTES]) {
    if (BLOCKS.includes(at)) continue;
    assert.ok(
      (await world.read(kind, id, at, BLOCK_BYTES)).equals(Buffer.alloc(BLOCK_BYTES)),
      `${kind} not zero at ${at}`,
    );
  }
}

/** The block at 12288 lies over the one at 0. */
function expected(of: string, at: number): Buffer {
  const own = block(of, at);
  if (at === BLOCKS[0]) block(of, 3 * 4096).copy(own, 3 * 4096);
  return own;
}

async function holdsZeroes(world: DriverWorld, { id, sizeGiB }: VolumeRef): Promise<void> {
  const bytes = sizeGiB * GIB;
  assert.deepEqual(await world.driver.probe('volume', id, calm().signal), { is: 'present', bytes });
  for (const at of [...BLOCKS, bytes - BLOCK_BYTES]) {
    assert.ok((await world.read('volume', id, at, BLOCK_BYTES)).equals(Buffer.alloc(BLOCK_BYTES)), `not zero at ${at}`);
  }
}

async function isGone(world: DriverWorld, kind: Kind, id: string): Promise<void> {
  assert.deepEqual(await world.driver.probe(kind, id, calm().signal), { is: 'absent' });
}

// ── Images

interface Images extends Record<ImageFile['format'], ImageFile> {
  readonly hostile: Readonly<Record<string, ImageFile>>;
  readonly tooBig: ImageFile;
  readonly disguised: ImageFile;
  /** Holds 24 MiB of data. */
  readonly dense: ImageFile;
  remove(): Promise<void>;
}

async function makeImages(): Promise<Images> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-images-'));
  const at = (name: string): string => join(directory, name);
  const qemu = (...args: readonly string[]) => exec(['qemu-img', ...args], { signal: calm().signal });

  const raw = await open(at('raw'), 'w');
  await raw.truncate(GIB);
  for (const offset of BLOCKS) await raw.write(block('image', offset), 0, BLOCK_BYTES, offset);
  await raw.close();
  for (const format of ['qcow2', 'vmdk', 'vdi'])
    await qemu('convert', '-f', 'raw', '-O', format, at('raw'), at(format));

  const secret = await open(at('secret'), 'w');
  await secret.write('A file of the host, which no image may name.'.padEnd(4096));
  await secret.close();
  await qemu('create', '-q', '-f', 'qcow2', '-b', at('secret'), '-F', 'raw', at('backed.qcow2'), '64M');
  await qemu('create', '-q', '-f', 'qcow2', '-o', `data_file=${at('data')}`, at('parted.qcow2'), '64M');
  await qemu('create', '-q', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', at('flat.vmdk'), '64M');
  await qemu('create', '-q', '-f', 'qcow2', at('too-big.qcow2'), '2G');

  const dense = await open(at('dense'), 'w');
  await dense.write(Buffer.alloc(24 * MIB, 'dense'));
  await dense.close();
  const disguised = await open(at('disguised'), 'w');
  await disguised.write(Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'));
  await disguised.truncate(64 * MIB);
  await disguised.close();

  return {
    raw: { path: at('raw'), format: 'raw' },
    qcow2: { path: at('qcow2'), format: 'qcow2' },
    vmdk: { path: at('vmdk'), format: 'vmdk' },
    vdi: { path: at('vdi'), format: 'vdi' },
    tooBig: { path: at('too-big.qcow2'), format: 'qcow2' },
    disguised: { path: at('disguised'), format: 'raw' },
    dense: { path: at('dense'), format: 'raw' },
    hostile: {
      'a qcow2 with a backing file': { path: at('backed.qcow2'), format: 'qcow2' },
      'a qcow2 with an external data file': { path: at('parted.qcow2'), format: 'qcow2' },
      'a vmdk whose extent is another file': { path: at('flat.vmdk'), format: 'vmdk' },
      'a vmdk that claims to be a qcow2': { path: at('vmdk'), format: 'qcow2' },
      'a raw image that claims to be a vdi': { path: at('raw'), format: 'vdi' },
      'a qcow2 that is only its first bytes': { path: at('disguised'), format: 'qcow2' },
    },
    remove: () => rm(directory, { recursive: true }),
  };
}

// ── Small things

/** A call that nobody stops. */
export function calm(): Call {
  return { signal: new AbortController().signal, progress: () => {} };
}

async function settled<Result>(promise: Promise<Result>): Promise<PromiseSettledResult<Result>> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome;
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const until = elapsed() + DEADLINE_MS;
  while (!(await condition())) {
    assert.ok(elapsed() < until, 'waited too long');
    await pause(1, calm().signal);
  }
}
