/**
 * Volumes as sparse raw files in one directory: the default backend.
 *
 * On a file system with reflinks (XFS, Btrfs) a snapshot or a clone costs milliseconds and is a point in time, also of a
 * volume in use. Anywhere else it is a sparse copy: as correct for a volume at rest, slow, and not a point in time for a
 * volume that is being written (`capabilities.fastClone` says which).
 *
 * Files are independent of each other: deleting a source never touches what was cloned from it. Files made here are whole
 * GiB; one that was taken over keeps its bytes, to the last odd sector, until it is extended. A file that is larger than
 * its row (an extend that did not reach the database) is refused as a source until the volume is extended again.
 *
 * A sparse file promises space it does not hold. Creating is free; work that writes data is refused when the file system
 * has less room than the data takes.
 *
 * The driver cannot see which programs have a volume open. Exports are removed before a delete; an open file would keep its
 * space. How files are exported is another's business (`exports/exporter.ts`).
 */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { GIB, inGiB } from '../../lib/bytes.ts';
import { timestampOf } from '../../lib/clock.ts';
import { dataExtents } from '../../lib/data-extents.ts';
import type { Exec } from '../../lib/exec.ts';
import { type Content, contentOfFile } from '../../lib/file-content.ts';
import type { ConnectionInfo } from '../../model/attachment.ts';
import type { PoolStats } from '../../model/backend.ts';
import { DriverFailed, DriverNotInitialized, InvalidInput, VolumeIsBusy } from '../../model/errors.ts';
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
  LiveSource,
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
import type { Exporter } from '../exports/exporter.ts';
import { LocalExports } from '../exports/local-exports.ts';
import { HostCopies } from '../host-copies.ts';
import { fitting, imageNeeds } from '../image-needs.ts';
import type { ImageFacts } from '../images/read-image.ts';
import { poolReport } from '../pool-report.ts';
import { CONVERSION_LIMITS, type ConversionLimits, convert, inspect } from '../qemu-img.ts';
import type { OpenedSource, RemoteSource } from '../remote-source.ts';
import { writeImage } from '../write-image.ts';
import { BackendDirectory } from './backend-directory.ts';
import { differences } from './differences.ts';
import { FileStore } from './file-store.ts';
import { GivingLive } from './giving-live.ts';
import { GroupSnapshots, type Member } from './group-snapshots.ts';
import { giveBack, listManageable, manageableBytes, takeOver } from './manageable.ts';
import { Names, type Owner, unmanagedMark } from './names.ts';
import { setLength } from './publish.ts';
import { readingFrom } from './reading.ts';
import { receive } from './receive.ts';
import { receiveLive } from './receive-live.ts';
import { type SmallFiles, smallFiles } from './small-files.ts';

export interface FileDriverOptions {
  /** The backend's name; also the pool's, unless `poolName` says otherwise. */
  readonly name: string;
  readonly directory: string;
  readonly exec: Exec;
  /** Default: for real. */
  readonly small?: SmallFiles;
  /** Make the directory and mark it as a backend when it is not (see `backend-directory.ts`). Default false. */
  readonly create?: boolean;
  readonly poolName?: string;
  /** Default 0. */
  readonly reservedPercentage?: number;
  /** Default 20. */
  readonly maxOverSubscriptionRatio?: number | 'auto';
  readonly volumeNameTemplate?: string;
  readonly snapshotNameTemplate?: string;
  /** Of the host. Default: its own, at no rate. */
  readonly copies?: HostCopies;
  readonly conversion?: ConversionLimits;
  /** Default: to this machine alone. */
  readonly exports?: Exporter;
}

export class FileDriver implements VolumeDriver {
  readonly servedBy: VolumeDriver['servedBy'] = 'one';
  readonly #options: FileDriverOptions;
  readonly #exec: Exec;
  readonly #copies: HostCopies;
  readonly #store: FileStore;
  readonly #exports: Exporter;
  readonly #groupSnapshots: GroupSnapshots;
  readonly #givingLive: GivingLive;

