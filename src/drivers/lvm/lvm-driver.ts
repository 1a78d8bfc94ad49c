/**
 * Volumes as thin volumes of LVM, in one volume group of this machine, named as Cinder's LVM driver names them.
 *
 * A snapshot or a clone costs one step of LVM's, whatever it holds, and is a point in time, also of a volume in use. Volumes do not depend on
 * each other: a clone outlives what it came from. They are active from when they are made; snapshots, cached images and what is kept
 * for backups are activated while they are read.
 *
 * Sizes are whole extents of the group (4 MiB, unless it was made otherwise), so extents must divide a GiB. What was taken over keeps its
 * bytes until it is extended.
 *
 * A thin pool promises space that it does not hold, and **a full one forgets what was answered from memory**. So what is copied goes past
 * the page cache, the pool has to have room for it beforehand, and is looked at afterwards. Its metadata counts as room, too.
 *
 * The driver sees which volumes are open on this machine, and touches none of these.
 */
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { GIB, inGiB } from '../../lib/bytes.ts';
import { timestampOf } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { type Content, contentOfFile } from '../../lib/file-content.ts';
import { type FileLock, lockFile } from '../../lib/file-lock.ts';
import type { ConnectionInfo } from '../../model/attachment.ts';
import type { PoolStats } from '../../model/backend.ts';
import { DriverFailed, DriverNotInitialized, InvalidInput, LiveMoveRefused, VolumeIsBusy } from '../../model/errors.ts';
import type {
  BackendObject,
  BackupBase,
  BackupOrigin,
  ClosedExport,
  DriverCall,
  DriverCapabilities,
  Exported,
  ExportRef,
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
import type { Exporter } from '../exports/exporter.ts';
import { LocalExports } from '../exports/local-exports.ts';
import { HostCopies } from '../host-copies.ts';
import { fitting, imageNeeds } from '../image-needs.ts';
import { poolReport } from '../pool-report.ts';
import { CONVERSION_LIMITS, type ConversionLimits, convert, copyRaw, dataBytesOf, inspect } from '../qemu-img.ts';
import { copyRemote } from '../remote-copy.ts';
import type { OpenedSource, RemoteSource } from '../remote-source.ts';
import { writeImage } from '../write-image.ts';
import { named } from './exchange.ts';
import { checkNames, lvmNames, unmanagedSince } from './lvm-names.ts';
import type { LogicalVolume } from './lvm-report.ts';
import { LvmStore } from './lvm-store.ts';
import { giveBack, listManageable, manageableBytes, takeOver } from './managed-volumes.ts';
import { OneMoment } from './one-moment.ts';
import { DEVICES, type Devices, VolumeGroup } from './volume-group.ts';

export interface LvmDriverOptions {
  /** The backend's name; also the pool's in reports. */
  readonly name: string;
  readonly group: string;
  /** The thin pool in the group. Default, as Cinder's: `GROUP-pool`. */
  readonly pool?: string;
  /** Where links to attached volumes are, and the socket of a daemon that exports them. It is made. */
  readonly directory: string;
  readonly exec: Exec;
  /** Make the thin pool when there is none. Default false. */
  readonly create?: boolean;
  /** With the `lvm.conf` that counts. Default: the system's. */
  readonly configurationDirectory?: string | null;
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
  /** Default: `/dev`. */
  readonly devices?: Devices;
  /** Where whoever serves the pool says so. Default: `/run/lock`, the same for every process of the machine. */
  readonly lockDirectory?: string;
}

export class LvmDriver implements VolumeDriver {
  readonly servedBy = 'one';
  readonly #options: LvmDriverOptions;
  readonly #group: VolumeGroup;
  readonly #store: LvmStore;
  readonly #copies: HostCopies;
  readonly #exports: Exporter;
  readonly #oneMoment: OneMoment;
  /** Of programs that write into volumes: none goes on without us. */
  readonly #copying: Exec;
  #lock: FileLock | undefined;

  constructor(options: LvmDriverOptions) {
    this.#options = options;
    this.#copies = options.copies ?? new HostCopies();
    this.#copying = (argv, limits) => options.exec(argv, { ...limits, diesWithUs: true });
    this.#group = new VolumeGroup({
      exec: options.exec,
      group: options.group,
      pool: options.pool ?? `${options.group}-pool`,
      configurationDirectory: options.configurationDirectory ?? null,
      devices: options.devices ?? DEVICES,
    });
    this.#store = new LvmStore({
      group: this.#group,
      names: lvmNames({
        volume: options.volumeNameTemplate ?? 'volume-%s',
        snapshot: options.snapshotNameTemplate ?? 'snapshot-%s',
      }),
      copies: this.#copies,
    });
    this.#exports = options.exports ?? new LocalExports({ directory: options.directory, hosts: [hostname()] });
    this.#oneMoment = new OneMoment({ store: this.#store, exports: this.#exports, exec: options.exec });
  }

  get capabilities(): DriverCapabilities {
    return {
      vendorName: 'Pumice',
      driverVersion: '1.0',
      storageProtocol: this.#exports.protocol,
      fastClone: true,
      onlineExtend: true,
      consistentGroupSnapshot: true,
      backupBases: true,
      imageSchemes: [],
    };
  }

  async start(signal: AbortSignal): Promise<void> {
    const { group, create = false, directory } = this.#options;
    try {
      await this.#store.doing(`start the backend in volume group ${group}`, signal, async () => {
        checkNames(group, this.#store.names);
        const extentBytes = await this.#group.start(create, signal);
        if (GIB % extentBytes !== 0)
          throw new DriverNotInitialized(
            `The extents of volume group ${group} have ${extentBytes} bytes, of which no number is a GiB.`,
          );
        await mkdir(directory, { recursive: true, mode: 0o750 });
        await this.#exports.start(signal);
      });
    } catch (error) {
      if (!(error instanceof DriverFailed) || error instanceof DriverNotInitialized) throw error;
      throw new DriverNotInitialized(error.message, { cause: error });
    }
  }

  hold(signal: AbortSignal): Promise<boolean> {
    return this.#store.doing('hold the backend', signal, async () => {
      this.#lock ??= this.#lockIt();
      return this.#lock !== undefined;
    });
  }

  #lockIt(): FileLock | undefined {
    const { group, pool } = this.#group.poolName;
    const directory = this.#options.lockDirectory ?? '/run/lock';
    return lockFile(join(directory, `pumice-${group}-${pool}`)) ?? undefined;
  }

  release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** Nobody but who holds it. */
  async processes(): Promise<readonly string[]> {
    return [];
  }

  /** Who holds it is the only one. */
  async fence(): Promise<void> {}

  stats(signal: AbortSignal): Promise<readonly PoolStats[]> {
    return this.#store.doing('report on the backend', signal, async () => {
      const { totalBytes, freeBytes } = await this.#group.space(signal);
      const { reservedPercentage, maxOverSubscriptionRatio } = this.#options;
      return [
        poolReport({
          poolName: this.#options.name,
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
      this.#cloneTo(volume, this.#snapshot(snapshot), snapshot.sizeGiB, call),
    );
  }

  createClonedVolume(volume: VolumeRef, source: VolumeRef, call: DriverCall): Promise<ModelUpdate> {
    const doing = `create volume ${volume.id} from volume ${source.id}`;
    return this.#store.doing(doing, call.signal, () =>
      this.#cloneTo(volume, this.#volume(source), source.sizeGiB, call),
    );
  }

  locateVolume(volume: VolumeRef, _access: 'read' | 'write', signal: AbortSignal): Promise<RawSource> {
    return this.#store.doing(`locate volume ${volume.id}`, signal, async () => {
      const there = await this.#store.demand(this.#volume(volume), volume.sizeGiB, signal);
      const path = await this.#store.open(there, signal);
      return { path, bytes: there.bytes, dataBytes: await this.#group.takenBy(there.name) };
    });
  }

  /** Volumes stay active. */
  async closeVolume(): Promise<void> {}

  openVolume(
    volume: VolumeRef,
    { id, secret }: { readonly id: string; readonly secret: string },
    { signal }: DriverCall,
  ): Promise<RemoteSource> {
    return this.#store.doing(`open volume ${volume.id} to another machine`, signal, async () => {
      const there = await this.#store.demand(this.#volume(volume), volume.sizeGiB, signal);
      if (this.#exports.protocol !== 'iSCSI')
        throw new DriverFailed(`Volumes of ${this.#options.name} can be reached on this machine alone.`);
      await this.#store.open(there, signal);
      const initiator = `iqn.2010-10.org.openstack:pumice.${id}`;
      const wanted = { attachmentId: id, volume, connector: { initiator }, readOnly: true, secret };
      const { data } = await this.#exports.ensure(this.#group.path(there.name), wanted, signal);
      return {
        portal: String(data.target_portal),
        target: String(data.target_iqn),
        lun: Number(data.target_lun),
        initiator,
        user: String(data.auth_username),
        bytes: there.bytes,
        dataBytes: await this.#group.takenBy(there.name),
      };
    });
  }

  /** A copy in any case. */
  receiveVolume(
    volume: VolumeRef,
    source: RawSource | OpenedSource,
    _how: unknown,
    call: DriverCall,
  ): Promise<ModelUpdate> {
    const { signal } = call;
    return this.#store.doing(`receive volume ${volume.id}`, signal, async () => {
      await this.#store.make(this.#volume(volume), volume.sizeGiB, signal, (name) => {
        if (!('path' in source))
          return this.#store.fill(
            name,
            source.bytes,
            () => source.dataBytes,
            call,
            (device, rate) => copyRemote(this.#copying, source, device, rate, call),
          );
        const needs = (): Promise<number> => dataBytesOf(source);
        return this.#store.fill(name, source.bytes, needs, call, (device, rate) =>
          copyRaw(this.#copying, source, device, rate, call),
        );
      });
      return {};
    });
  }

  async giveLive<R>(volume: VolumeRef): Promise<R> {
    throw this.#refusedLive(volume);
  }

  async receiveLive(volume: VolumeRef): Promise<ModelUpdate> {
    throw this.#refusedLive(volume);
  }

  /** Nobody waits. */
  async goOn(): Promise<void> {}

  #refusedLive({ id }: VolumeRef): LiveMoveRefused {
    return new LiveMoveRefused(
      `Volume ${id} cannot move to or from ${this.#options.name} while it is attached, since that keeps its volumes in LVM: detach it first.`,
    );
  }

  /** An image is a file, and shares no blocks with a pool. */
  async cloneImage(): Promise<{ cloned: boolean; model: ModelUpdate }> {
    return { cloned: false, model: {} };
  }

  copyImageToVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void> {
    const { signal } = call;
    return this.#store.doing(`copy an image to volume ${volume.id}`, signal, async () => {
      const full = this.#volume(volume);
      await this.#store.demand(full, volume.sizeGiB, signal);
      const write = await this.#imageWriter(image, `volume ${volume.id}`, volume.sizeGiB, call);
      await this.#store.refill(full, volume.sizeGiB, signal, (name, bytes) => write.to(name, bytes));
    });
  }

  cacheImage(id: string, image: ImageFile, mostGiB: number, call: DriverCall): Promise<void> {
    const { signal } = call;
    return this.#store.doing(`cache image ${id}`, signal, async () => {
      const full = this.#store.names.of('image', id);
      if ((await this.#store.look(full, signal)) !== null) return;
      const write = await this.#imageWriter(image, 'a cached image', mostGiB, call);
      const sizeGiB = inGiB(write.virtualBytes);
      await this.#store.make(full, sizeGiB, signal, async (name) => {
        await write.to(name, sizeGiB * GIB);
        await this.#store.retire(name, signal);
      });
    });
  }

  createVolumeFromCachedImage(
    volume: VolumeRef,
    id: string,
    call: DriverCall,
  ): Promise<{ made: boolean; model: ModelUpdate }> {
    const { signal } = call;
    return this.#store.doing(`create volume ${volume.id} from a cached image`, signal, async () => {
      const cached = this.#store.names.of('image', id);
      const there = await this.#store.look(cached, signal);
      if (there === null || there.bytes > volume.sizeGiB * GIB) return { made: false, model: {} };
      try {
        return { made: true, model: await this.#cloneTo(volume, cached, inGiB(there.bytes), call) };
      } catch (error) {
        // It was dropped just then.
        if ((await this.#store.look(cached, signal)) !== null) throw error;
        return { made: false, model: {} };
      }
    });
  }

  dropCachedImage(id: string, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`drop cached image ${id}`, signal, () =>
      this.#store.remove(this.#store.names.of('image', id), signal),
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
      await this.#exports.grown(this.#group.path(this.#volume(volume)), signal);
    });
  }

  revertToSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: DriverCall): Promise<void> {
    const { signal } = call;
    const doing = `revert volume ${volume.id} to snapshot ${snapshot.id}`;
    return this.#store.doing(doing, signal, async () => {
      if (volume.sizeGiB < snapshot.sizeGiB)
        throw new InvalidInput(`Volume ${volume.id} is smaller than snapshot ${snapshot.id}.`);
      await this.#demandUnexported(volume, signal);
      await this.#store.refill(this.#volume(volume), volume.sizeGiB, signal, (name, bytes, all) => {
        const source = this.#store.demandIn(all, this.#snapshot(snapshot), snapshot.sizeGiB);
        return this.#store.clone(source, name, bytes, signal);
      });
    });
  }

  async reimageVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void> {
    await this.#store.doing(`reimage volume ${volume.id}`, call.signal, () =>
      this.#demandUnexported(volume, call.signal),
    );
    await this.copyImageToVolume(volume, image, call);
  }

  readVolume(volume: VolumeRef, signal: AbortSignal): Promise<Content> {
    return this.#store.doing(`read volume ${volume.id}`, signal, async () => {
      const there = await this.#store.demand(this.#volume(volume), volume.sizeGiB, signal);
      const path = await this.#store.open(there, signal);
      return contentOfFile(path, there.bytes, await this.#group.blocksOf(there, signal));
    });
  }

  copyVolumeToImage(volume: VolumeRef, image: WrittenImage, call: DriverCall): Promise<void> {
    const { signal } = call;
    return this.#store.doing(`copy volume ${volume.id} to an image`, signal, async () => {
      const there = await this.#store.demand(this.#volume(volume), volume.sizeGiB, signal);
      const path = await this.#store.open(there, signal);
      const source = { path, bytes: there.bytes, extents: await this.#group.blocksOf(there, signal) };
      await writeImage(this.#options.exec, source, image, { limits: this.#conversion, copies: this.#copies }, call);
    });
  }

  ensureExport(wanted: ExportRef, { signal }: DriverCall): Promise<ConnectionInfo> {
    const { volume } = wanted;
    return this.#store.doing(`export volume ${volume.id}`, signal, async () => {
      const full = this.#volume(volume);
      const there = await this.#store.look(full, signal);
      if (there === null) throw new DriverFailed(`${full} is not on the backend.`);
      await this.#store.open(there, signal);
      return this.#exports.ensure(this.#group.path(full), wanted, signal);
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

  createSnapshot(snapshot: SnapshotRef, { signal }: DriverCall): Promise<ModelUpdate> {
    return this.#store.doing(`create snapshot ${snapshot.id}`, signal, async () => {
      const source = { full: this.#sourceOf(snapshot), sizeGiB: snapshot.sizeGiB };
      await this.#store.makeSnapshot(this.#snapshot(snapshot), source, signal);
      return {};
    });
  }

  createGroupSnapshot(snapshots: readonly SnapshotRef[], { signal }: DriverCall): Promise<readonly ModelUpdate[]> {
    const doing = `create snapshots of ${snapshots.length} volumes in one moment`;
    return this.#store.doing(doing, signal, async () => {
      const members = snapshots.map((snapshot) => ({
        full: this.#snapshot(snapshot),
        source: this.#sourceOf(snapshot),
        sizeGiB: snapshot.sizeGiB,
      }));
      await this.#oneMoment.create(members, signal);
      return snapshots.map(() => ({}));
    });
  }

  deleteSnapshot(snapshot: SnapshotRef, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`delete snapshot ${snapshot.id}`, signal, () =>
      this.#store.remove(this.#snapshot(snapshot), signal),
    );
  }

  keepForBackup(backupId: string, of: BackupOrigin, { signal }: DriverCall): Promise<RawSource> {
    return this.#store.doing(`keep what backup ${backupId} is made from`, signal, async () => {
      const full = this.#store.names.of('backup', backupId);
      const { sizeGiB } = 'volume' in of ? of.volume : of.snapshot;
      const source = 'volume' in of ? this.#volume(of.volume) : this.#snapshot(of.snapshot);
      // What was taken over may have less than whole GiB.
      await this.#store.make(full, sizeGiB, signal, (name, all) =>
        this.#store.keep(this.#store.demandIn(all, source, sizeGiB), name, sizeGiB * GIB, signal),
      );
      const there = await this.#store.demand(full, sizeGiB, signal);
      return { path: await this.#store.open(there, signal), bytes: there.bytes };
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
      const [earlier, later] = [this.#store.names.of('backup', earlierId), this.#store.names.of('backup', backupId)];
      const all = await this.#store.all(signal);
      const [before, after] = [this.#store.find(all, earlier), this.#store.find(all, later)];
      if (before === null) return null;
      if (after === null) throw new DriverFailed(`${later} is not on the backend.`);
      try {
        const path = await this.#store.open(before, signal);
        const changed = (await this.#group.differences(before, after, signal)) ?? null;
        return { path, bytes: before.bytes, changed };
      } catch (error) {
        // It may be dropped at any time.
        if ((await this.#store.look(earlier, signal)) !== null) throw error;
        return null;
      }
    });
  }

  dropForBackup(backupId: string, _volume: VolumeName, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`drop what backup ${backupId} was made from`, signal, () =>
      this.#store.remove(this.#store.names.of('backup', backupId), signal),
    );
  }

  manageExistingGetSize(ref: ManageRef, signal: AbortSignal): Promise<number> {
    return this.#store.doing('look at what is to be managed', signal, async () =>
      inGiB(await manageableBytes(this.#store, ref, signal)),
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
      giveBack(this.#store, this.#volume(volume), ref, signal),
    );
  }

  unmanageSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, { signal }: DriverCall): Promise<void> {
    return this.#store.doing(`unmanage snapshot ${snapshot.id}`, signal, () =>
      giveBack(this.#store, this.#snapshot(snapshot), ref, signal),
    );
  }

  listManageable(
    kind: 'volume' | 'snapshot',
    known: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly ManageableObject[]> {
    return this.#store.doing('list what could be managed', signal, () =>
      listManageable(this.#store, kind, known, signal),
    );
  }

  probe(object: ObjectName, signal: AbortSignal): Promise<Probe> {
    return this.#store.doing(`look for ${object.kind} ${object.id}`, signal, async () => {
      const full = object.kind === 'volume' ? this.#volume(object) : this.#store.names.of(object.kind, object.id);
      const all = await this.#lookAround(full, signal);
      const there = [...named(this.#group, all)].find(({ name }) => name === full) ?? this.#store.find(all, full);
      if (there !== null) return { is: 'present', bytes: there.bytes };
      return this.#store.hasTemporaries(all, full) ? { is: 'partial' } : { is: 'absent' };
    });
  }

  list(signal: AbortSignal): Promise<readonly BackendObject[]> {
    return this.#store.doing('list the backend', signal, async () => {
      const all = await this.#store.all(signal);
      const ofPool = [...named(this.#group, all)].map(({ name, bytes, tags }): BackendObject => {
        const given = unmanagedSince(tags);
        const unmanagedAt = given === null ? null : timestampOf(given.ms);
        return { name, bytes, owner: this.#store.names.owner(name), unmanagedAt };
      });
      return [...ofPool, ...this.#outsideOfThePool(all)];
    });
  }

  /** What Cinder has made thick, or in another pool: it is there, and nobody may take it for lost. */
  #outsideOfThePool(all: ReadonlyMap<string, LogicalVolume>): readonly BackendObject[] {
    const unservable = `is not in thin pool ${this.#group.poolName.pool}`;
    return [...all.values()].flatMap((volume) => {
      const owner = this.#group.isOfPool(volume) ? null : this.#store.names.owner(volume.name);
      return owner === null ? [] : [{ name: volume.name, bytes: volume.bytes, owner, unmanagedAt: null, unservable }];
    });
  }

  /** What was begun for this name is ended, but not in the hands of another process that holds the backend: the doctor looks beside it. */
  async #lookAround(full: string, signal: AbortSignal): Promise<ReadonlyMap<string, LogicalVolume>> {
    if (this.#lock !== undefined) return await this.#store.all(signal, full);
    const lock = this.#lockIt();
    try {
      return await (lock === undefined ? this.#store.all(signal) : this.#store.all(signal, full));
    } finally {
      lock?.release();
    }
  }

  sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<readonly string[]> {
    return this.#store.doing('sweep the backend', signal, () => this.#store.sweep(busy, signal));
  }

  async #cloneTo(volume: VolumeRef, source: string, sourceGiB: number, { signal }: DriverCall): Promise<ModelUpdate> {
    if (volume.sizeGiB < sourceGiB)
      throw new InvalidInput(`Volume ${volume.id} is smaller than its source, ${source}.`);
    await this.#store.make(this.#volume(volume), volume.sizeGiB, signal, (name, all) =>
      this.#store.clone(this.#store.demandIn(all, source, sourceGiB), name, volume.sizeGiB * GIB, signal),
    );
    return {};
  }

  /** What writes the image into a new volume. Rejects with what is wrong with the image. */
  async #imageWriter(
    image: ImageFile,
    what: string,
    mostGiB: number,
    call: DriverCall,
  ): Promise<{ readonly virtualBytes: number; to(name: string, bytes: number): Promise<void> }> {
    const facts = await inspect(this.#options.exec, image, call.signal, fitting(what, mostGiB));
    const { virtualBytes, allocatedBytes: dataBytes } = facts;
    const to = (name: string, bytes: number): Promise<void> =>
      this.#store.fill(name, bytes, imageNeeds(image, facts, call.signal), call, (device, bytesPerSecond) => {
        const rate = { bytesPerSecond, bytes: virtualBytes };
        return convert(this.#copying, image, device, { limits: this.#conversion, rate, dataBytes }, call);
      });
    return { virtualBytes, to };
  }

  /** An export keeps the device that it has opened, whichever volume has its name. */
  async #demandUnexported(volume: VolumeRef, signal: AbortSignal): Promise<void> {
    const { name, isOpen }: LogicalVolume = await this.#store.demand(this.#volume(volume), volume.sizeGiB, signal);
    if (isOpen || (await this.#exports.serves(this.#group.path(name), signal)))
      throw new VolumeIsBusy(`Volume ${volume.id} is in use, and its content cannot be replaced.`);
  }

  get #conversion(): ConversionLimits {
    return this.#options.conversion ?? CONVERSION_LIMITS;
  }

  #volume({ id, nameId }: VolumeName): string {
    return this.#store.names.of('volume', nameId ?? id);
  }

  #snapshot({ id }: SnapshotRef): string {
    return this.#store.names.of('snapshot', id);
  }

  /** What a snapshot is taken of. */
  #sourceOf({ volumeId, volumeNameId }: SnapshotRef): string {
    return this.#store.names.of('volume', volumeNameId ?? volumeId);
  }
}
