/**
 * Volumes as images of a Ceph pool, of which every process that names the pool may serve any.
 *
 * The names are Cinder's: `volume-<id>`, its snapshots `volume-<id>@snapshot-<id>`. Cached images are `cached-image-<id>`, what a backup is read
 * from is `backup-<id>`, a clone of a snapshot of that name. A snapshot is a part of its image and goes where that goes; clones share what
 * they come from, for as long as they live, and nothing is copied to delete that: it waits in the trash (`rbd_operations.py`).
 *
 * Whoever reads or writes bytes on this machine has the image as a file (`image-files.ts`), clients have it from the cluster (`connection.ts`).
 * How it stands what dies is told in `rbd-client.ts` (the helper) and `rbd_operations.py` (each operation).
 */
import { GIB, inGiB } from '../../lib/bytes.ts';
import { now, pause } from '../../lib/clock.ts';
import { dataExtents } from '../../lib/data-extents.ts';
import type { Exec } from '../../lib/exec.ts';
import { type Content, contentOfFile } from '../../lib/file-content.ts';
import type { ConnectionInfo } from '../../model/attachment.ts';
import type { PoolStats } from '../../model/backend.ts';
import {
  BackendFull,
  DriverFailed,
  DriverNotInitialized,
  ImageTooBig,
  InvalidInput,
  LiveMoveRefused,
  ManageExistingInvalidReference,
} from '../../model/errors.ts';
import type {
  BackendObject,
  BackupBase,
  BackupOrigin,
  ClosedExport,
  CopyHow,
  DriverCall,
  DriverCapabilities,
  Exported,
  ExportRef,
  ImageAtRest,
  ImageFile,
  ManageableObject,
  ManageRef,
  ModelUpdate,
  ObjectName,
  Probe,
  RawSource,
  SnapshotName,
  SnapshotRef,
  VolumeDriver,
  VolumeName,
  VolumeRef,
  WrittenImage,
} from '../driver.ts';
import { Names, temporary } from '../file/names.ts';
import { HostCopies } from '../host-copies.ts';
import type { ImageFacts } from '../images/read-image.ts';
import { poolReport, roundedGiB } from '../pool-report.ts';
import { CONVERSION_LIMITS, type ConversionLimits, inspect } from '../qemu-img.ts';
import type { OpenedSource, RemoteSource } from '../remote-source.ts';
import { writeImage } from '../write-image.ts';
import { clientsOf, connectionInfo, type ExportNote, noteOf } from './connection.ts';
import { convertInto } from './convert.ts';
import type { RbdAddress } from './helper-process.ts';
import { ImageFiles } from './image-files.ts';
import { limitOptions } from './image-limits.ts';
import { manageableBytes, manageableImages, manageableSnapshots, type PoolListing, sourceName } from './manageable.ts';
import type { Rbd, RbdOrder } from './rbd.ts';
import { inPool } from './rbd-errors.ts';

export interface RbdDriverOptions {
  /** The backend's name; also the pool's in reports, as with Cinder. */
  readonly name: string;
  readonly address: RbdAddress;
  readonly rbd: Rbd;
  readonly exec: Exec;
  /** For files that images are opened as, of this backend alone. */
  readonly directory: string;
  /** Under which name this process can be fenced: one that no other has at the same time. */
  readonly who: string;
  /** Libvirt's, of the user's key. Default: the id of the cluster. */
  readonly secretUuid?: string;
  /** A volume that reads through more images than so many is flattened in the background. Default 5; 0: never. */
  readonly maxCloneDepth?: number;
  readonly reservedPercentage?: number;
  readonly maxOverSubscriptionRatio?: number | 'auto';
  /** Default true. */
  readonly discard?: boolean;
  readonly volumeNameTemplate?: string;
  readonly snapshotNameTemplate?: string;
  readonly copies?: HostCopies;
  readonly conversion?: ConversionLimits;
  /** Of its exec, which starts programs that end; `files` are held by daemons. Default: the same. */
  readonly daemons?: Exec;
}

interface Look {
  readonly is: 'absent' | 'half' | 'stale' | 'whole';
  readonly bytes: number;
  readonly watchers: readonly string[];
  readonly snapshots: readonly { readonly name: string; readonly bytes: number }[];
}

interface PoolReport {
  readonly stored: number;
  readonly maxAvail: number;
  readonly quota: number;
  readonly provisioned: number;
  readonly trashed: number;
  readonly images: number;
}

/** In which a client that has been told to close an image closes it. */
const CLOSING_MS = 5_000;
/** What is taken away when a call has failed; longer than any of it takes while the cluster answers. */
const TIDY_MS = 60_000;
/** Ceph's first release in which clones need no protected snapshots is the thirteenth. */
const MIMIC = 'm';

export class RbdDriver implements VolumeDriver {
  readonly servedBy: VolumeDriver['servedBy'] = 'many';
  readonly #options: RbdDriverOptions;
  readonly #names: Names;
  readonly #copies: HostCopies;
  readonly #files: ImageFiles;
  #fsid = '';
  #released: Promise<unknown> = Promise.resolve();
  /** While this process serves the backend. */
  #serving: AbortController | undefined;
  #isTidying = false;

