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
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type DriverCall, type VolumeRef, WRITTEN_FORMATS } from '../src/drivers/driver.ts';
import { elapsed, pause, uuid } from '../src/lib/clock.ts';
import { type Exec, exec } from '../src/lib/exec.ts';
import type { Content } from '../src/lib/file-content.ts';
import type { Copied } from '../src/lib/progress.ts';
import * as errors from '../src/model/errors.ts';
import {
  BLOCK_BYTES,
  begins,
  block,
  GIB,
  holds,
  holdsZeroes,
  isGone,
  MANAGED_BYTES,
  MIB,
  same,
} from './drivers/content.ts';
import {
  calm,
  type DriverWorld,
  kept,
  perform,
  type Request,
  theImage,
  theSnapshot,
  theVolume,
} from './drivers/driver-world.ts';
import { attached, EXPORT_CHANGES, keptAll } from './drivers/exports/export-changes.ts';
import { type Around, FAULTS, FaultyExec, type Strike, unharmed } from './drivers/faulty-exec.ts';
import { type Images, makeImages } from './drivers/images/images.ts';
import {
  EXPORT_OPERATIONS,
  existing,
  existingSnapshot,
  isOverwritten,
  OPERATIONS,
  type Operation,
  OVERWRITTEN,
  overwrittenSource,
  type Scene,
  together,
  written,
  writtenSource,
} from './drivers/operations.ts';

const DEADLINE_MS = 40_000;
/** Of each of the images that hold little here and there, and of what is written to their volumes later. */
const SCATTERED_BYTES = 32 * 4096;

export interface DriverUnderProof {
  readonly name: string;
  /** Why it cannot run here; null when it can. */
  readonly skip: string | null;
  /** Before all worlds, and after them. */
  readonly open?: () => void;
  readonly close?: () => void | Promise<void>;
  /** `around`: what a driver asks of a helper of its own, which is to end badly now and then. */
  readonly world: (exec: Exec, around: Around) => Promise<DriverWorld>;
  /** Runs its programs. Default: for real. */
  readonly programs?: Exec;
  /** Only these are proved: of a variant of a driver that is proved as a whole. */
  readonly operations?: readonly Operation[];
  /** Titles of operations that are one step of the backend's, so that no kill finds them half done. */
  readonly atOnce?: readonly string[];
  /** Volumes are opened to clients, which write while the exports are changed. */
  readonly exports?: boolean;
  /** What becomes of its programs, where each of them costs too much. Default: everything that may. */
  readonly faults?: readonly Strike[];
  /** Sharing blocks makes some copies free, so that they succeed on a full disk. */
  readonly copies: boolean;
  /** Several volumes can be snapshotted in one moment. Default: where copies share blocks. */
  readonly oneMoment?: boolean;
}

