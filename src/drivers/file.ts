/**
 * Volumes as sparse raw files in one directory: the default backend.
 *
 * On a file system with reflinks (XFS, Btrfs) a snapshot or a clone costs milliseconds and is a point in time, also of a
 * volume in use. Anywhere else it is a sparse copy: as correct for a volume at rest, slow, and not a point in time for a
 * volume that is being written (`capabilities.fastClone` says which).
 *
 * Each operation looks, acts and publishes. What is there under the full name decides whether anything is left to do, so
 * every call may come twice; the work happens under a temporary name that is removed on every way out, so a failure
 * leaves nothing and a crash leaves only what `sweep` removes. Files are independent of each other: deleting a source
 * never touches what was cloned from it.
 *
 * A file matches a row when its size, rounded up to whole GiB, is the row's. Files made here are whole GiB; one that was
 * taken over keeps its bytes, to the last odd sector, until it is extended. No file is ever shortened: one that is larger
 * than its row (an extend that did not reach the database) is refused as a source until the volume is extended again.
 *
 * A sparse file promises space it does not hold. Creating is free; work that writes data is refused when the file system
 * has less room than the data takes.
 *
 * The driver cannot see who has a volume open. Exports are removed before a delete; an open file would keep its space.
 */
import { lstat, readdir, rename, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Exec } from '../lib/exec.ts';
import type { PoolStats } from '../model/backend.ts';
import {
  BackendFull,
  BackendObjectMismatch,
  DriverFailed,
  DriverNotInitialized,
  ImageTooBig,
  ManageExistingAlreadyManaged,
  ManageExistingInvalidReference,
} from '../model/errors.ts';
import { BackendDirectory } from './backend-directory.ts';
import { CopySlots } from './copy-slots.ts';
import type {
  BackendObject,
  Call,
  DriverCapabilities,
  ImageFile,
  ManageableObject,
  ManageRef,
  ModelUpdate,
  Probe,
  SnapshotRef,
  VolumeDriver,
  VolumeRef,
} from './driver.ts';
import { COPY_LIMIT_MS, canReflink, isReflinkProbe, reflink, sparseCopy, syncFile } from './file-copy.ts';
import { errno, translated } from './file-errors.ts';
import { examine, sourceName } from './manageable.ts';
import { doomed, Names, type Owner, unmanagedMark } from './names.ts';
import {
  giveBack,
  publish,
  removeIfThere,
  replace,
  setLength,
  syncDirectory,
  touch,
  withTemporary,
} from './publish.ts';
import { convert, inspect } from './qemu-img.ts';

export interface FileDriverOptions {
  /** The backend's name; also the pool's, unless `poolName` says otherwise. */
  readonly name: string;
  readonly directory: string;
  readonly exec: Exec;
  /** Make the directory and mark it as a backend when it is not (see `backend-directory.ts`). Default false. */
  readonly create?: boolean;
  readonly poolName?: string;
  readonly reservedPercentage?: number;
  readonly maxOverSubscriptionRatio?: number | 'auto';
  readonly volumeNameTemplate?: string;
  readonly snapshotNameTemplate?: string;
  /** How many copies of data run at once. Default 2. */
  readonly copiesAtOnce?: number;
}

const GIB = 1024 ** 3;
const inGiB = (bytes: number): number => Math.ceil(bytes / GIB);

export class FileDriver implements VolumeDriver {
  readonly #options: FileDriverOptions;
  readonly #exec: Exec;
  readonly #directory: BackendDirectory;
  readonly #names: Names;
  readonly #slots: CopySlots;
  /** Undefined until it could be tried: on a full disk it cannot. */
  #reflinks: boolean | undefined;

