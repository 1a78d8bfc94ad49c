/**
 * The contract between flows and a backend.
 *
 * Every method is told ids and the state that is wanted, never "do the next step", and is idempotent by id: a name on the
 * backend is a function of the id, so a call that comes again after a crash finds the work of the lost call. The
 * postcondition decides, not an exit code: "already there" is success only when the object matches (size, kind), else
 * `BackendObjectMismatch`; "already gone" is always success for a delete. Nothing appears under its full name before it is
 * whole and durable; a half-made thing has a temporary name that `sweep` may remove.
 *
 * A driver never sees the database. Failures are the errors of `model/errors.ts` (`BackendFull`, `DriverNotInitialized`,
 * `DriverFailed` …): their `elsewhere` and `transient` decide how the flow goes on; nothing is half-made after any of them.
 * Every call ends soon after its `signal` is aborted, with the signal's reason.
 *
 * Files of clients (found, not made; given back, under any name) are renamed, never deleted: `manage…` and `unmanage…` are
 * each other's inverse. A full name in `list()` that no row knows is reported, never removed.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { Content, DataExtent } from '../lib/file-content.ts';
import type { Copied, Wait } from '../lib/progress.ts';
import type { ConnectionInfo, Connector } from '../model/attachment.ts';
import type { PoolStats } from '../model/backend.ts';
import type { Specs } from '../model/specs.ts';
import type { OpenedSource, RemoteSource } from './remote-source.ts';

/** How a call is watched and stopped. */
export interface DriverCall {
  readonly signal: AbortSignal;
  /** 0…1 of a long copy. Safe to call often; the engine thins it out. */
  progress(fraction: number, copied?: Copied): void;
  /** What it waits for, for people; null: it goes on. */
  waiting?(wait: Wait | null): void;
  /** For whom it is done. Calls of many projects have fair parts where they wait for each other. */
  readonly projectId?: string;
  /** Waits for what others have. Whoever calls may let something else be done meanwhile in its place. */
  aside?<Result>(wait: Promise<Result>): Promise<Result>;
}

/** Whom a volume is opened to, and how. */
export interface ExportRef {
  readonly attachmentId: string;
  readonly volume: VolumeRef;
  readonly connector: Connector;
  readonly readOnly: boolean;
  /** What the client proves itself with. In no answer, no error and no log. */
  readonly secret: string;
  /** What whoever opens it is kept to, as QoS specs say it: asked by those who can keep anybody to it. Absent: what it was kept to. */
  readonly limits?: () => Promise<Specs>;
  /** How it was reached before; null when it was not. It is to be reached so again, where that can be. */
  readonly reached?: ConnectionInfo | null;
}

/** An export that is there. */
export interface Exported {
  readonly attachmentId: string;
}

/** A volume as a driver needs it. Sizes are GiB, as rows have them. */
export interface VolumeRef {
  readonly id: string;
  /** The id the backend's name is made from, when it is not `id` (after a migration). */
  readonly nameId?: string | null;
  readonly sizeGiB: number;
}

export interface SnapshotRef {
  readonly id: string;
  readonly volumeId: string;
  /** `nameId` of the volume. A backend may find the snapshot by its volume alone. */
  readonly volumeNameId?: string | null;
  /** Size of the volume when the snapshot was taken, GiB. */
  readonly sizeGiB: number;
}

/** `{"source-name": …}` or `{"source-id": …}`: how an operator names something that exists on the backend. */
export type ManageRef = { readonly [key: string]: string };

/** What a driver wants kept in the row; small and JSON. */
export interface ModelUpdate {
  readonly providerLocation?: string;
  readonly providerId?: string;
}

/** A volume's bytes as this machine reads them: a raw file or device. Nobody writes to it while it is read. */
export interface RawSource {
  readonly path: string;
  readonly bytes: number;
  /** Of these, what may be data. Of a device, whose blocks do not tell. */
  readonly dataBytes?: number;
}

/** Whether a volume that is received may share nothing with what it comes from. */
export type CopyHow = { readonly copies: boolean };