export function proveDriver(proof: DriverUnderProof): void {
  describe(`the driver for ${proof.name}`, { skip: proof.skip ?? false }, () => {
    let images: Images;
    before(async () => {
      images = await makeImages();
      proof.open?.();
    });
    after(async () => {
      await proof.close?.();
      await images.remove();
    });

    const enter = async (t: TestContext, faulty?: FaultyExec): Promise<Scene> => {
      const world = await proof.world(faulty?.exec ?? proof.programs ?? exec, faulty?.around ?? unharmed);
      t.after(() => world.cleanup());
      const source = { id: uuid(), sizeGiB: 1 };
      const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
      return {
        world,
        source,
        snapshot,
        target: { id: uuid(), sizeGiB: 2 },
        images,
        ref: {},
        located: { path: '', bytes: 0 },
      };
    };

    const { oneMoment = !proof.copies } = proof;
    const possible = [...OPERATIONS, ...EXPORT_OPERATIONS].filter((each) => oneMoment || !each.inOneMoment);
    for (const operation of proof.operations ?? possible) {
      it(`does what it promises when ${operation.title}, also when asked twice`, async (t) => {
        const scene = await enter(t);
        await operation.prepare(scene);
        await perform(scene.world.driver, operation.request(scene), calm());
        await operation.done(scene);
        await perform(scene.world.driver, operation.request(scene), calm());
        await operation.done(scene);
        assert.deepEqual(await scene.world.leftovers(), []);
      });

      for (const fault of FAULTS.filter(({ strike }) => proof.faults?.includes(strike) ?? true)) {
        it(`can be asked again when ${operation.title} ended because ${fault.title}, at each program`, async (t) => {
          for (let at = 1; ; at++) {
            const faulty = new FaultyExec(fault.strike, proof.programs);
            const scene = await enter(t, faulty);
            await operation.prepare(scene);
            faulty.arm(at);
            const first = await settled(perform(scene.world.driver, operation.request(scene), faulty.call));
            faulty.disarm();
            if (!faulty.struck) break;
            if (!operation.asksAgain || first.status === 'rejected') assertFailedWell(first, faulty);
            await assertNothingHalfMade(operation, scene);
            await perform(scene.world.driver, operation.request(scene), calm());
            await operation.done(scene);
            assert.deepEqual(await scene.world.leftovers(), [], 'leftovers after the second call');
          }
        });
      }

      if (operation.slow && !proof.atOnce?.includes(operation.title)) {
        it(`can be asked again when ${operation.title} was killed in the middle`, async (t) => {
          const scene = await enter(t);
          await operation.prepare(scene);
          await killInTheMiddle(scene, operation);
          await assertNothingHalfMade(operation, scene, { leftovers: 'allowed' });
          await perform(scene.world.driver, operation.request(scene), calm());
          await operation.done(scene);
          await sweptClean(scene);
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

    for (const change of proof.exports ? EXPORT_CHANGES : []) {
      it(`loses nothing that a client was answered while ${change.title}`, async (t) => {
        const { world, source } = await enter(t);
        const is = await attached(world, source);
        t.after(() => is.writer.stop());
        await change.make(world, is);
        await keptAll(is, change);
      });
    }

    if (proof.operations) return;

    it('keeps snapshots and clones whole when what they came from changes and is deleted', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await writtenSource(scene);
      await driver.createSnapshot(scene.snapshot, calm());
      await driver.createClonedVolume(scene.target, scene.source, calm());
      const third = { id: uuid(), sizeGiB: 1 };
      await driver.createVolumeFromSnapshot(third, scene.snapshot, calm());
      await scene.world.write(scene.source, 0, block('overwritten', 0));
      await holds(scene.world, theSnapshot(scene.snapshot), GIB, 'source');
      await driver.deleteVolume(scene.source, calm());
      await driver.deleteSnapshot(scene.snapshot, calm());
      await holds(scene.world, theVolume(scene.target), 2 * GIB, 'source');
      await holds(scene.world, theVolume(third), GIB, 'source');
    });

    it('keeps for a backup whole GiB, also of what was taken over, whatever becomes of that', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      const { id } = scene.snapshot;
      await existing(scene);
      await driver.manageExisting(scene.source, scene.ref, calm());
      const source = await driver.keepForBackup(id, { volume: scene.source }, calm());
      assert.equal(source.bytes, GIB);
      await scene.world.write(scene.source, 0, block('overwritten', 0));
      assert.deepEqual(await driver.keepForBackup(id, { volume: scene.source }, calm()), source);
      await driver.deleteVolume(scene.source, calm());
      assert.deepEqual(await driver.probe(kept(id, scene.source), calm().signal), { is: 'present', bytes: GIB });
      same(await scene.world.read(kept(id, scene.source), 0, BLOCK_BYTES), block('foreign', 0));
    });

    it('tells where what it keeps for a backup differs from what it kept for an earlier one, whatever became of the volume', async (t) => {
      const { world, source, snapshot } = await enter(t);
      const { driver } = world;
      const [first, second, third] = [uuid(), uuid(), uuid()];
      const since = (earlier: string, later: string) => driver.changedSince(source, earlier, later, calm());
      await writtenSource({ world, source });
      await driver.keepForBackup(first, { volume: source }, calm());
      await driver.createSnapshot(snapshot, calm());
      await overwrittenSource({ world, source });
      await driver.keepForBackup(second, { volume: source }, calm());
      const base = await since(first, second);
      if (!driver.capabilities.backupBases) return assert.equal(base?.changed ?? null, null);
      assert.ok(base?.changed);
      const told = (ranges: typeof base.changed, at: number): boolean =>
        ranges.some((range) => range.at <= at && at + BLOCK_BYTES <= range.at + range.bytes);
      for (const at of OVERWRITTEN) assert.ok(told(base.changed, at), `what is at ${at} was written since`);
      assert.ok(!told(base.changed, GIB - 65_536), 'and the end was not');
      assert.deepEqual((await since(second, second))?.changed, []);
      await driver.revertToSnapshot(source, snapshot, calm());
      await driver.extendVolume(source, 2, calm());
      const grown = { ...source, sizeGiB: 2 };
      await world.write(grown, GIB + MIB, block('grown', 0));
      await driver.keepForBackup(third, { volume: grown }, calm());
      const later = (await since(second, third))?.changed ?? [];
      for (const at of [...OVERWRITTEN, GIB + MIB]) assert.ok(told(later, at), `what is at ${at} is another`);
      assert.ok(!told(later, GIB - 65_536));
      await driver.dropForBackup(second, source, calm());
      await driver.deleteVolume(grown, calm());
      assert.equal(await since(second, third), null);
    });

    it('never lets a call that was thought dead undo what the call after it made', async (t) => {
      const faulty = new FaultyExec('before', proof.programs);
      const scene = await enter(t, faulty);
      const { driver } = scene.world;
      await writtenSource(scene);
      const reached = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      faulty.before = () => {
        faulty.before = async () => {};
        reached.resolve();
        return released.promise;
      };
      const stale = settled(driver.createClonedVolume(scene.target, scene.source, calm()));
      await reached.promise;
      await driver.createClonedVolume(scene.target, scene.source, calm());
      await scene.world.write(scene.target, GIB, block('written since', 0));
      released.resolve();
      await stale;
      same(await scene.world.read(theVolume(scene.target), GIB, BLOCK_BYTES), block('written since', 0));
      await driver.sweep(new Set(), calm().signal);
      assert.deepEqual(await scene.world.leftovers(), []);
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
      await holds(scene.world, theVolume(scene.source), GIB, 'source');
    });

    it('never shrinks a volume', async (t) => {
      const scene = await enter(t);
      await writtenSource(scene);
      await scene.world.driver.extendVolume(scene.source, 2, calm());
      await assert.rejects(scene.world.driver.extendVolume(scene.source, 1, calm()), errors.DriverFailed);
      await holds(scene.world, theVolume(scene.source), 2 * GIB, 'source');
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
      await isGone(scene.world, theVolume(scene.target));
      await isGone(scene.world, theSnapshot(scene.snapshot));
    });

    it('keeps what a volume holds when there is no room for what it is to hold, beforehand or in the middle', async (t) => {
      const faulty = new FaultyExec('before', proof.programs);
      const scene = await enter(t, faulty);
      const { world, source, snapshot } = scene;
      const { driver, fill } = world;
      if (fill === undefined) return t.skip('this backend cannot be filled in a test');
      await writtenSource(scene);
      await driver.createSnapshot(snapshot, calm());
      await overwrittenSource(scene);
      const requests: Request[] = [['reimageVolume', source, images.dense]];
      if (proof.copies) requests.unshift(['revertToSnapshot', source, snapshot]);
      for (const request of requests) {
        const empty = await fill(200_000);
        await assert.rejects(perform(driver, request, calm()), errors.BackendFull, `${request[0]} beforehand`);
        await empty();
        const filled: (() => Promise<void>)[] = [];
        faulty.before = async (argv) => {
          if (filled.length === 0 && isCopy(argv)) filled.push(await fill(200_000));
        };
        await assert.rejects(perform(driver, request, calm()), errors.BackendFull, `${request[0]} in the middle`);
        assert.equal(filled.length, 1);
        assert.deepEqual(await world.leftovers(), []);
        await isOverwritten(scene);
        for (const empty of filled) await empty();
      }
      for (const request of requests) await perform(driver, request, calm());
      same(await world.read(theVolume(source), 0, 5), Buffer.from('dense'));
    });

    it('keeps the odd bytes of what was taken over when it is reverted, and refuses a snapshot that is larger', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      await driver.manageExisting(scene.source, scene.ref, calm());
      await driver.createSnapshot(scene.snapshot, calm());
      await scene.world.write(scene.source, 0, block('later', 0));
      await driver.revertToSnapshot(scene.source, scene.snapshot, calm());
      await begins(scene.world, theVolume(scene.source));
      const larger = { ...scene.snapshot, sizeGiB: 2 };
      await assert.rejects(driver.revertToSnapshot(scene.source, larger, calm()), errors.InvalidInput);
      const missing = { ...scene.snapshot, id: uuid() };
      await assert.rejects(driver.revertToSnapshot(scene.source, missing, calm()), errors.DriverFailed);
      await begins(scene.world, theVolume(scene.source));
    });

    it('finds a volume by the id its name was made from', async (t) => {
      const scene = await enter(t);
      const moved = { id: uuid(), nameId: scene.source.id, sizeGiB: 1 };
      await writtenSource(scene);
      await scene.world.driver.createClonedVolume(scene.target, moved, calm());
      await holds(scene.world, theVolume(scene.target), 2 * GIB, 'source');
      const snapshot = { id: scene.snapshot.id, volumeId: moved.id, volumeNameId: moved.nameId, sizeGiB: 1 };
      await scene.world.driver.createSnapshot(snapshot, calm());
      await holds(scene.world, theSnapshot(snapshot), GIB, 'source');
      if (scene.world.driver.capabilities.consistentGroupSnapshot) {
        const member = { ...snapshot, id: uuid() };
        await scene.world.driver.createGroupSnapshot([member], calm());
        await holds(scene.world, theSnapshot(member), GIB, 'source');
        await scene.world.driver.deleteSnapshot(member, calm());
      }
      await scene.world.driver.deleteVolume(moved, calm());
      await isGone(scene.world, theVolume(scene.source));
    });

    it('keeps the bytes of a volume that it receives, to the last odd sector', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      await driver.manageExisting(scene.source, scene.ref, calm());
      const from = await driver.locateVolume(scene.source, 'read', calm().signal);
      for (const copies of [false, true]) {
        const volume = { id: uuid(), sizeGiB: 1 };
        await driver.receiveVolume(volume, from, { copies }, calm());
        await begins(scene.world, theVolume(volume));
      }
      await begins(scene.world, theVolume(scene.source));
    });

    it('keeps what it has received when the backend that it came from deletes it', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await writtenSource(scene);
      const from = await driver.locateVolume(scene.source, 'read', calm().signal);
      const volume = { ...scene.target, sizeGiB: 1 };
      await driver.receiveVolume(volume, from, { copies: false }, calm());
      await driver.deleteVolume(scene.source, calm());
      await isGone(scene.world, theVolume(scene.source));
      await holds(scene.world, theVolume(volume), GIB, 'source');
    });

    it('does not say where a volume is that is not there, or not of its size', async (t) => {
      const { world, source } = await enter(t);
      await assert.rejects(world.driver.locateVolume(source, 'read', calm().signal), errors.DriverFailed);
      await world.driver.createVolume(source, calm());
      const larger = { ...source, sizeGiB: 2 };
      await assert.rejects(world.driver.locateVolume(larger, 'read', calm().signal), errors.BackendObjectMismatch);
    });

    it('tells how far it is with a copy of a volume that it receives', async (t) => {
      const { world, target } = await enter(t);
      const { seen, call } = watched();
      const from = { path: images.raw.path, bytes: GIB };
      await world.driver.receiveVolume({ ...target, sizeGiB: 1 }, from, { copies: true }, call);
      tellsHowFar(seen);
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
      await sweptClean(scene);
      assert.partialDeepStrictEqual(await driver.probe(theVolume(scene.target), calm().signal), { is: 'present' });
    });

    for (const format of ['raw', 'qcow2', 'vmdk', 'vdi', 'vhd'] as const) {
      it(`writes the content of a ${format} image, and zeroes after it, with progress`, async (t) => {
        const { world, target } = await enter(t);
        const { seen, call } = watched();
        await world.driver.createVolume(target, calm());
        await world.driver.copyImageToVolume(target, images[format], call);
        await holds(world, theVolume(target), 2 * GIB, 'image');
        tellsHowFar(seen);
      });
    }

    it('takes for a volume from an image what its data takes, and for later writes what they write', async (t) => {
      const { world } = await enter(t);
      const { takes } = world;
      if (takes === undefined) return t.skip('nobody can tell what a volume takes of this backend');
      for (const [what, image] of Object.entries(images.scattered)) {
        const volume = { id: uuid(), sizeGiB: 1 };
        await world.driver.createVolume(volume, calm());
        await world.driver.copyImageToVolume(volume, image, calm());
        const before = await takes(volume);
        assert.ok(before <= 4 * SCATTERED_BYTES, `${what}: ${before} bytes for ${SCATTERED_BYTES}`);
        const page = block('later', 0).subarray(0, 4096);
        for (let at = 0; at < 32; at++) await world.write(volume, 100 * MIB + at * 3 * MIB, page);
        const later = (await takes(volume)) - before;
        assert.ok(
          later <= 4 * SCATTERED_BYTES,
          `${what}: ${later} bytes for ${SCATTERED_BYTES} that were written later`,
        );
        await world.driver.deleteVolume(volume, calm());
      }
    });

    it('takes an image that has its place reserved on a backend that has room for its data alone', async (t) => {
      const { world, source } = await enter(t);
      const { driver, fill } = world;
      if (fill === undefined) return t.skip('this backend cannot be filled in a test');
      await driver.createVolume(source, calm());
      const empty = await fill(32 * MIB);
      await driver.copyImageToVolume(source, images.preallocated, calm());
      await empty();
      await holdsZeroes(world, source);
    });

    it('gives a volume a raw image in place of what it held, and refuses one that is not there', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await writtenSource(scene);
      await overwrittenSource(scene);
      await driver.reimageVolume(scene.source, images.raw, calm());
      await holds(scene.world, theVolume(scene.source), GIB, 'image');
      await assert.rejects(driver.reimageVolume(scene.target, images.raw, calm()), errors.DriverFailed);
      await isGone(scene.world, theVolume(scene.target));
    });

    it('reads what a volume holds, all of it, as often as it is asked, and says when that is cut short', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await writtenSource(scene);
      const content = await driver.readVolume(scene.source, calm().signal);
      assert.equal(content.bytes, GIB);
      const [once, again] = [await digestOf(content, calm().signal), await digestOf(content, calm().signal)];
      assert.deepEqual(once, { bytes: GIB, digest: await digestOfWhole(scene.world, scene.source) });
      assert.deepEqual(again, once);
      const ended = new AbortController();
      const reason = new Error('not wanted');
      await assert.rejects(async () => {
        for await (const _piece of content.read(ended.signal)) ended.abort(reason);
      }, reason);
      await assert.rejects(driver.readVolume(scene.target, calm().signal), errors.DriverFailed);
      await assert.rejects(driver.readVolume(scene.source, AbortSignal.abort(reason)), reason);
      assert.deepEqual(await scene.world.leftovers(), []);
    });

    it('reads what was taken over to its last odd byte', async (t) => {
      const scene = await enter(t);
      await existing(scene);
      await scene.world.driver.manageExisting(scene.source, scene.ref, calm());
      const content = await scene.world.driver.readVolume(scene.source, calm().signal);
      const { bytes } = await digestOf(content, calm().signal);
      assert.deepEqual([content.bytes, bytes], [MANAGED_BYTES, MANAGED_BYTES]);
    });

    for (const format of WRITTEN_FORMATS) {
      it(`writes a volume as a ${format} image that holds the same, with progress`, async (t) => {
        const scene = await enter(t);
        const { driver } = scene.world;
        await writtenSource(scene);
        const { seen, call } = watched();
        const image = written(scene, format);
        await driver.copyVolumeToImage(scene.source, image, call);
        await driver.createVolume(scene.target, calm());
        await driver.copyImageToVolume(scene.target, image, calm());
        await holds(scene.world, theVolume(scene.target), 2 * GIB, 'source');
        tellsHowFar(seen);
      });
    }

    it('makes a volume of an image without a copy, or says that it cannot and makes nothing', async (t) => {
      const { world, target } = await enter(t);
      for (const image of [images.raw, images.qcow2]) {
        const { cloned } = await world.driver.cloneImage(target, { ...image, locations: [] }, calm());
        if (cloned) await holds(world, theVolume(target), 2 * GIB, 'image');
        else await isGone(world, theVolume(target));
        await world.driver.deleteVolume(target, calm());
      }
    });

    it('makes no volume of a cached image that is not there, or is larger, and keeps volumes when it is dropped', async (t) => {
      const { world, source, target } = await enter(t);
      const { driver } = world;
      const nothing = { made: false, model: {} };
      assert.deepEqual(await driver.createVolumeFromCachedImage(target, source.id, calm()), nothing);
      await driver.cacheImage(source.id, images.qcow2, 1, calm());
      const small = { ...target, sizeGiB: 0 };
      assert.deepEqual(await driver.createVolumeFromCachedImage(small, source.id, calm()), nothing);
      await isGone(world, theVolume(target));
      await driver.createVolumeFromCachedImage(target, source.id, calm());
      await driver.dropCachedImage(source.id, calm());
      await holds(world, theVolume(target), 2 * GIB, 'image');
      await assert.rejects(driver.cacheImage(source.id, images.tooBig, 1, calm()), errors.ImageTooBig);
      await isGone(world, theImage(source.id));
      assert.deepEqual(await world.leftovers(), []);
    });

    it('lists a cached image as one, and offers it to nobody as what could be managed', async (t) => {
      const { world, source } = await enter(t);
      const { driver } = world;
      await driver.cacheImage(source.id, images.qcow2, 1, calm());
      const listed = await driver.list(calm().signal);
      assert.deepEqual(
        listed.map(({ owner, bytes }) => ({ owner, bytes })),
        [{ owner: { kind: 'image', id: source.id }, bytes: GIB }],
      );
      for (const kind of ['volume', 'snapshot'] as const)
        assert.deepEqual(await driver.listManageable(kind, new Set(), calm().signal), []);
      const ref = { 'source-name': listed[0]?.name ?? '' };
      await assert.rejects(driver.manageExistingGetSize(ref, calm().signal), errors.ManageExistingAlreadyManaged);
    });

    it('refuses images that point to other files or are not what they claim, and leaves the volume as it was', async (t) => {
      const faulty = new FaultyExec('before', proof.programs);
      const scene = await enter(t, faulty);
      await writtenSource(scene);
      const given: string[] = [];
      faulty.before = async (argv) => void given.push(argv.join(' '));
      for (const [why, image] of Object.entries(images.hostile)) {
        const copying = scene.world.driver.copyImageToVolume(scene.source, image, calm());
        await assert.rejects(copying, errors.ImageUnacceptable, why);
        assert.ok(!given.some((argv) => argv.includes(image.path)), `a program was given ${why}`);
      }
      const { driver } = scene.world;
      await assert.rejects(driver.copyImageToVolume(scene.source, images.tooBig, calm()), errors.ImageTooBig);
      await assert.rejects(driver.reimageVolume(scene.source, images.tooBig, calm()), errors.ImageTooBig);
      await assert.rejects(
        driver.reimageVolume(scene.source, { ...images.qcow2, format: 'vmdk' }, calm()),
        errors.ImageUnacceptable,
      );
      await holds(scene.world, theVolume(scene.source), GIB, 'source');
      assert.deepEqual(await scene.world.leftovers(), []);
    });

    it('takes a raw image that begins like a qcow2 for the raw bytes it is', async (t) => {
      const { world, source } = await enter(t);
      await world.driver.createVolume(source, calm());
      await world.driver.copyImageToVolume(source, images.disguised, calm());
      assert.equal((await world.read(theVolume(source), 0, 4)).toString('latin1'), 'QFI\xfb');
      assert.partialDeepStrictEqual(await world.driver.probe(theVolume(source), calm().signal), { bytes: GIB });
    });

    it('tells the size of an existing object rounded up, keeps its bytes, and lists it as long as it is foreign', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      assert.equal(await driver.manageExistingGetSize(scene.ref, calm().signal), 1);
      assert.partialDeepStrictEqual(await driver.listManageable('volume', new Set(), calm().signal), [
        { reference: scene.ref, sizeGiB: 1, safe: true, reason: null },
      ]);
      await driver.manageExisting(scene.source, scene.ref, calm());
      const probe = await driver.probe(theVolume(scene.source), calm().signal);
      assert.deepEqual(probe, { is: 'present', bytes: MANAGED_BYTES });
      const known = new Set((await driver.list(calm().signal)).map(({ name }) => name));
      assert.deepEqual(
        (await driver.listManageable('volume', known, calm().signal)).map(({ reason }) => reason),
        ['already managed'],
      );
      await driver.createSnapshot(scene.snapshot, calm());
      await driver.createClonedVolume(scene.target, scene.source, calm());
      await begins(scene.world, theSnapshot(scene.snapshot));
      assert.deepEqual(await driver.probe(theVolume(scene.target), calm().signal), { is: 'present', bytes: 2 * GIB });
      await driver.extendVolume(scene.source, 2, calm());
      assert.deepEqual(await driver.probe(theVolume(scene.source), calm().signal), { is: 'present', bytes: 2 * GIB });
    });

    it('tells the size of an existing snapshot rounded up, keeps its bytes, and lists it as long as it is foreign', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existingSnapshot(scene);
      assert.equal(await driver.manageExistingSnapshotGetSize(scene.ref, scene.snapshot, calm().signal), 1);
      const listed = async () => {
        const all = await driver.listManageable('snapshot', new Set(), calm().signal);
        return all.filter(({ reason }) => reason === null);
      };
      const [offered, ...others] = await listed();
      assert.ok(offered);
      assert.deepEqual(others, []);
      assert.equal(await driver.manageExistingSnapshotGetSize(offered.reference, scene.snapshot, calm().signal), 1);
      await driver.manageExistingSnapshot(scene.snapshot, offered.reference, calm());
      await begins(scene.world, theSnapshot(scene.snapshot));
      assert.deepEqual(await listed(), []);
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
      assert.equal(held.unmanagedAt, null);
      await driver.unmanage(scene.source, null, calm());
      const [given] = await driver.list(calm().signal);
      assert.ok(given?.unmanagedAt);
      await driver.unmanage(scene.source, null, calm());
      assert.deepEqual(await driver.list(calm().signal), [given], 'given back when it first was');
      await driver.manageExisting(next, ref, calm());
      await driver.manageExisting(next, ref, calm());
      assert.equal((await driver.list(calm().signal))[0]?.unmanagedAt, null);
      await holds(scene.world, theVolume(next), GIB, 'source');
      await isGone(scene.world, theVolume(scene.source));
    });

    it('keeps our name when the old one has been taken, and never touches what took it', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      await driver.manageExisting(scene.source, scene.ref, calm());
      await existing(scene, 'another');
      await driver.unmanage(scene.source, scene.ref, calm());
      same(await scene.world.readForeign(scene.ref, BLOCK_BYTES), block('another', 0));
      await begins(scene.world, theVolume(scene.source));
    });

    it('takes back what it gave under our name, and then nobody else can take it over', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      await driver.manageExisting(scene.source, scene.ref, calm());
      await existing(scene, 'another');
      await driver.manageExisting(scene.source, scene.ref, calm());
      const [held] = (await driver.list(calm().signal)).filter(({ owner }) => owner !== null);
      assert.ok(held);
      for (const ref of [scene.ref, null]) {
        await driver.unmanage(scene.source, ref, calm());
        await driver.manageExisting(scene.source, ref, calm());
        await driver.manageExisting(scene.source, null, calm());
        const next = { id: uuid(), sizeGiB: 1 };
        await assert.rejects(
          driver.manageExisting(next, { 'source-name': held.name }, calm()),
          errors.ManageExistingAlreadyManaged,
        );
      }
      same(await scene.world.readForeign(scene.ref, BLOCK_BYTES), block('another', 0));
      await begins(scene.world, theVolume(scene.source));
    });

    it('does not delete what it gave back under our name, neither as a volume nor as a snapshot', async (t) => {
      const scene = await enter(t);
      const { driver } = scene.world;
      await existing(scene);
      await driver.manageExisting(scene.source, scene.ref, calm());
      await driver.unmanage(scene.source, null, calm());
      await driver.deleteVolume(scene.source, calm());
      await begins(scene.world, theVolume(scene.source));
      await existingSnapshot(scene);
      await driver.manageExistingSnapshot(scene.snapshot, scene.ref, calm());
      await driver.unmanageSnapshot(scene.snapshot, null, calm());
      await driver.deleteSnapshot(scene.snapshot, calm());
      await begins(scene.world, theSnapshot(scene.snapshot));
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
      const { fastClone, consistentGroupSnapshot } = world.driver.capabilities;
      assert.deepEqual(
        { fastClone, consistentGroupSnapshot },
        { fastClone: !proof.copies, consistentGroupSnapshot: oneMoment },
      );
      assert.equal(pools[0]?.consistent_group_snapshot_enabled, consistentGroupSnapshot);
    });

    it('refuses snapshots in one moment where it cannot keep it, and makes none', async (t) => {
      if (oneMoment) return t.skip('it can');
      const scene = await enter(t);
      await writtenSource(scene);
      await writtenSource({ ...scene, source: scene.target });
      const asked = scene.world.driver.createGroupSnapshot(together(scene), calm());
      await assert.rejects(asked, errors.ConsistentSnapshotRefused);
      await isGone(scene.world, theSnapshot(scene.snapshot));
      assert.deepEqual(await scene.world.leftovers(), []);
    });

    it('says that the backend is full, leaves nothing, and succeeds when there is room again', async (t) => {
      const faulty = new FaultyExec('before', proof.programs);
      const scene = await enter(t, faulty);
      const { fill, driver } = scene.world;
      if (fill === undefined) return t.skip('this backend cannot be filled in a test');
      await writtenSource(scene);
      await driver.createVolume(scene.target, calm());
      const clone = { id: uuid(), sizeGiB: 1 };
      const dense = { path: images.dense.path, bytes: 24 * MIB };
      const requests: Request[] = [
        ['copyImageToVolume', scene.target, images.dense],
        ['receiveVolume', { id: uuid(), sizeGiB: 1 }, dense, { copies: true }],
      ];
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
      if (proof.copies) await holds(scene.world, theVolume(clone), GIB, 'source');
    });
  });
}

