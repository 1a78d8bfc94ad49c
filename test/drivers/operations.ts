/** Every operation of the driver's contract that changes something: what it wants, the call, what is there afterwards. */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type {
  ExportRef,
  ManageRef,
  ObjectName,
  RawSource,
  SnapshotRef,
  VolumeRef,
  WrittenImage,
} from '../../src/drivers/driver.ts';
import {
  BLOCK_BYTES,
  BLOCKS,
  begins,
  block,
  GIB,
  holds,
  holdsZeroes,
  isGivenBack,
  isGone,
  MANAGED_BYTES,
  MIB,
  same,
} from './content.ts';
import { calm, type DriverWorld, kept, type Request, theImage, theSnapshot, theVolume } from './driver-world.ts';
import type { Images } from './images/images.ts';

/** The things one operation is about. */
export interface Scene {
  readonly world: DriverWorld;
  readonly source: VolumeRef;
  readonly snapshot: SnapshotRef;
  readonly target: VolumeRef;
  readonly images: Images;
  ref: ManageRef;
  /** Where the source is read. */
  located: RawSource;
}

export interface Operation {
  readonly title: string;
  readonly prepare: (scene: Scene) => Promise<void>;
  readonly request: (scene: Scene) => Request;
  readonly done: (scene: Scene) => Promise<void>;
  /** What is absent or whole, never half; none for what is changed in place. */
  readonly makes?: (scene: Scene) => ObjectName;
  /** What it makes is there before, with another content: this one, until it has the new one. */
  readonly replaces?: (scene: Scene) => Promise<void>;
  /** It asks a program again by itself, or another, so that it may succeed although one failed. */
  readonly asksAgain?: boolean;
  /** Long enough to be killed in the middle. */
  readonly slow?: boolean;
  /** Only where a moment of several volumes can be kept; elsewhere it is refused. */
  readonly inOneMoment?: boolean;
}