/** A volume that is attached and written to, until those who have it open are made to wait. */
export interface LiveSource extends RawSource {
  /** What it holds at one moment, in a file that is there until the next but one is asked for. Null where blocks cannot be shared. */
  moment(): Promise<string | null>;
  /** They wait: when it resolves, the file holds all that was ever answered. Rejects with `LiveMoveRefused`. */
  hold(): Promise<void>;
}

/** What exists for an id: `partial` is a temporary of that id and nothing else. */
export type Probe =
  | { readonly is: 'absent' }
  | { readonly is: 'partial' }
  | { readonly is: 'present'; readonly bytes: number };

/** What a backup is made from. */
export type BackupOrigin = { readonly volume: VolumeRef } | { readonly snapshot: SnapshotRef };

/** Which volume, of whatever size. */
export type VolumeName = Pick<VolumeRef, 'id' | 'nameId'>;
/** Which snapshot, of whatever size. */
export type SnapshotName = Pick<SnapshotRef, 'id' | 'volumeId' | 'volumeNameId'>;

/** What an object of ours is found by: a snapshot, and what is kept for a backup, may be a part of its volume. */
export type ObjectName =
  | ({ readonly kind: 'volume' } & VolumeName)
  | ({ readonly kind: 'snapshot' } & SnapshotName)
  | { readonly kind: 'image'; readonly id: string }
  | { readonly kind: 'backup'; readonly id: string; readonly volume: VolumeName };

/** What is known of an export that is to be closed. Of one that no row knows there is its id alone. */
export interface ClosedExport {
  readonly attachmentId: string;
  readonly volume?: VolumeName;
  readonly connector?: Connector;
}

/** What is kept of an earlier backup, beside a later one. */
export interface BackupBase extends RawSource {
  /** In order: all where the two may differ. What is outside is the same, and nobody reads it. Null: the backend cannot tell. */
  readonly changed: readonly DataExtent[] | null;
}

/** What backends hold under names of ours. An `image` is a cached one, a `backup` is what `keepForBackup` has kept. */
export type ObjectKind = ObjectName['kind'];

/** One thing on the backend, by its full name or a foreign one. Temporaries are not listed. */
export interface BackendObject {
  readonly name: string;
  readonly bytes: number;
  /** Which row it would belong to; null for a name that is not ours. */
  readonly owner: { readonly kind: ObjectKind; readonly id: string } | null;
  /** Since when it belongs to its operator under this name (`unmanage`); null when it was not given back. */
  readonly unmanagedAt: Timestamp | null;
  /** Why nothing can be done with it, though it has its name: a clause that the name begins. */
  readonly unservable?: string;
}

/** An entry of "list manageable": an object that could be brought under management, or why not. */
export interface ManageableObject {
  readonly reference: ManageRef;
  readonly sizeGiB: number;
  readonly safe: boolean;
  readonly reason: string | null;
}

/** A disk image in a local file, ready to be read. */
export interface ImageFile {
  readonly path: string;
  /** As the image's metadata says. Never guessed from the bytes. */
  readonly format: 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhd';
}

/** An image that a backend may take as it lies, before anybody has fetched it. */
export interface ImageAtRest extends Pick<ImageFile, 'format'> {
  /** Where this machine has it as a file; null: nowhere. */
  readonly path: string | null;
  /** Where the image service says that it lies (`rbd://fsid/pool/image/snapshot`). Asked for where `imageSchemes` names some alone. */
  readonly locations: readonly string[];
}

/** Formats that a volume can be written as, but for `raw`, which is what it holds. Others would be of another size, or read by few. */
export const WRITTEN_FORMATS = ['qcow2', 'vmdk', 'vdi'] as const;

export interface WrittenImage {
  readonly path: string;
  readonly format: (typeof WRITTEN_FORMATS)[number];
}