/** What was told, in its order. */
interface Told {
  readonly fraction: number;
  readonly copied: Copied | undefined;
}

function watched(): { readonly seen: readonly Told[]; readonly call: DriverCall } {
  const seen: Told[] = [];
  return { seen, call: { ...calm(), progress: (fraction, copied) => void seen.push({ fraction, copied }) } };
}

/** Of the bytes that there are to be copied, which are fewer than the disk has. */
function tellsHowFar(seen: readonly Told[]): void {
  assert.ok(seen.length > 0);
  for (const { fraction, copied } of seen) {
    assert.ok(fraction >= 0 && fraction <= 1, `${fraction}`);
    assert.ok(copied !== undefined && copied.bytes >= 0 && copied.bytes <= copied.of, JSON.stringify(copied));
    assert.ok(copied.of > 0 && copied.of < GIB / 2, JSON.stringify(copied));
  }
}

function assertFailedWell(outcome: PromiseSettledResult<unknown>, faulty: FaultyExec): void {
  assert.ok(outcome.status === 'rejected', 'the failure of a program was swallowed');
  if (faulty.reason !== undefined) assert.equal(outcome.reason, faulty.reason);
  else assert.ok(outcome.reason instanceof errors.PumiceError, `${outcome.reason}`);
}

async function assertNothingHalfMade(
  { makes, done, replaces }: Operation,
  scene: Scene,
  { leftovers }: { leftovers?: 'allowed' } = {},
): Promise<void> {
  if (makes === undefined) return;
  const probe = await scene.world.driver.probe(makes(scene), calm().signal);
  if (replaces !== undefined) await Promise.any([replaces(scene), done(scene)]);
  else if (probe.is === 'present') await done(scene);
  if (leftovers === undefined) {
    assert.notEqual(probe.is, 'partial');
    assert.deepEqual(await scene.world.leftovers(), [], 'leftovers after a failure');
  }
}