export const OPERATIONS: readonly Operation[] = [
  {
    title: 'creating a volume',
    prepare: async () => {},
    request: ({ target }) => ['createVolume', target],
    makes: ({ target }) => theVolume(target),
    done: ({ world, target }) => holdsZeroes(world, target),
  },
  {
    title: 'snapshotting a volume',
    prepare: writtenSource,
    request: ({ snapshot }) => ['createSnapshot', snapshot],
    makes: ({ snapshot }) => theSnapshot(snapshot),
    done: ({ world, snapshot }) => holds(world, theSnapshot(snapshot), GIB, 'source'),
    slow: true,
  },
  {
    title: 'snapshotting two volumes in one moment',
    prepare: async (scene) => {
      await writtenSource(scene);
      await writtenSource({ ...scene, source: scene.target });
    },
    request: (scene) => ['createGroupSnapshot', together(scene)],
    makes: ({ snapshot }) => theSnapshot(snapshot),
    done: async (scene) => {
      const [first, second] = together(scene);
      await holds(scene.world, theSnapshot(first), GIB, 'source');
      await holds(scene.world, theSnapshot(second), 2 * GIB, 'source');
    },
    slow: true,
    inOneMoment: true,
  },
  {
    title: 'creating a larger volume from a snapshot',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.createSnapshot(scene.snapshot, calm());
    },
    request: ({ target, snapshot }) => ['createVolumeFromSnapshot', target, snapshot],
    makes: ({ target }) => theVolume(target),
    done: ({ world, target }) => holds(world, theVolume(target), 2 * GIB, 'source'),
    slow: true,
  },
  {
    title: 'cloning a volume into a larger one',
    prepare: writtenSource,
    request: ({ target, source }) => ['createClonedVolume', target, source],
    makes: ({ target }) => theVolume(target),
    done: ({ world, target }) => holds(world, theVolume(target), 2 * GIB, 'source'),
    slow: true,
  },
  {
    title: 'receiving a volume of its own file system',
    prepare: async (scene) => {
      await writtenSource(scene);
      scene.located = await scene.world.driver.locateVolume(scene.source, 'read', calm().signal);
    },
    request: (scene) => ['receiveVolume', received(scene), scene.located, { copies: false }],
    makes: ({ target }) => theVolume(target),
    done: async (scene) => {
      await holds(scene.world, theVolume(scene.target), GIB, 'source');
      await holds(scene.world, theVolume(scene.source), GIB, 'source');
    },
  },
  {
    title: 'receiving a volume of another file system',
    prepare: async () => {},
    request: (scene) => ['receiveVolume', received(scene), rawImage(scene), { copies: false }],
    makes: ({ target }) => theVolume(target),
    done: ({ world, target }) => holds(world, theVolume(target), GIB, 'image'),
    asksAgain: true,
  },
  {
    title: 'receiving a copy of a volume',
    prepare: async () => {},
    request: (scene) => ['receiveVolume', received(scene), rawImage(scene), { copies: true }],
    makes: ({ target }) => theVolume(target),
    done: ({ world, target }) => holds(world, theVolume(target), GIB, 'image'),
    slow: true,
  },
  {
    title: 'copying an image to a volume',
    prepare: async ({ world, target }) => {
      await world.driver.createVolume(target, calm());
      await world.write(target, 2 * GIB - BLOCK_BYTES, block('rubbish', 0));
    },
    request: ({ target, images }) => ['copyImageToVolume', target, images.qcow2],
    makes: ({ target }) => theVolume(target),
    done: ({ world, target }) => holds(world, theVolume(target), 2 * GIB, 'image'),
    replaces: async ({ world, target }) =>
      same(await world.read(theVolume(target), 2 * GIB - BLOCK_BYTES, BLOCK_BYTES), block('rubbish', 0)),
    slow: true,
  },
  {
    title: 'caching an image',
    prepare: async () => {},
    request: ({ target, images }) => ['cacheImage', target.id, images.qcow2, 1],
    makes: ({ target }) => theImage(target.id),
    done: ({ world, target }) => holds(world, theImage(target.id), GIB, 'image'),
    slow: true,
  },
  {
    title: 'creating a larger volume from a cached image',
    prepare: cachedImage,
    request: ({ target, source }) => ['createVolumeFromCachedImage', target, source.id],
    makes: ({ target }) => theVolume(target),
    done: async ({ world, target, source }) => {
      await holds(world, theVolume(target), 2 * GIB, 'image');
      await holds(world, theImage(source.id), GIB, 'image');
    },
    slow: true,
  },
  {
    title: 'dropping a cached image',
    prepare: cachedImage,
    request: ({ source }) => ['dropCachedImage', source.id],
    done: ({ world, source }) => isGone(world, theImage(source.id)),
  },
  {
    title: 'reverting a volume to a snapshot',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.createSnapshot(scene.snapshot, calm());
      await overwrittenSource(scene);
    },
    request: ({ source, snapshot }) => ['revertToSnapshot', source, snapshot],
    makes: ({ source }) => theVolume(source),
    done: ({ world, source }) => holds(world, theVolume(source), GIB, 'source'),
    replaces: isOverwritten,
    slow: true,
  },
  {
    title: 'reimaging a volume',
    prepare: async (scene) => {
      await writtenSource(scene);
      await overwrittenSource(scene);
    },
    request: ({ source, images }) => ['reimageVolume', source, images.qcow2],
    makes: ({ source }) => theVolume(source),
    done: ({ world, source }) => holds(world, theVolume(source), GIB, 'image'),
    replaces: isOverwritten,
    slow: true,
  },
  {
    title: 'copying a volume to an image',
    prepare: writtenSource,
    request: (scene) => ['copyVolumeToImage', scene.source, written(scene, 'qcow2')],
    done: async (scene) => {
      const { driver } = scene.world;
      await driver.createVolume(scene.target, calm());
      await driver.copyImageToVolume(scene.target, written(scene, 'qcow2'), calm());
      await holds(scene.world, theVolume(scene.target), 2 * GIB, 'source');
    },
  },
  {
    title: 'deleting a volume',
    prepare: writtenSource,
    request: ({ source }) => ['deleteVolume', source],
    done: ({ world, source }) => isGone(world, theVolume(source)),
  },
  {
    title: 'deleting a snapshot',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.createSnapshot(scene.snapshot, calm());
    },
    request: ({ snapshot }) => ['deleteSnapshot', snapshot],
    done: ({ world, snapshot }) => isGone(world, theSnapshot(snapshot)),
  },
  {
    title: 'keeping for a backup what a volume holds',
    prepare: writtenSource,
    request: ({ source, snapshot }) => ['keepForBackup', snapshot.id, { volume: source }],
    makes: ({ snapshot, source }) => kept(snapshot.id, source),
    done: ({ world, snapshot, source }) => holds(world, kept(snapshot.id, source), GIB, 'source'),
    slow: true,
  },
  {
    title: 'keeping for a backup what a snapshot holds',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.createSnapshot(scene.snapshot, calm());
      await overwrittenSource(scene);
    },
    request: ({ target, snapshot }) => ['keepForBackup', target.id, { snapshot }],
    makes: ({ target, source }) => kept(target.id, source),
    done: ({ world, target, source }) => holds(world, kept(target.id, source), GIB, 'source'),
    slow: true,
  },
  {
    title: 'dropping what was kept for a backup',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.keepForBackup(scene.snapshot.id, { volume: scene.source }, calm());
    },
    request: ({ snapshot, source }) => ['dropForBackup', snapshot.id, source],
    done: ({ world, snapshot, source }) => isGone(world, kept(snapshot.id, source)),
  },
  {
    title: 'extending a volume',
    prepare: writtenSource,
    request: ({ source }) => ['extendVolume', source, 3],
    done: ({ world, source }) => holds(world, theVolume(source), 3 * GIB, 'source'),
  },
  {
    title: 'managing an existing object as a volume',
    prepare: existing,
    request: ({ source, ref }) => ['manageExisting', source, ref],
    done: ({ world, source }) => begins(world, theVolume(source)),
  },
  {
    title: 'managing an existing object as a snapshot',
    prepare: existingSnapshot,
    request: ({ snapshot, ref }) => ['manageExistingSnapshot', snapshot, ref],
    done: ({ world, snapshot }) => begins(world, theSnapshot(snapshot)),
  },
  {
    title: 'giving a managed volume back',
    prepare: async (scene) => {
      await existing(scene);
      await scene.world.driver.manageExisting(scene.source, scene.ref, calm());
    },
    request: ({ source, ref }) => ['unmanage', source, ref],
    done: ({ world, source, ref }) => isGivenBack(world, theVolume(source), ref),
  },
  {
    title: 'giving a managed snapshot back',
    prepare: async (scene) => {
      await existingSnapshot(scene);
      await scene.world.driver.manageExistingSnapshot(scene.snapshot, scene.ref, calm());
    },
    request: ({ snapshot, ref }) => ['unmanageSnapshot', snapshot, ref],
    done: ({ world, snapshot, ref }) => isGivenBack(world, theSnapshot(snapshot), ref),
  },
];