export interface DriverCapabilities {
  readonly vendorName: string;
  readonly driverVersion: string;
  readonly storageProtocol: string;
  /** Snapshots and clones cost no copy, and are a point in time also of a volume that is being written. */
  readonly fastClone: boolean;
  readonly onlineExtend: boolean;
  /** `createGroupSnapshot` may be asked for. */
  readonly consistentGroupSnapshot: boolean;
  /** What `keepForBackup` keeps takes no more room than the volume changes, so that it may be kept on as a base (`changedSince`). */
  readonly backupBases: boolean;
  /** Of which locations of images it may make volumes (`rbd`), so that they are worth asking for. */
  readonly imageSchemes: readonly string[];
}

export interface VolumeDriver {
  /**
   * `one`: of all processes the one that holds the backend (`hold`) works on it. `many`: every process that names it does, all at once, on
   * different volumes; each method then stands what the others do. Known from the beginning.
   */
  readonly servedBy: 'one' | 'many';
  /** Known after `start`. */
  readonly capabilities: DriverCapabilities;

  /** Probes the backend. Rejects with `DriverNotInitialized` when it cannot be used; may be called again. */
  start(signal: AbortSignal): Promise<void>;

  /**
   * Keeps every other process off this backend until `release`, or until this one ends, however it ends. False: another has
   * it, maybe one that was frozen in mid-call and will go on when it is thawed; its host is not to be served before it is
   * dead. After `start`, only by who serves; true again when this one has it. A backend that many serve keeps nobody off.
   */
  hold(signal: AbortSignal): Promise<boolean>;
  release(): void;
  /** The backend has fallen silent: it is asked nothing but whether it is back. Absent: nobody can tell but by asking. */
  readonly isSilent?: boolean;
  /** Of a backend that many serve: others go on with what was done here, so programs that still have something open there end. */
  leave?(): void;
  /** Names of the processes that have worked on a backend that many serve, and were not fenced since; ours is among them. */
  processes(signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Of a backend that many serve: when it resolves, what that process has asked of the backend has happened, or never will, even if it was
   * frozen and is thawed. Its flows go on only then. Done when the backend has not heard of it.
   */
  fence(process: string, signal: AbortSignal): Promise<void>;

  /** One report a pool. Rejects when the backend does not answer. */
  stats(signal: AbortSignal): Promise<readonly PoolStats[]>;

  createVolume(volume: VolumeRef, call: DriverCall): Promise<ModelUpdate>;
  /** A volume with the snapshot's content; grown to `volume.sizeGiB` when that is larger. */
  createVolumeFromSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: DriverCall): Promise<ModelUpdate>;
  createClonedVolume(volume: VolumeRef, source: VolumeRef, call: DriverCall): Promise<ModelUpdate>;
  /**
   * Where this machine reads the volume, or writes to it: until `closeVolume`, or this process ends; then it is to be located again. The
   * same path each time. Rejects with `DriverFailed` when it is not there, or not of its size.
   */
  locateVolume(volume: VolumeRef, access: 'read' | 'write', signal: AbortSignal): Promise<RawSource>;
  /** What `locateVolume` has opened here, if anything, is closed, and what `keepForBackup` and `changedSince` have of this volume. */
  closeVolume(volume: VolumeName, signal: AbortSignal): Promise<void>;
  /**
   * Opens the volume to one other machine, which is to receive it and nothing else, under an id by which `removeExport` closes it. Nobody
   * writes to it meanwhile. Rejects with `DriverFailed` where volumes can be reached on this machine alone.
   */
  openVolume(
    volume: VolumeRef,
    opening: { readonly id: string; readonly secret: string },
    call: DriverCall,
  ): Promise<RemoteSource>;
  /**
   * A volume with the bytes of another backend's, of the same size, which that backend has until it is told to delete it. Neither is written
   * to before: the two may share all they hold, but where `copies` says that they may not.
   */
  receiveVolume(
    volume: VolumeRef,
    source: RawSource | OpenedSource,
    how: CopyHow,
    call: DriverCall,
  ): Promise<ModelUpdate>;
  /**
   * Gives a volume that is attached, and written to meanwhile, to another backend of this process: `receive` is `receiveLive` of that one, and
   * has called `hold` when it resolves. Then they who have it open wait for `goOn`, and nobody writes to it before; what ends this
   * process ends what serves them. When it rejects they have gone on with this volume. Rejects with `LiveMoveRefused` where they cannot
   * be made to wait.
   */
  giveLive<R>(volume: VolumeRef, receive: (source: LiveSource) => Promise<R>, call: DriverCall): Promise<R>;
  /**
   * `receiveVolume` of a volume that is attached: made anew by each call, and whole when it resolves. Rejects with `LiveMoveRefused` where
   * what is written meanwhile cannot be followed.
   */
  receiveLive(volume: VolumeRef, source: LiveSource, how: CopyHow, call: DriverCall): Promise<ModelUpdate>;
  /**
   * Those who wait since `giveLive` go on with the new file at `path`, or the old one (null). Whoever did not get so far, or does not wait,
   * has no export any more, or the one of before: `ensureExport` afterwards makes it right.
   */
  goOn(volume: VolumeRef, path: string | null, call: DriverCall): Promise<void>;
  /** Try to make the volume from the image without copying it through us. False: cannot, nothing was made. */
  cloneImage(
    volume: VolumeRef,
    image: ImageAtRest,
    call: DriverCall,
  ): Promise<{ readonly cloned: boolean; readonly model: ModelUpdate }>;
  /**
   * Fills a volume that `createVolume` made. The volume keeps its size; its whole content is the image's, then zeroes.
   * Until that is so it has the content it had.
   * Rejects with `ImageUnacceptable` (it is of another format, names another file, or has lost a part), `ImageTooBig`,
   * `ImageCopyFailure`.
   */
  copyImageToVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void>;
  /**
   * Keeps an image to make volumes of, raw and of its own size in whole GiB, unless it is there: `id` says which image it is, in which
   * version. Of use where clones cost no copy (`capabilities.fastClone`). Rejects as `copyImageToVolume` does, with `ImageTooBig` for
   * more than `mostGiB`.
   */
  cacheImage(id: string, image: ImageFile, mostGiB: number, call: DriverCall): Promise<void>;
  /** A volume with a cached image's content, then zeroes. False, and nothing was made: the image is not there, or larger than the volume. */
  createVolumeFromCachedImage(
    volume: VolumeRef,
    id: string,
    call: DriverCall,
  ): Promise<{ readonly made: boolean; readonly model: ModelUpdate }>;
  /** Volumes that were made of it keep what they hold. */
  dropCachedImage(id: string, call: DriverCall): Promise<void>;
  /** Rejects with `VolumeIsBusy` before anything was destroyed. */
  deleteVolume(volume: VolumeRef, call: DriverCall): Promise<void>;
  /** Only ever grows; equal is done. Who has it attached sees the new size. */
  extendVolume(volume: VolumeRef, newSizeGiB: number, call: DriverCall): Promise<void>;