  constructor(options: FileDriverOptions) {
    this.#options = options;
    this.#copies = options.copies ?? new HostCopies();
    this.#exec = options.exec;
    this.#store = new FileStore({
      directory: new BackendDirectory(resolve(options.directory), options.create ?? false),
      names: new Names({
        volume: options.volumeNameTemplate ?? 'volume-%s',
        snapshot: options.snapshotNameTemplate ?? 'snapshot-%s',
      }),
      exec: options.exec,
      small: options.small ?? smallFiles,
      copies: this.#copies,
    });
    this.#exports = options.exports ?? new LocalExports({ directory: resolve(options.directory), hosts: [hostname()] });
    const parts = { store: this.#store, exports: this.#exports, exec: options.exec };
    this.#groupSnapshots = new GroupSnapshots(parts);
    this.#givingLive = new GivingLive(parts);
  }

  get capabilities(): DriverCapabilities {
    return {
      vendorName: 'Pumice',
      driverVersion: '1.0',
      storageProtocol: this.#exports.protocol,
      fastClone: this.#store.reflinks,
      onlineExtend: true,
      consistentGroupSnapshot: this.#store.reflinks,
      backupBases: this.#store.reflinks,
      imageSchemes: [],
    };
  }

  /** Where a volume's bytes are, for whoever exports it. Says nothing about its being there. */
  localPath(volume: VolumeRef): string {
    return this.#store.path(this.#volume(volume));
  }

  async start(signal: AbortSignal): Promise<void> {
    try {
      await this.#store.start(signal);
      await this.#exports.start(signal);
    } catch (error) {
      if (!(error instanceof DriverFailed) || error instanceof DriverNotInitialized) throw error;
      throw new DriverNotInitialized(error.message, { cause: error });
    }
  }

  hold(signal: AbortSignal): Promise<boolean> {
    return this.#store.hold(signal);
  }

  release(): void {
    this.#store.release();
  }

  async processes(): Promise<readonly string[]> {
    return [];
  }

  /** Whoever held the files before is dead when `hold` says so. */
  async fence(): Promise<void> {}

  stats(signal: AbortSignal): Promise<readonly PoolStats[]> {
    return this.#store.doing('report on the backend', signal, async () => {
      const { totalBytes, freeBytes } = await this.#store.space();
      const { reservedPercentage, maxOverSubscriptionRatio } = this.#options;
      return [
        poolReport({
          poolName: this.#options.poolName ?? this.#options.name,
          backendName: this.#options.name,
          capabilities: this.capabilities,
          ...{ totalBytes, freeBytes, reservedPercentage, maxOverSubscriptionRatio },
        }),
      ];
    });
  }

  createVolume(volume: VolumeRef, { signal }: DriverCall): Promise<ModelUpdate> {
    return this.#store.doing(`create volume ${volume.id}`, signal, async () => {
      await this.#store.makeBlank(this.#volume(volume), volume.sizeGiB, signal);
      return {};
    });
  }

  createVolumeFromSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: DriverCall): Promise<ModelUpdate> {
    const doing = `create volume ${volume.id} from snapshot ${snapshot.id}`;
    return this.#store.doing(doing, call.signal, () =>
      this.#copyToVolume(volume, this.#snapshot(snapshot), snapshot.sizeGiB, call),
    );
  }

  createClonedVolume(volume: VolumeRef, source: VolumeRef, call: DriverCall): Promise<ModelUpdate> {
    const doing = `create volume ${volume.id} from volume ${source.id}`;
    return this.#store.doing(doing, call.signal, () =>
      this.#copyToVolume(volume, this.#volume(source), source.sizeGiB, call),
    );
  }

  locateVolume(volume: VolumeRef, _access: 'read' | 'write', signal: AbortSignal): Promise<RawSource> {
    return this.#store.doing(`locate volume ${volume.id}`, signal, async () => {
      const full = this.#volume(volume);
      return { path: this.#store.path(full), bytes: await this.#store.demand(full, volume.sizeGiB) };
    });
  }

  /** Files need no opening. */
  async closeVolume(): Promise<void> {}

  openVolume(
    volume: VolumeRef,
    { id, secret }: { readonly id: string; readonly secret: string },
    { signal }: DriverCall,
  ): Promise<RemoteSource> {
    return this.#store.doing(`open volume ${volume.id} to another machine`, signal, async () => {
      const full = this.#volume(volume);
      const bytes = await this.#store.demand(full, volume.sizeGiB);
      if (this.#exports.protocol !== 'iSCSI')
        throw new DriverFailed(`Volumes of ${this.#options.name} can be reached on this machine alone.`);
      const initiator = `iqn.2010-10.org.openstack:pumice.${id}`;
      const wanted = { attachmentId: id, volume, connector: { initiator }, readOnly: true, secret };
      const { data } = await this.#exports.ensure(this.localPath(volume), wanted, signal);
      return {
        portal: String(data.target_portal),
        target: String(data.target_iqn),
        lun: Number(data.target_lun),
        initiator,
        user: String(data.auth_username),
        bytes,
        dataBytes: ((await this.#store.stat(full))?.blocks ?? 0) * 512,
      };
    });
  }

  receiveVolume(
    volume: VolumeRef,
    source: RawSource | OpenedSource,
    { copies }: CopyHow,
    call: DriverCall,
  ): Promise<ModelUpdate> {
    return this.#store.doing(`receive volume ${volume.id}`, call.signal, async () => {
      await receive(this.#store, { full: this.#volume(volume), sizeGiB: volume.sizeGiB, source, copies }, call);
      return {};
    });
  }

  giveLive<R>(volume: VolumeRef, receive: (source: LiveSource) => Promise<R>, call: DriverCall): Promise<R> {
    return this.#store.doing(`give volume ${volume.id}`, call.signal, () =>
      this.#givingLive.give({ full: this.#volume(volume), sizeGiB: volume.sizeGiB }, receive, call),
    );
  }

  receiveLive(volume: VolumeRef, source: LiveSource, { copies }: CopyHow, call: DriverCall): Promise<ModelUpdate> {
    return this.#store.doing(`receive volume ${volume.id}`, call.signal, async () => {
      await receiveLive(this.#store, this.#exec, { full: this.#volume(volume), source, copies }, call);
      return {};
    });
  }

  goOn(volume: VolumeRef, path: string | null, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`let the clients of volume ${volume.id} go on`, signal, () =>
      this.#givingLive.goOn(this.#volume(volume), path, signal),
    );
  }

  /** Only a raw image on the backend's own file system can be shared instead of copied. */
  cloneImage(
    volume: VolumeRef,
    { path: at, format }: ImageAtRest,
    call: DriverCall,
  ): Promise<{ cloned: boolean; model: ModelUpdate }> {
    return this.#store.doing(`clone an image into volume ${volume.id}`, call.signal, async () => {
      if (at === null || format !== 'raw') return { cloned: false, model: {} };
      const path = resolve(at);
      const sharable = (await this.#store.learnReflinks()) && (await this.#store.sameFileSystem(path));
      if (!sharable) return { cloned: false, model: {} };
      await inspect(this.#exec, { path, format }, call.signal, fitting(`volume ${volume.id}`, volume.sizeGiB));
      const cloned = await this.#store.refill(this.#volume(volume), volume.sizeGiB, call.signal, (temporary) =>
        this.#store.share(path, temporary, call.signal),
      );
      return { cloned, model: {} };
    });
  }

  copyImageToVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void> {
    return this.#store.doing(`copy an image to volume ${volume.id}`, call.signal, async () => {
      const full = this.#volume(volume);
      await this.#store.demand(full, volume.sizeGiB);
      const facts = await inspect(this.#exec, image, call.signal, fitting(`volume ${volume.id}`, volume.sizeGiB));
      await this.#store.refill(full, volume.sizeGiB, call.signal, async (path) => {
        await this.#convert(image, facts, path, volume.sizeGiB, call);
        return true;
      });
    });
  }

  cacheImage(id: string, image: ImageFile, mostGiB: number, call: DriverCall): Promise<void> {
    return this.#store.doing(`cache image ${id}`, call.signal, async () => {
      const full = this.#names.of('image', id);
      if ((await this.#store.look(full)) !== null) return;
      const facts = await inspect(this.#exec, image, call.signal, fitting('a cached image', mostGiB));
      const sizeGiB = inGiB(facts.virtualBytes);
      await this.#store.make(full, sizeGiB, call.signal, async (path) => {
        await this.#convert(image, facts, path, sizeGiB, call);
        await this.#store.syncContent([path], call.signal);
      });
    });
  }

  createVolumeFromCachedImage(
    volume: VolumeRef,
    id: string,
    call: DriverCall,
  ): Promise<{ made: boolean; model: ModelUpdate }> {
    return this.#store.doing(`create volume ${volume.id} from a cached image`, call.signal, async () => {
      const cached = this.#names.of('image', id);
      const bytes = await this.#store.look(cached);
      if (bytes === null || bytes > volume.sizeGiB * GIB) return { made: false, model: {} };
      try {
        return { made: true, model: await this.#copyToVolume(volume, cached, inGiB(bytes), call) };
      } catch (error) {
        // It was dropped just then.
        if ((await this.#store.look(cached)) !== null) throw error;
        return { made: false, model: {} };
      }
    });
  }

  dropCachedImage(id: string, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`drop cached image ${id}`, signal, () =>
      this.#store.remove(this.#names.of('image', id), signal),
    );
  }

  deleteVolume(volume: VolumeRef, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`delete volume ${volume.id}`, signal, () =>
      this.#store.remove(this.#volume(volume), signal),
    );
  }

  extendVolume(volume: VolumeRef, newSizeGiB: number, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`extend volume ${volume.id}`, signal, async () => {
      await this.#store.grow(this.#volume(volume), newSizeGiB, signal);
      await this.#exports.grown(this.localPath(volume), signal);
    });
  }

  revertToSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: DriverCall): Promise<void> {
    const doing = `revert volume ${volume.id} to snapshot ${snapshot.id}`;
    return this.#store.doing(doing, call.signal, async () => {
      if (volume.sizeGiB < snapshot.sizeGiB)
        throw new InvalidInput(`Volume ${volume.id} is smaller than snapshot ${snapshot.id}.`);
      await this.#demandUnexported(volume, call.signal);
      await this.#store.refill(this.#volume(volume), volume.sizeGiB, call.signal, async (path) => {
        await this.#store.copy(this.#snapshot(snapshot), snapshot.sizeGiB, path, 0, call);
        return true;
      });
    });
  }

  async reimageVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void> {
    await this.#store.doing(`reimage volume ${volume.id}`, call.signal, () =>
      this.#demandUnexported(volume, call.signal),
    );
    const { cloned } = await this.cloneImage(volume, { ...image, locations: [] }, call);
    if (!cloned) await this.copyImageToVolume(volume, image, call);
  }

  async readVolume(volume: VolumeRef, signal: AbortSignal): Promise<Content> {
    const { path, bytes } = await this.locateVolume(volume, 'read', signal);
    const doing = `read volume ${volume.id}`;
    const extents = await this.#store.doing(doing, signal, () => dataExtents(this.#exec, path, signal));
    return readingFrom(this.#store, doing, contentOfFile(path, bytes, extents));
  }

  async copyVolumeToImage(volume: VolumeRef, image: WrittenImage, call: DriverCall): Promise<void> {
    const source = await this.locateVolume(volume, 'read', call.signal);
    const writing = { limits: this.#conversion, copies: this.#copies };
    await this.#store.doing(`copy volume ${volume.id} to an image`, call.signal, () =>
      writeImage(this.#exec, source, image, writing, call),
    );
  }

  ensureExport(wanted: ExportRef, { signal }: DriverCall): Promise<ConnectionInfo> {
    const { volume } = wanted;
    return this.#store.doing(`export volume ${volume.id}`, signal, async () => {
      const full = this.#volume(volume);
      if ((await this.#store.look(full)) === null) throw new DriverFailed(`${full} is not on the backend.`);
      return this.#exports.ensure(this.localPath(volume), wanted, signal);
    });
  }

  removeExport({ attachmentId }: ClosedExport, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`remove the export of attachment ${attachmentId}`, signal, () =>
      this.#exports.remove(attachmentId, signal),
    );
  }

  listExports(signal: AbortSignal): Promise<readonly Exported[]> {
    return this.#store.doing('list exports', signal, async () =>
      (await this.#exports.list(signal)).map(({ attachmentId }) => ({ attachmentId })),
    );
  }

  createSnapshot(snapshot: SnapshotRef, call: DriverCall): Promise<ModelUpdate> {
    return this.#store.doing(`create snapshot ${snapshot.id}`, call.signal, async () => {
      await this.#store.make(this.#snapshot(snapshot), snapshot.sizeGiB, call.signal, (path) =>
        this.#store.copy(this.#sourceOf(snapshot), snapshot.sizeGiB, path, 0, call),
      );
      return {};
    });
  }

  createGroupSnapshot(snapshots: readonly SnapshotRef[], call: DriverCall): Promise<readonly ModelUpdate[]> {
    const members = (): readonly Member[] =>
      snapshots.map((snapshot) => ({
        full: this.#snapshot(snapshot),
        source: this.#sourceOf(snapshot),
        sizeGiB: snapshot.sizeGiB,
      }));
    const doing = `create snapshots of ${snapshots.length} volumes in one moment`;
    return this.#store.doing(doing, call.signal, async () => {
      await this.#groupSnapshots.create(members(), call.signal);
      return snapshots.map(() => ({}));
    });
  }

  deleteSnapshot(snapshot: SnapshotRef, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`delete snapshot ${snapshot.id}`, signal, () =>
      this.#store.remove(this.#snapshot(snapshot), signal),
    );
  }

  keepForBackup(backupId: string, of: BackupOrigin, call: DriverCall): Promise<RawSource> {
    return this.#store.doing(`keep what backup ${backupId} is made from`, call.signal, async () => {
      const full = this.#names.of('backup', backupId);
      const { sizeGiB } = 'volume' in of ? of.volume : of.snapshot;
      const source = 'volume' in of ? this.#volume(of.volume) : this.#snapshot(of.snapshot);
      // What was taken over may have less than whole GiB.
      await this.#store.make(full, sizeGiB, call.signal, (path) =>
        this.#store.copy(source, sizeGiB, path, sizeGiB * GIB, call),
      );
      return { path: this.#store.path(full), bytes: sizeGiB * GIB };
    });
  }

  changedSince(
    _volume: VolumeName,
    earlierId: string,
    backupId: string,
    { signal }: DriverCall,
  ): Promise<BackupBase | null> {
    const doing = `compare what is kept for backup ${backupId} with that for ${earlierId}`;
    return this.#store.doing(doing, signal, async () => {
      const [earlier, later] = [this.#names.of('backup', earlierId), this.#names.of('backup', backupId)];
      const bytes = await this.#store.look(earlier);
      if (bytes === null) return null;
      const path = this.#store.path(earlier);
      try {
        return { path, bytes, changed: await differences(this.#exec, path, this.#store.path(later), signal) };
      } catch (error) {
        // It may be dropped at any time.
        if ((await this.#store.look(earlier)) !== null) throw error;
        return null;
      }
    });
  }

  dropForBackup(backupId: string, _volume: VolumeName, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`drop what backup ${backupId} was made from`, signal, () =>
      this.#store.remove(this.#names.of('backup', backupId), signal),
    );
  }

  manageExistingGetSize(ref: ManageRef, signal: AbortSignal): Promise<number> {
    return this.#store.doing('look at what is to be managed', signal, async () =>
      inGiB(await manageableBytes(this.#store, ref)),
    );
  }

  manageExistingSnapshotGetSize(ref: ManageRef, _snapshot: SnapshotName, signal: AbortSignal): Promise<number> {
    return this.manageExistingGetSize(ref, signal);
  }

  manageExisting(volume: VolumeRef, ref: ManageRef | null, { signal }: DriverCall): Promise<ModelUpdate> {
    return this.#store.doing(`manage volume ${volume.id}`, signal, async () => {
      await takeOver(this.#store, { ref, full: this.#volume(volume), sizeGiB: volume.sizeGiB }, signal);
      return {};
    });
  }

  manageExistingSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, { signal }: DriverCall): Promise<ModelUpdate> {
    return this.#store.doing(`manage snapshot ${snapshot.id}`, signal, async () => {
      await takeOver(this.#store, { ref, full: this.#snapshot(snapshot), sizeGiB: snapshot.sizeGiB }, signal);
      return {};
    });
  }

  unmanage(volume: VolumeRef, ref: ManageRef | null, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`unmanage volume ${volume.id}`, signal, () =>
      giveBack(this.#store, this.#volume(volume), ref),
    );
  }

  unmanageSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`unmanage snapshot ${snapshot.id}`, signal, () =>
      giveBack(this.#store, this.#snapshot(snapshot), ref),
    );
  }

  listManageable(
    kind: Owner['kind'],
    known: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly ManageableObject[]> {
    return this.#store.doing('list what could be managed', signal, () =>
      listManageable(this.#store, kind, known, signal),
    );
  }

  probe(object: ObjectName, signal: AbortSignal): Promise<Probe> {
    return this.#store.doing(`look for ${object.kind} ${object.id}`, signal, async () => {
      const full = object.kind === 'volume' ? this.#volume(object) : this.#names.of(object.kind, object.id);
      const bytes = await this.#store.look(full);
      if (bytes !== null) return { is: 'present', bytes };
      return (await this.#store.hasTemporaries(full)) ? { is: 'partial' } : { is: 'absent' };
    });
  }

  list(signal: AbortSignal): Promise<readonly BackendObject[]> {
    return this.#store.doing('list the backend', signal, async () => {
      const objects: BackendObject[] = [];
      const names = await this.#store.list();
      const all = new Set(names);
      for (const name of names) {
        signal.throwIfAborted();
        const found = name.startsWith('.') ? null : await this.#store.stat(name);
        if (!found?.isFile()) continue;
        const mark = all.has(unmanagedMark(name)) ? await this.#store.stat(unmanagedMark(name)) : null;
        const unmanagedAt = mark === null ? null : timestampOf(mark.mtimeMs);
        objects.push({ name, bytes: found.size, owner: this.#names.owner(name), unmanagedAt });
      }
      return objects;
    });
  }

  sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<readonly string[]> {
    return this.#store.doing('sweep the backend', signal, () => this.#store.sweep(busy, signal));
  }

  async #copyToVolume(volume: VolumeRef, source: string, sourceGiB: number, call: DriverCall): Promise<ModelUpdate> {
    if (volume.sizeGiB < sourceGiB)
      throw new InvalidInput(`Volume ${volume.id} is smaller than its source, ${source}.`);
    await this.#store.make(this.#volume(volume), volume.sizeGiB, call.signal, (path) =>
      this.#store.copy(source, sourceGiB, path, volume.sizeGiB * GIB, call),
    );
    return {};
  }

  /** The image into the empty file at `path`, which gets this size. */
  async #convert(image: ImageFile, facts: ImageFacts, path: string, sizeGiB: number, call: DriverCall): Promise<void> {
    const needs = imageNeeds(image, facts, call.signal);
    await setLength(path, sizeGiB * GIB);
    await this.#store.writing({ path, needs }, call, (bytesPerSecond) => {
      const rate = { bytesPerSecond, bytes: facts.virtualBytes };
      const dataBytes = facts.allocatedBytes;
      return convert(this.#exec, image, path, { limits: this.#conversion, rate, dataBytes }, call);
    });
  }

  /** An export keeps the file that it has opened, whichever has its name. */
  async #demandUnexported(volume: VolumeRef, signal: AbortSignal): Promise<void> {
    await this.#store.demand(this.#volume(volume), volume.sizeGiB);
    if (await this.#exports.serves(this.localPath(volume), signal))
      throw new VolumeIsBusy(`Volume ${volume.id} is exported, and its content cannot be replaced.`);
  }

  get #conversion(): ConversionLimits {
    return this.#options.conversion ?? CONVERSION_LIMITS;
  }

  get #names(): Names {
    return this.#store.names;
  }

  #volume({ id, nameId }: VolumeName): string {
    return this.#names.of('volume', nameId ?? id);
  }

  #snapshot({ id }: SnapshotRef): string {
    return this.#names.of('snapshot', id);
  }

  /** What a snapshot is taken of. */
  #sourceOf({ volumeId, volumeNameId }: SnapshotRef): string {
    return this.#names.of('volume', volumeNameId ?? volumeId);
  }
}