  constructor(options: FileDriverOptions) {
    this.#options = options;
    this.#exec = options.exec;
    this.#directory = new BackendDirectory(resolve(options.directory), options.create ?? false);
    this.#names = new Names({
      volume: options.volumeNameTemplate ?? 'volume-%s',
      snapshot: options.snapshotNameTemplate ?? 'snapshot-%s',
    });
    this.#slots = new CopySlots(options.copiesAtOnce ?? 2);
  }

  get capabilities(): DriverCapabilities {
    return {
      vendorName: 'Pumice',
      driverVersion: '1.0',
      storageProtocol: 'iSCSI',
      fastClone: this.#reflinks ?? false,
      onlineExtend: true,
    };
  }

  /** Where a volume's bytes are, for whoever exports it. Says nothing about its being there. */
  localPath(volume: VolumeRef): string {
    return this.#path(this.#volume(volume));
  }

  async start(signal: AbortSignal): Promise<void> {
    try {
      await translated(`start the backend in ${this.#directory.path}`, signal, async () => {
        await this.#directory.start();
        await this.#learnReflinks();
      });
    } catch (error) {
      if (!(error instanceof DriverFailed) || error instanceof DriverNotInitialized) throw error;
      throw new DriverNotInitialized(error.message, { cause: error });
    }
  }

  stats(signal: AbortSignal): Promise<readonly PoolStats[]> {
    return this.#doing('report on the backend', signal, async () => {
      const { totalBytes, freeBytes } = await this.#directory.space();
      return [
        {
          pool_name: this.#options.poolName ?? this.#options.name,
          volume_backend_name: this.#options.name,
          vendor_name: this.capabilities.vendorName,
          driver_version: this.capabilities.driverVersion,
          storage_protocol: this.capabilities.storageProtocol,
          total_capacity_gb: Math.floor((totalBytes / GIB) * 100) / 100,
          free_capacity_gb: Math.floor((freeBytes / GIB) * 100) / 100,
          reserved_percentage: this.#options.reservedPercentage ?? 0,
          max_over_subscription_ratio: this.#options.maxOverSubscriptionRatio ?? 20,
          thin_provisioning_support: true,
          thick_provisioning_support: false,
          multiattach: true,
          online_extend_support: true,
        },
      ];
    });
  }

  // ── Volumes

  createVolume(volume: VolumeRef, call: Call): Promise<ModelUpdate> {
    return this.#make(`create volume ${volume.id}`, this.#volume(volume), volume.sizeGiB, call, (path) =>
      setLength(path, volume.sizeGiB * GIB),
    );
  }

  createVolumeFromSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: Call): Promise<ModelUpdate> {
    const doing = `create volume ${volume.id} from snapshot ${snapshot.id}`;
    return this.#make(doing, this.#volume(volume), volume.sizeGiB, call, (path) =>
      this.#copy(this.#snapshot(snapshot), snapshot.sizeGiB, path, volume.sizeGiB * GIB, call),
    );
  }

  createClonedVolume(volume: VolumeRef, source: VolumeRef, call: Call): Promise<ModelUpdate> {
    const doing = `create volume ${volume.id} from volume ${source.id}`;
    return this.#make(doing, this.#volume(volume), volume.sizeGiB, call, (path) =>
      this.#copy(this.#volume(source), source.sizeGiB, path, volume.sizeGiB * GIB, call),
    );
  }

  /** Only a raw image on the backend's own file system can be shared instead of copied. */
  cloneImage(volume: VolumeRef, image: ImageFile, call: Call): Promise<{ cloned: boolean; model: ModelUpdate }> {
    return this.#doing(`clone an image into volume ${volume.id}`, call.signal, async () => {
      const not = { cloned: false, model: {} };
      if (image.format !== 'raw' || !(await this.#learnReflinks())) return not;
      const [file, directory] = await Promise.all([stat(image.path), stat(this.#directory.path)]);
      if (!file.isFile() || file.dev !== directory.dev) return not;
      requireFits(file.size, volume);
      const full = this.#volume(volume);
      const there = await this.#look(full);
      if (there !== null) requireSize(full, there, volume.sizeGiB);
      await this.#removeTemporaries(full);
      let cloned = false;
      await withTemporary(this.#directory.path, full, async (path) => {
        cloned = await reflink(this.#exec, resolve(image.path), path, call.signal);
        if (!cloned) return;
        await syncFile(this.#exec, path, call.signal);
        await setLength(path, volume.sizeGiB * GIB);
        await replace(path, this.#path(full));
      });
      return { cloned, model: {} };
    });
  }

  copyImageToVolume(volume: VolumeRef, image: ImageFile, call: Call): Promise<void> {
    return this.#doing(`copy an image to volume ${volume.id}`, call.signal, async () => {
      const full = this.#volume(volume);
      await this.#demand(full, volume.sizeGiB);
      const { virtualBytes, dataBytes } = await inspect(this.#exec, image, call.signal);
      requireFits(virtualBytes, volume);
      await this.#removeTemporaries(full);
      await withTemporary(this.#directory.path, full, async (path) => {
        await this.#slots.run(call.signal, async () => {
          await this.#requireSpace(dataBytes);
          await convert(this.#exec, image, path, call);
          await syncFile(this.#exec, path, call.signal);
        });
        await setLength(path, volume.sizeGiB * GIB);
        call.signal.throwIfAborted();
        await replace(path, this.#path(full));
      });
    });
  }

  deleteVolume(volume: VolumeRef, call: Call): Promise<void> {
    return this.#delete(`delete volume ${volume.id}`, this.#volume(volume), call);
  }

  extendVolume(volume: VolumeRef, newSizeGiB: number, call: Call): Promise<void> {
    return this.#doing(`extend volume ${volume.id}`, call.signal, async () => {
      const full = this.#volume(volume);
      const bytes = await this.#look(full);
      if (bytes === null) throw new DriverFailed(`${full} is not on the backend.`);
      if (bytes > newSizeGiB * GIB) throw mismatch(full, bytes, newSizeGiB);
      await syncFile(this.#exec, this.#path(full), call.signal);
      await setLength(this.#path(full), newSizeGiB * GIB);
    });
  }

  // ── Snapshots

  createSnapshot(snapshot: SnapshotRef, call: Call): Promise<ModelUpdate> {
    const doing = `create snapshot ${snapshot.id} of volume ${snapshot.volumeId}`;
    return this.#make(doing, this.#snapshot(snapshot), snapshot.sizeGiB, call, (path) =>
      this.#copy(this.#names.of('volume', snapshot.volumeId), snapshot.sizeGiB, path, 0, call),
    );
  }

  deleteSnapshot(snapshot: SnapshotRef, call: Call): Promise<void> {
    return this.#delete(`delete snapshot ${snapshot.id}`, this.#snapshot(snapshot), call);
  }

  // ── What an operator brings and takes away

  manageExistingGetSize(ref: ManageRef, signal: AbortSignal): Promise<number> {
    return this.#doing('look at what is to be managed', signal, async () => inGiB(await this.#manageableBytes(ref)));
  }

  manageExistingSnapshotGetSize(ref: ManageRef, signal: AbortSignal): Promise<number> {
    return this.manageExistingGetSize(ref, signal);
  }

  manageExisting(volume: VolumeRef, ref: ManageRef, call: Call): Promise<ModelUpdate> {
    return this.#takeOver(`manage volume ${volume.id}`, this.#volume(volume), volume.sizeGiB, ref, call);
  }

  manageExistingSnapshot(snapshot: SnapshotRef, ref: ManageRef, call: Call): Promise<ModelUpdate> {
    return this.#takeOver(`manage snapshot ${snapshot.id}`, this.#snapshot(snapshot), snapshot.sizeGiB, ref, call);
  }

  unmanage(volume: VolumeRef, ref: ManageRef | null, call: Call): Promise<void> {
    return this.#giveBack(`unmanage volume ${volume.id}`, this.#volume(volume), ref, call);
  }

  unmanageSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, call: Call): Promise<void> {
    return this.#giveBack(`unmanage snapshot ${snapshot.id}`, this.#snapshot(snapshot), ref, call);
  }

  listManageable(
    kind: Owner['kind'],
    known: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly ManageableObject[]> {
    return this.#doing('list what could be managed', signal, async () => {
      const found: ManageableObject[] = [];
      const everything = await readdir(this.#directory.path);
      const names = new Set(everything);
      for (const name of everything.sort()) {
        const owner = this.#names.owner(name);
        if (name.startsWith('.') || (owner !== null && owner.kind !== kind)) continue;
        signal.throwIfAborted();
        const file = await examine(this.#directory.path, name);
        if (file === null) continue;
        let { reason } = file;
        if (known.has(name)) reason = 'already managed';
        else if (owner !== null && !names.has(unmanagedMark(name))) reason = OURS;
        found.push({ reference: { 'source-name': name }, sizeGiB: inGiB(file.bytes), safe: reason === null, reason });
      }
      return found;
    });
  }

  // ── What is there

  probe(kind: Owner['kind'], id: string, signal: AbortSignal): Promise<Probe> {
    return this.#doing(`look for ${kind} ${id}`, signal, async () => {
      const full = this.#names.of(kind, id);
      const bytes = await this.#look(full);
      if (bytes !== null) return { is: 'present', bytes };
      return (await this.#temporaries(full)).length > 0 ? { is: 'partial' } : { is: 'absent' };
    });
  }

  list(signal: AbortSignal): Promise<readonly BackendObject[]> {
    return this.#doing('list the backend', signal, async () => {
      const objects: BackendObject[] = [];
      for (const name of (await readdir(this.#directory.path)).sort()) {
        if (name.startsWith('.')) continue;
        signal.throwIfAborted();
        const found = await this.#stat(name);
        if (found?.isFile()) objects.push({ name, bytes: found.size, owner: this.#names.owner(name) });
      }
      return objects;
    });
  }

  sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<readonly string[]> {
    return this.#doing('sweep the backend', signal, async () => {
      const swept: string[] = [];
      const everything = await readdir(this.#directory.path);
      const names = new Set(everything);
      for (const name of everything.sort()) {
        signal.throwIfAborted();
        const temporary = this.#names.temporaryOwner(name);
        const marked = this.#names.unmanagedOwner(name);
        const stale =
          isReflinkProbe(name) ||
          (temporary !== null && !busy.has(temporary.id)) ||
          (marked !== null && !busy.has(marked.id) && !names.has(this.#names.of(marked.kind, marked.id)));
        if (!stale) continue;
        await this.#unlink(name, signal);
        swept.push(name);
      }
      return swept;
    });
  }

  // ── Look, act, publish

  /** A new file of this name, made by `fill` out of an empty one. */
  #make(
    doing: string,
    full: string,
    sizeGiB: number,
    call: Call,
    fill: (path: string) => Promise<void>,
  ): Promise<ModelUpdate> {
    return this.#doing(doing, call.signal, async () => {
      const there = await this.#look(full);
      if (there !== null) {
        requireSize(full, there, sizeGiB);
        return {};
      }
      await this.#removeTemporaries(full);
      await withTemporary(this.#directory.path, full, async (path) => {
        await fill(path);
        call.signal.throwIfAborted();
        await publish(path, this.#path(full)).catch(async (error: unknown) => {
          if (errno(error) !== 'EEXIST') throw error;
          await this.#demand(full, sizeGiB);
        });
      });
      return {};
    });
  }

  /** `source` into the empty file at `path`, which is then synced and at least `bytes` long. */
  async #copy(source: string, sourceGiB: number, path: string, bytes: number, call: Call): Promise<void> {
    const sourceBytes = await this.#demand(source, sourceGiB);
    if (bytes > 0 && bytes < sourceGiB * GIB) throw new DriverFailed(`${source} is larger than what it is copied to.`);
    if (!((await this.#learnReflinks()) && (await reflink(this.#exec, this.#path(source), path, call.signal)))) {
      await this.#slots.run(call.signal, async () => {
        await this.#requireSpace((await stat(this.#path(source))).blocks * 512);
        await sparseCopy(this.#exec, this.#path(source), path, call);
        await syncFile(this.#exec, path, call.signal);
      });
    }
    const copied = (await stat(path)).size;
    if (copied !== sourceBytes) throw new DriverFailed(`${source} changed its size while it was copied.`);
    await setLength(path, Math.max(bytes, copied));
  }

  // Renamed first: what is being deleted is gone for everyone at once, and the slow part may be done again.
  #delete(doing: string, full: string, call: Call): Promise<void> {
    return this.#doing(doing, call.signal, async () => {
      if ((await this.#look(full)) !== null) {
        await rename(this.#path(full), this.#path(doomed(full)));
        await syncDirectory(this.#directory.path);
      }
      await removeIfThere(this.#path(unmanagedMark(full)));
      for (const name of await this.#temporaries(full)) await this.#unlink(name, call.signal);
    });
  }

  #takeOver(doing: string, full: string, sizeGiB: number, ref: ManageRef, call: Call): Promise<ModelUpdate> {
    return this.#doing(doing, call.signal, async () => {
      const name = sourceName(ref);
      const there = await this.#look(full);
      if (there !== null) {
        requireSize(full, there, sizeGiB);
        if (name !== full && (await this.#stat(name)) !== null) {
          throw new BackendObjectMismatch(`${full} is there already, and so is ${name}.`);
        }
      } else {
        requireSize(name, await this.#manageableBytes(ref), sizeGiB);
        await rename(this.#path(name), this.#path(full));
      }
      await syncDirectory(this.#directory.path);
      await removeIfThere(this.#path(unmanagedMark(name)));
      return {};
    });
  }

  #giveBack(doing: string, full: string, ref: ManageRef | null, call: Call): Promise<void> {
    return this.#doing(doing, call.signal, async () => {
      const name = ref === null ? full : sourceName(ref);
      if ((await this.#look(full)) === null) return;
      if (name !== full && this.#names.owner(name) === null) {
        if (await giveBack(this.#path(full), this.#path(name))) return;
      }
      await touch(this.#path(unmanagedMark(full)));
    });
  }

  async #manageableBytes(ref: ManageRef): Promise<number> {
    const name = sourceName(ref);
    const file = await examine(this.#directory.path, name);
    if (file === null) throw new ManageExistingInvalidReference(`There is no file ${name} on the backend.`);
    if (this.#names.owner(name) !== null && (await this.#stat(unmanagedMark(name))) === null) {
      throw new ManageExistingAlreadyManaged(`${name} cannot be managed: ${OURS}.`);
    }
    if (file.reason !== null) {
      throw new ManageExistingInvalidReference(`${name} cannot be managed: ${file.reason}.`);
    }
    return file.bytes;
  }

  // ── Small things

  #doing<Result>(doing: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    return translated(doing, signal, async () => {
      await this.#directory.check();
      return await body();
    });
  }

  #volume({ id, nameId }: VolumeRef): string {
    return this.#names.of('volume', nameId ?? id);
  }

  #snapshot({ id }: SnapshotRef): string {
    return this.#names.of('snapshot', id);
  }

  #path(name: string): string {
    return join(this.#directory.path, name);
  }

  async #stat(name: string) {
    return lstat(this.#path(name)).catch((error: unknown) => {
      if (errno(error) === 'ENOENT') return null;
      throw error;
    });
  }

  /** Bytes of the file with this full name; null when there is none. */
  async #look(full: string): Promise<number | null> {
    const found = await this.#stat(full);
    if (found === null) return null;
    if (!found.isFile()) throw new BackendObjectMismatch(`${full} is on the backend, but is not a regular file.`);
    return found.size;
  }

  async #demand(full: string, sizeGiB: number): Promise<number> {
    const bytes = await this.#look(full);
    if (bytes === null) throw new DriverFailed(`${full} is not on the backend.`);
    requireSize(full, bytes, sizeGiB);
    return bytes;
  }

  async #requireSpace(bytes: number): Promise<void> {
    const { freeBytes } = await this.#directory.space();
    if (bytes <= freeBytes) return;
    throw new BackendFull(`The copy needs ${bytes} bytes, and the backend has ${freeBytes} left.`);
  }

  async #learnReflinks(): Promise<boolean> {
    this.#reflinks ??= await canReflink(this.#directory.path).catch((error: unknown) => {
      if (errno(error) === 'ENOSPC' || errno(error) === 'EDQUOT') return undefined;
      throw error;
    });
    return this.#reflinks ?? false;
  }

  async #temporaries(full: string): Promise<string[]> {
    const owner = this.#names.owner(full);
    return (await readdir(this.#directory.path)).filter((name) => {
      const found = this.#names.temporaryOwner(name);
      return found !== null && found.kind === owner?.kind && found.id === owner.id;
    });
  }

  async #removeTemporaries(full: string): Promise<void> {
    for (const name of await this.#temporaries(full)) await removeIfThere(this.#path(name));
  }

  // A child process: freeing a fragmented file takes seconds on Btrfs, and a file thread with it.
  async #unlink(name: string, signal: AbortSignal): Promise<void> {
    await this.#exec(['rm', '-f', '--', this.#path(name)], { signal, timeoutMs: COPY_LIMIT_MS });
  }
}

const OURS = 'it has a name of a volume or snapshot of ours, and was not unmanaged';

function mismatch(name: string, bytes: number, sizeGiB: number): BackendObjectMismatch {
  return new BackendObjectMismatch(`${name} is on the backend with ${bytes} bytes, which is not ${sizeGiB} GiB.`);
}

function requireSize(name: string, bytes: number, sizeGiB: number): void {
  if (inGiB(bytes) !== sizeGiB) throw mismatch(name, bytes, sizeGiB);
}

function requireFits(imageBytes: number, volume: VolumeRef): void {
  if (imageBytes <= volume.sizeGiB * GIB) return;
  throw new ImageTooBig(`The image of ${imageBytes} bytes does not fit volume ${volume.id} of ${volume.sizeGiB} GiB.`);
}