  /**
   * Gives the volume the snapshot's content, and zeroes after it. The volume keeps its size. At any time it holds the whole of what it
   * held or the whole of what it is to hold. Rejects with `VolumeIsBusy` while it is exported: whoever has it open would keep
   * the old content.
   */
  revertToSnapshot(volume: VolumeRef, snapshot: SnapshotRef, call: DriverCall): Promise<void>;
  /** The same with an image, shared where it can be, else as `copyImageToVolume` copies it. Rejects as both do. */
  reimageVolume(volume: VolumeRef, image: ImageFile, call: DriverCall): Promise<void>;

  /**
   * What the volume holds, from its first byte to its last. It is read each time anew; what nobody wrote is not read. Nobody may write to
   * the volume meanwhile: who asks holds it, and it is attached to nobody.
   */
  readVolume(volume: VolumeRef, signal: AbortSignal): Promise<Content>;
  /**
   * The same as an image of this format, a new file at `image.path` in place of whatever is there. Rejects with `ImageTooBig` where there
   * is no room for it, which is looked at first, `ImageCopyFailure`; then there is no file.
   */
  copyVolumeToImage(volume: VolumeRef, image: WrittenImage, call: DriverCall): Promise<void>;

  createSnapshot(snapshot: SnapshotRef, call: DriverCall): Promise<ModelUpdate>;
  /**
   * Snapshots of several volumes in one moment, also while these are written: whoever writes waits meanwhile. All of them have
   * their full names when it resolves, with an answer for each in the order that was asked. When it rejects some may have, which
   * the same call completes, all of one moment, and `deleteSnapshot` of each takes away. Rejects with `ConsistentSnapshotRefused`
   * where the moment cannot be kept, and nothing was made.
   */
  createGroupSnapshot(snapshots: readonly SnapshotRef[], call: DriverCall): Promise<readonly ModelUpdate[]>;
  deleteSnapshot(snapshot: SnapshotRef, call: DriverCall): Promise<void>;