  constructor(options: RbdDriverOptions) {
    this.#options = options;
    this.#copies = options.copies ?? new HostCopies();
    this.#names = new Names({
      volume: options.volumeNameTemplate ?? 'volume-%s',
      snapshot: options.snapshotNameTemplate ?? 'snapshot-%s',
    });
    this.#files = new ImageFiles(options.daemons ?? options.exec, options.address, options.directory);
  }

  get capabilities(): DriverCapabilities {
    return {
      vendorName: 'Pumice',
      driverVersion: '1.0',
      storageProtocol: 'ceph',
      fastClone: true,
      onlineExtend: true,
      consistentGroupSnapshot: true,
      backupBases: true,
      imageSchemes: ['rbd'],
    };
  }

  start(signal: AbortSignal): Promise<void> {
    const { name, rbd } = this.#options;
    return inPool(`start backend ${name}`, signal, async () => {
      try {
        const { fsid } = await rbd.start(signal);
        this.#fsid = fsid;
        const { minCompatClient } = await this.#ask<{ minCompatClient: string }>({ op: 'facts' }, { signal });
        if (minCompatClient < MIMIC)
          throw new DriverNotInitialized(
            `Clones would need protected snapshots in this cluster: "ceph osd set-require-min-compat-client mimic" ends that (it says ${minCompatClient}).`,
          );
        await this.#files.start(signal);
      } catch (error) {
        if (error instanceof DriverNotInitialized || signal.aborted) throw error;
        const why = error instanceof Error ? error.message : String(error);
        throw new DriverNotInitialized(`Backend ${name} could not be started: ${why}`, { cause: error });
      }
    });
  }

  /** Nobody is kept off. From here on whoever was called as this process does nothing any more. */
  hold(signal: AbortSignal): Promise<boolean> {
    return inPool(`enter the pool of ${this.#options.name}`, signal, async () => {
      await this.#options.rbd.enter(this.#options.who, signal);
      this.#serving ??= new AbortController();
      return true;
    });
  }

  release(): void {
    this.#serving?.abort(new Error('The backend is served no more.'));
    this.#serving = undefined;
    this.#released = Promise.all([this.#files.closeAll(), this.#options.rbd.stop()]);
  }

  get isSilent(): boolean {
    return this.#options.rbd.isSilent;
  }

  leave(): void {
    // What cannot be taken away now, the next start takes away.
    this.#files.closeAll().catch(() => {});
  }

  processes(signal: AbortSignal): Promise<readonly string[]> {
    return inPool(`ask who serves ${this.#options.name}`, signal, async () =>
      Object.keys(await this.#ask<Record<string, string>>({ op: 'helpers' }, { signal })),
    );
  }

  /** Programs of that process end with it; of one that is frozen they are fenced where they are met. */
  fence(process: string, signal: AbortSignal): Promise<void> {
    return inPool(`fence ${process}`, signal, () => this.#ask({ op: 'expel', args: { who: process } }, { signal }));
  }

  /** Resolves when all that `release` has ended is gone. */
  async closed(): Promise<void> {
    await this.#released;
  }

  stats(signal: AbortSignal): Promise<readonly PoolStats[]> {
    return inPool('report on the backend', signal, async () => {
      const { name, reservedPercentage, maxOverSubscriptionRatio } = this.#options;
      const report = await this.#report(signal);
      const freeBytes = freeOf(report);
      this.#tidyUp(report.trashed > 0);
      return [
        {
          ...poolReport({
            poolName: name,
            backendName: name,
            capabilities: this.capabilities,
            totalBytes: freeBytes + report.stored,
            ...{ freeBytes, reservedPercentage, maxOverSubscriptionRatio },
          }),
          // Also of what is in the trash, which takes room until its last clone is gone.
          provisioned_capacity_gb: roundedGiB(report.provisioned + report.trashed),
          location_info: this.#locationInfo,
        },
      ];
    });
  }

  createVolume(volume: VolumeRef, call: DriverCall): Promise<ModelUpdate> {
    const name = this.#volume(volume);
    return inPool(`create volume ${volume.id}`, call.signal, async () => {
      await this.#ask({ op: 'create', args: { name, size: volume.sizeGiB * GIB }, about: [name] }, call);
      return {};
    });
  }

  createVolumeFromSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: DriverCall): Promise<ModelUpdate> {
    const doing = `create volume ${volume.id} from snapshot ${snapshot.id}`;
    return inPool(doing, call.signal, async () => {
      atLeast(volume, snapshot.sizeGiB, `snapshot ${snapshot.id}`);
      const [parent, name] = [this.#imageOf(snapshot), this.#volume(volume)];
      const size = { size: volume.sizeGiB * GIB, parent_bytes: snapshot.sizeGiB * GIB };
      const args = {
        parent,
        snapshot: this.#snapshot(snapshot),
        name,
        temporary: temporary(name),
        ...size,
        deepest: this.#deepest,
      };
      await this.#ask({ op: 'clone', args, about: [name] }, call);
      return {};
    });
  }

  createClonedVolume(volume: VolumeRef, source: VolumeRef, call: DriverCall): Promise<ModelUpdate> {
    const doing = `create volume ${volume.id} from volume ${source.id}`;
    return inPool(doing, call.signal, async () => {
      atLeast(volume, source.sizeGiB, `volume ${source.id}`);
      const [from, name] = [this.#volume(source), this.#volume(volume)];
      const sizes = { source_bytes: source.sizeGiB * GIB, size: volume.sizeGiB * GIB };
      const args = {
        source: from,
        helper: `.tmp-for-${name}`,
        name,
        temporary: temporary(name),
        ...sizes,
        deepest: this.#deepest,
      };
      await this.#ask({ op: 'clone_volume', args, about: [from, name] }, call);
      return {};
    });
  }

  locateVolume(volume: VolumeRef, access: 'read' | 'write', signal: AbortSignal): Promise<RawSource> {
    return inPool(`locate volume ${volume.id}`, signal, () =>
      this.#locate(this.#volume(volume), volume.sizeGiB, access, signal),
    );
  }

  closeVolume(volume: VolumeName, signal: AbortSignal): Promise<void> {
    return inPool(`close volume ${volume.id}`, signal, () => this.#files.closeAllOf(this.#volume(volume)));
  }

  async openVolume(): Promise<RemoteSource> {
    throw new DriverFailed(
      `Volumes of ${this.#options.name} are read from the cluster by those who have its key alone.`,
    );
  }

  receiveVolume(
    volume: VolumeRef,
    source: RawSource | OpenedSource,
    _how: CopyHow,
    call: DriverCall,
  ): Promise<ModelUpdate> {
    return inPool(`receive volume ${volume.id}`, call.signal, async () => {
      if (!('path' in source))
        throw new DriverFailed('A volume that another machine has opened cannot be received into a Ceph pool.');
      const { path, bytes } = source;
      const name = this.#volume(volume);
      const image: ImageFile = { path, format: 'raw' };
      const extents = (await dataExtents(this.#options.exec, path, call.signal)) ?? [{ at: 0, bytes }];
      const dataBytes = extents.reduce((sum, extent) => sum + extent.bytes, 0);
      await this.#makeFull({ name, bytes, image, facts: { virtualBytes: bytes, allocatedBytes: dataBytes } }, call);
      return {};
    });
  }

  async giveLive(): Promise<never> {
    throw new LiveMoveRefused('A volume in a Ceph pool cannot move while it is attached: detach it first.');
  }

  async receiveLive(): Promise<never> {
    throw new LiveMoveRefused('A volume cannot move into a Ceph pool while it is attached: detach it first.');
  }

  async goOn(): Promise<void> {}

  /** A raw image of the same cluster, in whichever pool this backend's user may read. */
  cloneImage(
    volume: VolumeRef,
    image: ImageAtRest,
    call: DriverCall,
  ): Promise<{ readonly cloned: boolean; readonly model: ModelUpdate }> {
    return inPool(`clone an image into volume ${volume.id}`, call.signal, async () => {
      const nothing = { cloned: false, model: {} };
      const place =
        image.format === 'raw' ? image.locations.map(placeOf).find((each) => each?.fsid === this.#fsid) : null;
      if (!place) return nothing;
      const name = this.#volume(volume);
      const parent = { parent: place.image, snapshot: place.snapshot, parent_pool: place.pool };
      const args = { ...parent, name, size: volume.sizeGiB * GIB, temporary: temporary(name) };
      try {
        await this.#ask({ op: 'clone', args, about: [name] }, call);
      } catch (error) {
        // Not there any more, or not for this user: it is fetched then. What has failed for another reason fails again.
        if (isOf(error, ['missing'], [1, 2, 13])) return nothing;
        if (isOf(error, ['too_big'], []))
          throw new ImageTooBig(`The image does not fit volume ${volume.id} of ${volume.sizeGiB} GiB.`, {
            cause: error,
          });
        throw error;
      }
      return { cloned: true, model: {} };
    });
  }

  copyImageToVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void> {
    return inPool(`copy an image to volume ${volume.id}`, call.signal, async () => {
      const name = this.#volume(volume);
      await this.#demand(name, volume.sizeGiB, call.signal);
      const facts = await inspect(
        this.#options.exec,
        image,
        call.signal,
        fitting(`volume ${volume.id}`, volume.sizeGiB),
      );
      await this.#demandRoom(facts, image, call);
      const size = volume.sizeGiB * GIB;
      try {
        await this.#ask({ op: 'begin_exchange', args: { name, size }, about: [name] }, call);
        await this.#convert(name, image, facts, call);
        await this.#ask({ op: 'end_exchange', args: { name }, about: [name] }, call);
      } catch (error) {
        await this.#tidy({ op: 'settle', args: { name }, about: [name] });
        throw error;
      }
    });
  }

  cacheImage(id: string, image: ImageFile, mostGiB: number, call: DriverCall): Promise<void> {
    return inPool(`cache image ${id}`, call.signal, async () => {
      const name = this.#names.of('image', id);
      if ((await this.#look(name, call.signal)).is === 'whole') return;
      const facts = await inspect(this.#options.exec, image, call.signal, fitting('a cached image', mostGiB));
      const bytes = inGiB(facts.virtualBytes) * GIB;
      await this.#makeFull({ name, bytes, image, facts, publish: 'keep_image' }, call);
    });
  }

  createVolumeFromCachedImage(
    volume: VolumeRef,
    id: string,
    call: DriverCall,
  ): Promise<{ readonly made: boolean; readonly model: ModelUpdate }> {
    return inPool(`create volume ${volume.id} from a cached image`, call.signal, async () => {
      const [cached, name] = [this.#names.of('image', id), this.#volume(volume)];
      const args = { parent: cached, snapshot: 'base', name, size: volume.sizeGiB * GIB, temporary: temporary(name) };
      try {
        await this.#ask({ op: 'clone', args, about: [name] }, call);
      } catch (error) {
        if (isOf(error, ['missing', 'too_big'], [])) return { made: false, model: {} };
        throw error;
      }
      return { made: true, model: {} };
    });
  }

  dropCachedImage(id: string, call: DriverCall): Promise<void> {
    const name = this.#names.of('image', id);
    return inPool(`drop cached image ${id}`, call.signal, () =>
      this.#ask({ op: 'drop_image', args: { name }, about: [name] }, call),
    );
  }

  deleteVolume(volume: VolumeRef, call: DriverCall): Promise<void> {
    const name = this.#volume(volume);
    return inPool(`delete volume ${volume.id}`, call.signal, async () => {
      await this.#files.close(name);
      await this.#ask({ op: 'delete', args: { name }, about: [name], long: true }, call);
    });
  }

  extendVolume(volume: VolumeRef, newSizeGiB: number, call: DriverCall): Promise<void> {
    const name = this.#volume(volume);
    return inPool(`extend volume ${volume.id}`, call.signal, () =>
      this.#ask({ op: 'extend', args: { name, size: newSizeGiB * GIB }, about: [name] }, call),
    );
  }

  revertToSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: DriverCall): Promise<void> {
    const doing = `revert volume ${volume.id} to snapshot ${snapshot.id}`;
    return inPool(doing, call.signal, async () => {
      if (volume.sizeGiB < snapshot.sizeGiB)
        throw new InvalidInput(`Volume ${volume.id} is smaller than snapshot ${snapshot.id}.`);
      const name = this.#volume(volume);
      await this.#files.close(name);
      const sizes = { size: volume.sizeGiB * GIB, snapshot_bytes: snapshot.sizeGiB * GIB };
      const args = { name, snapshot: this.#snapshot(snapshot), ...sizes };
      await this.#ask({ op: 'revert', args, about: [name], long: true }, call);
    });
  }

  /** The copy is begun on a blank image, and holes of the new one stay holes. */
  reimageVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void> {
    return this.copyImageToVolume(volume, image, call);
  }

  async readVolume(volume: VolumeRef, signal: AbortSignal): Promise<Content> {
    const name = this.#volume(volume);
    const { path, bytes } = await this.locateVolume(volume, 'read', signal);
    const doing = `read volume ${volume.id}`;
    try {
      const extents = await inPool(doing, signal, () => dataExtents(this.#options.exec, path, signal));
      return { bytes, read: (reading) => this.#reading(name, (open) => contentOfFile(open, bytes, extents), reading) };
    } finally {
      await this.#files.close(name);
    }
  }

  copyVolumeToImage(volume: VolumeRef, image: WrittenImage, call: DriverCall): Promise<void> {
    return inPool(`copy volume ${volume.id} to an image`, call.signal, async () => {
      const name = this.#volume(volume);
      const source = await this.#locate(name, volume.sizeGiB, 'read', call.signal);
      try {
        const writing = { limits: this.#conversion, copies: this.#copies };
        await writeImage(this.#options.exec, source, image, writing, call);
      } finally {
        await this.#files.close(name);
      }
    });
  }

  createSnapshot(snapshot: SnapshotRef, call: DriverCall): Promise<ModelUpdate> {
    return inPool(`create snapshot ${snapshot.id}`, call.signal, async () => {
      const name = this.#imageOf(snapshot);
      const args = { name, snapshot: this.#snapshot(snapshot), size: snapshot.sizeGiB * GIB };
      await this.#ask({ op: 'create_snapshot', args, about: [name] }, call);
      return {};
    });
  }

  /** Who has them open waits meanwhile, as long as one snapshot takes (`one_moment.py`). */
  createGroupSnapshot(snapshots: readonly SnapshotRef[], call: DriverCall): Promise<readonly ModelUpdate[]> {
    const ids = snapshots.map(({ id }) => id);
    return inPool(`create snapshots ${ids.join(', ')} in one moment`, call.signal, async () => {
      const members = snapshots.map((each) => {
        const snapshot = this.#snapshot(each);
        return { name: this.#imageOf(each), snapshot, temporary: temporary(snapshot), size: each.sizeGiB * GIB };
      });
      const about = members.map(({ name }) => name);
      // The first of them, in whichever order they come, tells of all.
      const args = { members: members.toSorted((a, b) => (a.snapshot < b.snapshot ? -1 : 1)) };
      await this.#ask({ op: 'create_moment', args, about }, call);
      return snapshots.map(() => ({}));
    });
  }

  deleteSnapshot(snapshot: SnapshotRef, call: DriverCall): Promise<void> {
    const name = this.#imageOf(snapshot);
    return inPool(`delete snapshot ${snapshot.id}`, call.signal, () =>
      this.#ask({ op: 'delete_snapshot', args: { name, snapshot: this.#snapshot(snapshot) }, about: [name] }, call),
    );
  }

  keepForBackup(backupId: string, of: BackupOrigin, call: DriverCall): Promise<RawSource> {
    return inPool(`keep what backup ${backupId} is made from`, call.signal, async () => {
      const kept = this.#names.of('backup', backupId);
      const name = 'volume' in of ? this.#volume(of.volume) : this.#imageOf(of.snapshot);
      const size = ('volume' in of ? of.volume : of.snapshot).sizeGiB * GIB;
      const parent = { of: 'volume' in of ? null : this.#snapshot(of.snapshot), snapshot: kept };
      const args = { name, kept, ...parent, size, source_bytes: size, temporary: temporary(kept) };
      await this.#ask({ op: 'keep_for_backup', args, about: [name, kept] }, call);
      return { path: await this.#files.open(kept, 'read', call.signal, name), bytes: size };
    });
  }

  changedSince(volume: VolumeName, earlierId: string, backupId: string, call: DriverCall): Promise<BackupBase | null> {
    const doing = `compare what is kept for backup ${backupId} with that for ${earlierId}`;
    return inPool(doing, call.signal, async () => {
      const [earlier, later] = [this.#names.of('backup', earlierId), this.#names.of('backup', backupId)];
      const there = await this.#look(earlier, call.signal);
      if (there.is !== 'whole') return null;
      try {
        const order = { op: 'changed', args: { earlier, later }, about: [earlier, later] };
        const changed = await this.#ask<[number, number][] | null>(order, call);
        const path = await this.#files.open(earlier, 'read', call.signal, this.#volume(volume));
        return { path, bytes: there.bytes, changed: changed?.map(([at, bytes]) => ({ at, bytes })) ?? null };
      } catch (error) {
        // It may be dropped at any time.
        if ((await this.#look(earlier, call.signal)).is === 'whole') throw error;
        return null;
      }
    });
  }

  dropForBackup(backupId: string, volume: VolumeName, call: DriverCall): Promise<void> {
    return inPool(`drop what backup ${backupId} was made from`, call.signal, async () => {
      const [name, kept] = [this.#volume(volume), this.#names.of('backup', backupId)];
      await this.#files.close(kept);
      await this.#ask({ op: 'drop_for_backup', args: { name, snapshot: kept, kept }, about: [name, kept] }, call);
    });
  }

  ensureExport(wanted: ExportRef, call: DriverCall): Promise<ConnectionInfo> {
    const { volume, attachmentId, connector, limits } = wanted;
    return inPool(`export volume ${volume.id}`, call.signal, async () => {
      const name = this.#volume(volume);
      const note = noteOf(name, connector);
      const args = { name, attachment: attachmentId, note, limits: limits && limitOptions(await limits()) };
      await this.#ask({ op: 'open_to', args, about: [name] }, call);
      const monitors = await this.#ask<string[]>({ op: 'monitors' }, call);
      const secretUuid = this.#options.secretUuid ?? this.#fsid;
      const { discard = true } = this.#options;
      return connectionInfo(wanted, name, this.#options.address, { monitors, secretUuid, discard });
    });
  }

  /** A client that has let go is not looked for. One that has not is fenced when it can be told whose it is. */
  removeExport(closed: ClosedExport, call: DriverCall): Promise<void> {
    const { attachmentId, volume, connector = {} } = closed;
    return inPool(`remove the export of attachment ${attachmentId}`, call.signal, async () => {
      const notes = await this.#ask<Record<string, ExportNote>>({ op: 'exports' }, call);
      const note = notes[attachmentId] ?? (volume && noteOf(this.#volume(volume), connector));
      if (note !== undefined) {
        const others = Object.entries(notes).filter(([id, { image }]) => id !== attachmentId && image === note.image);
        await this.#shutOut(
          note,
          others.map(([, other]) => other),
          call,
        );
      }
      await this.#ask({ op: 'close_to', args: { attachment: attachmentId } }, call);
    });
  }

  listExports(signal: AbortSignal): Promise<readonly Exported[]> {
    return inPool('list exports', signal, async () =>
      Object.keys(await this.#ask<Record<string, ExportNote>>({ op: 'exports' }, { signal })).map((attachmentId) => ({
        attachmentId,
      })),
    );
  }

  manageExistingGetSize(ref: ManageRef, signal: AbortSignal): Promise<number> {
    return inPool('look at what is to be managed', signal, async () =>
      inGiB(await this.#manageableBytes(sourceName(ref), signal)),
    );
  }

  manageExisting(volume: VolumeRef, ref: ManageRef | null, call: DriverCall): Promise<ModelUpdate> {
    return inPool(`manage volume ${volume.id}`, call.signal, async () => {
      const name = this.#volume(volume);
      const old = ref === null ? name : sourceName(ref);
      if ((await this.#look(name, call.signal)).is !== 'whole') await this.#manageableBytes(old, call.signal);
      const args = { old, name, size: volume.sizeGiB * GIB };
      await this.#ask({ op: 'take_over', args, about: [old, name] }, call);
      return {};
    });
  }

  unmanage(volume: VolumeRef, ref: ManageRef | null, call: DriverCall): Promise<void> {
    return inPool(`unmanage volume ${volume.id}`, call.signal, async () => {
      const name = this.#volume(volume);
      const wanted = ref === null ? name : sourceName(ref);
      const old = this.#names.owner(wanted) === null ? wanted : name;
      await this.#files.close(name);
      await this.#ask({ op: 'give_back', args: { name, old, now: now() }, about: [old, name] }, call);
    });
  }

  manageExistingSnapshotGetSize(ref: ManageRef, snapshot: SnapshotName, signal: AbortSignal): Promise<number> {
    return inPool('look at what is to be managed', signal, async () => {
      const image = this.#imageOf(snapshot);
      return inGiB(await this.#manageableSnapshot(image, sourceName(ref, image), signal));
    });
  }

  manageExistingSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, call: DriverCall): Promise<ModelUpdate> {
    return inPool(`manage snapshot ${snapshot.id}`, call.signal, async () => {
      const [name, full] = [this.#imageOf(snapshot), this.#snapshot(snapshot)];
      const old = ref === null ? full : sourceName(ref, name);
      const there = await this.#look(name, call.signal);
      if (!there.snapshots?.some((each) => each.name === full)) await this.#manageableSnapshot(name, old, call.signal);
      const args = { name, old, snapshot: full, size: snapshot.sizeGiB * GIB };
      await this.#ask({ op: 'take_over_snapshot', args, about: [name] }, call);
      return {};
    });
  }

  unmanageSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, call: DriverCall): Promise<void> {
    return inPool(`unmanage snapshot ${snapshot.id}`, call.signal, async () => {
      const [name, full] = [this.#imageOf(snapshot), this.#snapshot(snapshot)];
      const wanted = ref === null ? full : sourceName(ref, name);
      const old = this.#names.owner(wanted) === null ? wanted : full;
      await this.#ask(
        { op: 'give_back_snapshot', args: { name, snapshot: full, old, now: now() }, about: [name] },
        call,
      );
    });
  }

  listManageable(
    kind: 'volume' | 'snapshot',
    known: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly ManageableObject[]> {
    return inPool('list what could be managed', signal, async () => {
      const listing = await this.#ask<PoolListing>({ op: 'list' }, { signal });
      if (kind === 'snapshot') return manageableSnapshots(listing, this.#names, known);
      const watchersOf = (name: string) => this.#ask<string[]>({ op: 'watchers', args: { name } }, { signal });
      return await manageableImages(listing, this.#names, known, watchersOf);
    });
  }

  probe(object: ObjectName, signal: AbortSignal): Promise<Probe> {
    return inPool(`look for ${object.kind} ${object.id}`, signal, () => {
      const isPart = object.kind === 'snapshot';
      const name = isPart ? this.#imageOf(object) : this.#nameOf(object);
      const args = { name, ...(isPart && { snapshot: this.#snapshot(object) }) };
      return this.#ask<Probe>({ op: 'probe', args, about: [name] }, { signal });
    });
  }

  list(signal: AbortSignal): Promise<readonly BackendObject[]> {
    return inPool('list the backend', signal, async () => {
      const { images, unmanaged } = await this.#ask<PoolListing>({ op: 'list' }, { signal });
      const objects: BackendObject[] = [];
      const add = (name: string, own: string, bytes: number): void => {
        objects.push({ name, bytes, owner: this.#names.owner(own), unmanagedAt: unmanaged[name] ?? null });
      };
      for (const image of images) {
        if (image.name.startsWith('.')) continue;
        add(image.name, image.name, image.bytes ?? 0);
        for (const { name, bytes } of image.snapshots)
          if (this.#names.owner(name)?.kind === 'snapshot') add(`${image.name}@${name}`, name, bytes);
      }
      return objects;
    });
  }

  sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<readonly string[]> {
    return inPool('sweep the backend', signal, () =>
      this.#ask<string[]>({ op: 'sweep', args: { busy: [...busy] }, long: true }, { signal }),
    );
  }

  /** Of the cluster: never the answer to a request of another backend. */
  get #locationInfo(): string {
    const { cluster, conf, user, pool } = this.#options.address;
    return `${cluster}:${conf}:${this.#fsid}:${user}:${pool}`;
  }

  get #conversion(): ConversionLimits {
    return this.#options.conversion ?? CONVERSION_LIMITS;
  }

  get #deepest(): number {
    return this.#options.maxCloneDepth ?? 5;
  }

  /** In the background: what was deleted with clones and has none any more goes, and what reads through too many images gets its own. */
  #tidyUp(hasTrash: boolean): void {
    const signal = this.#serving?.signal;
    if (signal === undefined || this.#isTidying) return;
    this.#isTidying = true;
    const work = async (): Promise<void> => {
      if (this.#deepest > 0) await this.#ask({ op: 'shorten', long: true }, { signal });
      if (hasTrash) await this.#ask({ op: 'collect', long: true }, { signal });
    };
    // What could not be done is done the next time.
    void work()
      .catch(() => {})
      .finally(() => {
        this.#isTidying = false;
      });
  }

  async #ask<Answer>(order: RbdOrder, call: Pick<DriverCall, 'signal'> & Partial<DriverCall>): Promise<Answer> {
    const { signal, progress } = call;
    return (await this.#options.rbd.ask(order, { signal, ...(order.long && progress && { progress }) })) as Answer;
  }

  #look(name: string, signal: AbortSignal): Promise<Look> {
    return this.#ask<Look>({ op: 'look', args: { name }, about: [name] }, { signal });
  }

  #demand(name: string, sizeGiB: number, signal: AbortSignal): Promise<number> {
    return this.#ask<number>({ op: 'demand', args: { name, size: sizeGiB * GIB }, about: [name] }, { signal });
  }

  #report(signal: AbortSignal): Promise<PoolReport> {
    return this.#ask<PoolReport>({ op: 'stats' }, { signal });
  }

  async #locate(name: string, sizeGiB: number, access: 'read' | 'write', signal: AbortSignal): Promise<RawSource> {
    const bytes = await this.#demand(name, sizeGiB, signal);
    // Of a process that is frozen a program may write on: whoever writes has it alone.
    if (access === 'write' && !this.#files.has(name, access))
      await this.#ask({ op: 'have_alone', args: { name }, about: [name] }, { signal });
    await this.#ask({ op: 'settle', args: { name }, about: [name] }, { signal });
    return { path: await this.#files.open(name, access, signal), bytes };
  }

  /** The file is open for as long as somebody reads. */
  async *#reading(name: string, content: (path: string) => Content, signal: AbortSignal): AsyncGenerator<Buffer> {
    const path = await this.#files.open(name, 'read', signal);
    try {
      yield* content(path).read(signal);
    } finally {
      await this.#files.close(name);
    }
  }

  /** An image of this name with the content of another, then zeroes, unless it is there. */
  async #makeFull(
    {
      name,
      bytes,
      image,
      facts,
      publish,
    }: { name: string; bytes: number; image: ImageFile; facts: ImageFacts; publish?: 'keep_image' },
    call: DriverCall,
  ): Promise<void> {
    const there = await this.#look(name, call.signal);
    if (there.is === 'whole') {
      await this.#demand(name, inGiB(bytes), call.signal);
      return;
    }
    await this.#ask({ op: 'drop_temporaries', args: { name }, about: [name] }, call);
    await this.#demandRoom(facts, image, call);
    const made = temporary(name);
    try {
      await this.#ask({ op: 'create', args: { name: made, size: bytes }, about: [made] }, call);
      await this.#convert(made, image, facts, call);
      const order = publish ?? 'publish';
      const args = { name, temporary: made, ...(publish === undefined && { size: bytes }) };
      await this.#ask({ op: order, args, about: [name, made] }, call);
    } catch (error) {
      await this.#tidy({ op: 'discard', args: { temporary: made }, about: [made] });
      throw error;
    }
  }

  async #convert(target: string, source: ImageFile, facts: ImageFacts, call: DriverCall): Promise<void> {
    const { exec, address } = this.#options;
    await this.#copies.runElsewhere(call, (bytesPerSecond) => {
      const rate = { bytesPerSecond, bytes: facts.virtualBytes };
      const how = { address, rate, limits: this.#conversion, dataBytes: facts.allocatedBytes };
      const room = async (signal: AbortSignal): Promise<number> => freeOf(await this.#report(signal));
      return convertInto(exec, { source, target, ...how, room }, call);
    });
  }

  /** What does not fit is refused before a byte is written: on a full pool it would wait, not fail. */
  async #demandRoom(facts: ImageFacts, image: ImageFile, call: DriverCall): Promise<void> {
    const free = freeOf(await this.#report(call.signal));
    let needs = facts.allocatedBytes;
    if (needs > free && image.format !== 'raw') {
      const { countData } = await import('../images/read-image.ts');
      needs = await countData(image, call.signal, free);
    }
    if (needs > free) throw new BackendFull(`The copy needs ${needs} bytes or more, and ${free} are left in the pool.`);
  }

  /** After a failure, also when nobody waits any more. What it cannot do now the next call or the next sweep does. */
  async #tidy(order: RbdOrder): Promise<void> {
    await this.#ask(order, { signal: AbortSignal.timeout(TIDY_MS) }).catch(() => {});
  }

  async #shutOut(note: ExportNote, others: readonly ExportNote[], call: DriverCall): Promise<void> {
    const order = { op: 'watchers', args: { name: note.image }, about: [note.image] };
    for (let waited = 0; ; waited += 500) {
      const clients = clientsOf(note, others, await this.#ask<string[]>(order, call));
      if ('fence' in clients && clients.fence.length === 0) return;
      if (waited < CLOSING_MS) {
        await pause(500, call.signal, { ref: true });
        continue;
      }
      if ('unknown' in clients)
        throw new DriverFailed(
          `${note.image} is open at ${clients.unknown.join(', ')}, and nobody can tell whether that is ${note.host ?? 'the host'} (${note.ip ?? 'no address'}): end it there, or fence it by "ceph osd blocklist add".`,
        );
      for (const address of clients.fence) await this.#ask({ op: 'fence', args: { address } }, call);
      return;
    }
  }

  async #manageableBytes(name: string, signal: AbortSignal): Promise<number> {
    const [look, unmanaged] = await Promise.all([
      this.#look(name, signal),
      this.#ask<string | null>({ op: 'unmanaged', args: { name } }, { signal }),
    ]);
    if (look.is === 'absent' || look.is === 'stale')
      throw new ManageExistingInvalidReference(`There is no image ${name} in the pool.`);
    const bytes = look.is === 'whole' ? look.bytes : null;
    const found = { name, bytes, isUnmanaged: unmanaged !== null, watchers: look.watchers ?? [] };
    return manageableBytes(found, this.#names.owner(name) !== null);
  }

  async #manageableSnapshot(image: string, name: string, signal: AbortSignal): Promise<number> {
    const look = await this.#look(image, signal);
    const snapshot = look.snapshots?.find((each) => each.name === name);
    if (snapshot === undefined)
      throw new ManageExistingInvalidReference(`There is no snapshot ${name} of ${image} in the pool.`);
    const args = { name: `${image}@${name}` };
    const unmanaged = await this.#ask<string | null>({ op: 'unmanaged', args }, { signal });
    const found = { name, bytes: snapshot.bytes, isUnmanaged: unmanaged !== null, watchers: [] };
    return manageableBytes(found, this.#names.owner(name) !== null);
  }

  #nameOf(object: ObjectName): string {
    return object.kind === 'volume' ? this.#volume(object) : this.#names.of(object.kind, object.id);
  }

  #volume({ id, nameId }: VolumeName): string {
    return this.#names.of('volume', nameId ?? id);
  }

  #snapshot({ id }: SnapshotName): string {
    return this.#names.of('snapshot', id);
  }

  /** Whose snapshot it is. */
  #imageOf({ volumeId, volumeNameId }: SnapshotName): string {
    return this.#names.of('volume', volumeNameId ?? volumeId);
  }
}

function atLeast({ id, sizeGiB }: VolumeRef, sourceGiB: number, source: string): void {
  if (sizeGiB < sourceGiB) throw new InvalidInput(`Volume ${id} is smaller than its source, ${source}.`);
}

function fitting(what: string, sizeGiB: number): (imageBytes: number) => void {
  return (imageBytes) => {
    if (imageBytes <= sizeGiB * GIB) return;
    throw new ImageTooBig(`The image of ${imageBytes} bytes does not fit ${what} of ${sizeGiB} GiB.`);
  };
}

/** Bytes. `maxAvail` is what the fullest disk leaves, divided by the number of copies. */
const freeOf = ({ maxAvail, quota, stored }: PoolReport): number =>
  Math.max(0, quota > 0 ? Math.min(maxAvail, quota - stored) : maxAvail);

/** `rbd://FSID/POOL/IMAGE/SNAPSHOT`, each percent-encoded. */
function placeOf(location: string): { fsid: string; pool: string; image: string; snapshot: string } | null {
  const parts = /^rbd:\/\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(location)?.slice(1).map(decodeURIComponent);
  const [fsid, pool, image, snapshot] = parts ?? [];
  return fsid && pool && image && snapshot ? { fsid, pool, image, snapshot } : null;
}

function isOf(error: unknown, whats: readonly string[], numbers: readonly number[]): boolean {
  if (!(error instanceof Error && 'what' in error && 'errno' in error)) return false;
  return whats.includes(String(error.what)) || numbers.includes(Number(error.errno ?? -1));
}