/** Of a backend that can be reached from elsewhere, or from this machine. */
export const EXPORT_OPERATIONS: readonly Operation[] = [
  {
    title: 'opening a volume to an attachment',
    prepare: writtenSource,
    request: (scene) => ['ensureExport', exportOf(scene)],
    done: (scene) => isExported(scene, true),
    asksAgain: true,
  },
  {
    title: 'closing a volume to an attachment',
    prepare: async (scene) => {
      await writtenSource(scene);
      await scene.world.driver.ensureExport(exportOf(scene), calm());
      await scene.world.driver.ensureExport({ ...exportOf(scene), attachmentId: scene.snapshot.id }, calm());
    },
    request: (scene) => ['removeExport', exportOf(scene)],
    done: async (scene) => {
      await isExported(scene, false);
      const others = await scene.world.driver.listExports(calm().signal);
      assert.deepEqual(others, [{ attachmentId: scene.snapshot.id }]);
    },
  },
];

/** Of the source and the target. An id of the scene serves as well as any. */
export const together = ({ source, target, snapshot }: Scene): readonly [SnapshotRef, SnapshotRef] => [
  snapshot,
  { id: source.id, volumeId: target.id, sizeGiB: 2 },
];

/** An id of the scene serves as well as any. */
async function cachedImage({ world, source, images }: Scene): Promise<void> {
  await world.driver.cacheImage(source.id, images.qcow2, 1, calm());
}

/** An id of the scene serves as well as any. */
const exportOf = ({ source, target }: Scene): ExportRef => ({
  attachmentId: target.id,
  volume: source,
  connector: { host: hostname(), initiator: 'iqn.2004-10.test:initiator' },
  readOnly: false,
  secret: 'abcdefghijklmnop',
});

async function isExported(scene: Scene, expected: boolean): Promise<void> {
  const { attachmentId } = exportOf(scene);
  const exported = await scene.world.driver.listExports(calm().signal);
  assert.equal(
    exported.some((each) => each.attachmentId === attachmentId),
    expected,
  );
  await holds(scene.world, theVolume(scene.source), GIB, 'source');
}

/** As large as what it comes from. */
const received = ({ target }: Scene): VolumeRef => ({ ...target, sizeGiB: 1 });

/** A raw image is as good as a volume of another backend. */
const rawImage = ({ images }: Scene): RawSource => ({ path: images.raw.path, bytes: GIB });

export async function writtenSource({ world, source }: Pick<Scene, 'world' | 'source'>): Promise<void> {
  await world.driver.createVolume(source, calm());
  for (const at of BLOCKS) await world.write(source, at, block('source', at));
}

export const written = ({ images, source }: Scene, format: WrittenImage['format']): WrittenImage => ({
  path: join(images.directory, `${source.id}.${format}`),
  format,
});

/** Where the source has no data, and where it has some. */
export const OVERWRITTEN = [300 * MIB, 700 * MIB];

export async function overwrittenSource({ world, source }: Pick<Scene, 'world' | 'source'>): Promise<void> {
  for (const at of OVERWRITTEN) await world.write(source, at, block('later', at));
}

export async function isOverwritten({ world, source }: Scene): Promise<void> {
  for (const at of OVERWRITTEN) same(await world.read(theVolume(source), at, BLOCK_BYTES), block('later', at));
  same(await world.read(theVolume(source), 3 * 4096, BLOCK_BYTES), block('source', 3 * 4096));
}

export async function existing(scene: Scene, content = 'foreign'): Promise<void> {
  scene.ref = await scene.world.foreign('left-by-an-operator', MANAGED_BYTES, block(content, 0));
}

/** Of the source, where a snapshot is one of a volume. */
export async function existingSnapshot(scene: Scene): Promise<void> {
  const { world, source } = scene;
  scene.ref = await world.foreignSnapshot(source, 'left-by-an-operator', MANAGED_BYTES, block('foreign', 0));
}