/**
 * Kills the process that does the operation: as soon as the backend shows something half-made of it or, where it may show nothing, at some moment. Then
 * whoever takes its place is told.
 */
async function killInTheMiddle(scene: Scene, operation: Operation): Promise<void> {
  const made = operation.makes?.(scene);
  assert.ok(made);
  const { world } = scene;
  const halfMade = async (): Promise<boolean> => (await world.leftovers()).some((name) => name.includes(made.id));
  for (let attempt = 0; attempt < 5; attempt++) {
    const child = world.elsewhere(operation.request(scene));
    const ended = once(child, 'exit');
    await eventually(async () => child.exitCode !== null || (await halfMade()));
    child.kill('SIGKILL');
    await ended;
    await world.succeed?.();
    if (child.exitCode === null && (await halfMade())) return;
    // It was quicker than we are, which leaves nothing to be seen where all is done in one step.
    if (world.inOneStep?.(operation.request(scene))) return;
    // What it made is taken away, and it begins again.
    assert.equal(child.exitCode ?? 0, 0, 'the other process failed');
    if (made.kind === 'snapshot') for (const each of together(scene)) await world.driver.deleteSnapshot(each, calm());
    else await world.driver.deleteVolume({ id: made.id, sizeGiB: 1 }, calm());
    await operation.prepare(scene);
  }
  assert.fail('never caught in the middle');
}

// A program that outlived its process may make its own temporary once more, until it has noticed.
async function sweptClean({ world }: Scene): Promise<void> {
  await eventually(async () => {
    await world.driver.sweep(new Set(), calm().signal);
    return (await world.leftovers()).length === 0;
  });
}

async function digestOf(content: Content, signal: AbortSignal): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha1');
  let bytes = 0;
  for await (const piece of content.read(signal)) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, digest: hash.digest('hex') };
}

async function digestOfWhole(world: DriverWorld, volume: VolumeRef): Promise<string> {
  const file = await world.backing(volume);
  const hash = createHash('sha1');
  // It closes the file.
  for await (const piece of file.createReadStream()) hash.update(piece);
  return hash.digest('hex');
}

export const isCopy = ([program, verb]: readonly string[]): boolean => program === 'cp' || verb === 'convert';

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