  /**
   * What the volume or the snapshot holds now, kept as it is for one backup until `dropForBackup`: whole GiB, which nobody writes to. Where it
   * is read is asked again by whoever comes after this process. It is nobody's snapshot. Of a volume that is being written it is one moment where `fastClone` says so.
   */
  keepForBackup(backupId: string, of: BackupOrigin, call: DriverCall): Promise<RawSource>;
  /**
   * Where what is kept for a backup differs from what was kept for an earlier one of the same volume, whatever was done to that between: it may
   * have been written to, grown, reverted, or given an image. Null: of the earlier one nothing is kept.
   */
  changedSince(volume: VolumeName, earlierId: string, backupId: string, call: DriverCall): Promise<BackupBase | null>;
  /** Done also when the volume is gone, which may have taken it along. */
  dropForBackup(backupId: string, volume: VolumeName, call: DriverCall): Promise<void>;

  /**
   * Opens the volume to one attachment's connector, and says how it is reached. What is there and not as wanted is made
   * anew. Rejects with `InvalidConnector`.
   */
  ensureExport(wanted: ExportRef, call: DriverCall): Promise<ConnectionInfo>;
  /** When it resolves, nobody reaches the volume through this attachment any more: sessions are ended, not only refused. */
  removeExport(closed: ClosedExport, call: DriverCall): Promise<void>;
  /** What is exported now; nothing of it, maybe, after whatever serves it has died. */
  listExports(signal: AbortSignal): Promise<readonly Exported[]>;

  /** Size of what `ref` names, in GiB rounded up. Rejects with `ManageExistingInvalidReference`. */
  manageExistingGetSize(ref: ManageRef, signal: AbortSignal): Promise<number>;
  /**
   * Takes over by renaming; when the rename was already made, the answer is given again. What has one of our own names is
   * taken only if `unmanage` left it there, else `ManageExistingAlreadyManaged`. Its bytes stay as they are. With the same
   * arguments it takes back what `unmanage` gave, under whichever name that is now.
   */
  manageExisting(volume: VolumeRef, ref: ManageRef | null, call: DriverCall): Promise<ModelUpdate>;
  /** Gives back: the object gets the name it had (`ref`), or keeps ours when that is taken or `ref` is null. */
  unmanage(volume: VolumeRef, ref: ManageRef | null, call: DriverCall): Promise<void>;
  manageExistingSnapshotGetSize(ref: ManageRef, snapshot: SnapshotName, signal: AbortSignal): Promise<number>;
  manageExistingSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, call: DriverCall): Promise<ModelUpdate>;
  unmanageSnapshot(snapshot: SnapshotRef, ref: ManageRef | null, call: DriverCall): Promise<void>;
  /** What could be managed; `known` holds the full names that rows own. */
  listManageable(
    kind: 'volume' | 'snapshot',
    known: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly ManageableObject[]>;

  probe(object: ObjectName, signal: AbortSignal): Promise<Probe>;
  list(signal: AbortSignal): Promise<readonly BackendObject[]>;
  /**
   * Removes temporaries of ids not in `busy`: the resources of unfinished flows, a volume by its `nameId` where it has
   * one. Returns their names.
   */
  sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<readonly string[]>;
}
