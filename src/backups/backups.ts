/**
 * The ground of backups: the bytes of a source into a store, and back. It knows no database, no request and no flow.
 *
 * A store holds packs and manifests (`docs/backup-format.md`). A *pack* is some 16 MiB of compressed chunks that never changes; a
 * *manifest* is written last, names every chunk of a volume, and a backup exists when its manifest does. What one backup has stored,
 * later ones of its *scope* only point to. Every manifest is complete: to restore it no other is read, so any other may be deleted,
 * but a pack only when no manifest lists it, and no backup that began before may still come to list it. Who decides that keeps the books.
 *
 * A backup is made in three steps, each of which may be done again after a crash at any point:
 *
 *     openScope ─▶ copy ─▶ bite, bite, bite … ─▶ writeManifest
 *                    ▲         │ recorded by the caller
 *                    └─────────┘ taken over: the next attempt, with all bites that were recorded
 *
 * A *bite* is told when its pack is durable, in order: each begins where the last one ended. What was told and not recorded is done
 * again under another name, and removed by `deleteUnrecorded`. An attempt that was thought dead and goes on later therefore
 * writes packs that nobody lists, and nothing else.
 *
 * Copying, restoring and verifying are done by a child process, so that a service that answers requests stays quick, and a cancelled
 * copy is gone at once. Bytes are counted in bytes, and volumes have whole MiB.
 *
 * Everything rejects with an error of the catalogue (`BackupStoreFull`, `BackupStoreUnavailable`, `BackupStoreRefused`, `BackupMissing`,
 * `BackupDamaged`, `BackupKeyMissing`, `BackupFormatTooNew`, `BackupProcessDied`, `BackupFailed`), whose message an operator can act on, or with the
 * signal's reason soon after it was aborted.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { Content } from '../lib/file-content.ts';
import type { Json } from '../lib/json.ts';
import type { Copied } from '../lib/progress.ts';
import type { StoreAddress } from './stores/store-address.ts';

export interface Backups {
  /**
   * Makes the store and the scope unless they are there. `keyId`: which key a scope that is made is encrypted with; null: with none.
   * Resolves with the store's id, by which whoever knows it sees that another one has been put in its place.
   */
  openScope(scope: BackupScope, keyId: string | null, signal: AbortSignal): Promise<string>;
  /** Wraps the key of an encrypted scope with another one. What is stored stays as it is. False: the scope is not encrypted. */
  changeKey(scope: BackupScope, keyId: string, signal: AbortSignal): Promise<boolean>;
  /** Resolves when all of the source is in the store, in recorded and newly told bites together. */
  copy(order: CopyOrder, watch: CopyWatch): Promise<CopyOutcome>;
  /** After all of the copy. Done again with the same order it writes the same bytes under the same name. */
  writeManifest(order: ManifestOrder, signal: AbortSignal): Promise<BackupManifest>;
  readManifest(place: BackupPlace, signal: AbortSignal): Promise<BackupManifest>;

  /** Resolves when the target holds what the backup does, durably, and zeroes after it. */
  restore(order: RestoreOrder, watch: RestoreWatch): Promise<RestoreOutcome>;
  /** The bytes of a backup, each compared with its digest before it is handed out. Read in this process. */
  content(place: BackupPlace, signal: AbortSignal): Promise<Content>;
  /** What is wrong with backups; nothing when nothing is. Rejects only when they could not be looked at. */
  verify(order: VerifyOrder, watch: VerifyWatch): Promise<VerifyOutcome>;

  /**
   * Makes a damaged backup anew, of what others of its scope hold of the same, as far as they do. Resolves with what it is then; done again it
   * finds little to do. `keep` is told all packs that its manifest will list, before it does, and may reject.
   */
  mend(
    order: MendOrder,
    keep: (packs: readonly string[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<BackupManifest>;

  /** Done when there is none. From then on there is no such backup, and its packs are only bytes. */
  deleteManifest(place: BackupPlace, signal: AbortSignal): Promise<void>;
  /** Names as manifests and bites have them. Done when they are not there. */
  deletePacks(scope: BackupScope, packs: readonly string[], signal: AbortSignal): Promise<void>;
  /** Packs of these attempts that were never recorded. `bites`: all that were. No attempt is under way. */
  deleteUnrecorded(place: BackupPlace, attempts: number, bites: readonly Bite[], signal: AbortSignal): Promise<void>;
  /** What its own list tells, which may lack what was put just now. For a search for orphans, and nothing else. */
  listed(store: StoreAddress, signal: AbortSignal): Promise<StoreListing>;
  /** A backup that a real Cinder has made: what it says of itself. Null: it is not there. Rejects when what it goes back to is not. */
  describeCinder(place: CinderPlace, signal: AbortSignal): Promise<CinderBackup | null>;
  /** As `restore`, but always all of it, from the first byte on. */
  restoreCinder(order: CinderRestoreOrder, watch: RestoreWatch): Promise<void>;
  /** How much more the store takes; null where nobody can say. */
  freeBytes(store: StoreAddress, signal: AbortSignal): Promise<number | null>;
}

/** A key of the operator's. `hex`: 32 bytes. In no answer, no error and no log. */
export interface BackupKey {
  readonly id: string;
  readonly hex: string;
}

/** Backups that share what is equal in them: those of one volume, or of one project, never of two. */
export interface BackupScope {
  readonly store: StoreAddress;
  /** Its name on the store: letters, digits, `-` and `_`. */
  readonly scope: string;
  /** All that this host has; needed are those that encrypted scopes name. */
  readonly keys: readonly BackupKey[];
}

export interface BackupPlace extends BackupScope {
  readonly backupId: string;
}

/** Bytes from `at`. */
export interface ByteRange {
  readonly at: number;
  readonly bytes: number;
}

export interface CopyOrder {
  readonly place: BackupPlace;
  /** From 1, and one more with each take-over, whatever became of the last. */
  readonly attempt: number;
  /** A snapshot: nobody writes to it. */
  readonly source: BackupSource;
  /** Another backup of the scope, complete, to which this one points where it is equal. */
  readonly parentId: string | null;
  /** Where the source may differ from the parent; null: anywhere. Without a parent: null. */
  readonly changed: readonly ByteRange[] | null;
  /** The snapshot of which the parent was made: of chunks that differ a little only those pages are stored. Null: not kept. */
  readonly base: BackupSource | null;
  /** Packs on which nobody can rely: what the parent has in them is stored again. Default: none. */
  readonly damaged?: readonly string[];
  /** All that were recorded, of every attempt, in their order. */
  readonly bites: readonly Bite[];
  /** Of tries before, of other snapshots: what they have stored counts where the source holds the same. Default: none. */
  readonly earlier?: readonly Bite[];
  /** How long a store that is full, busy or silent is asked again before the copy fails. 0: not at all. */
  readonly patienceMs: number;
  /** Of the source, no faster; what is not read is not counted. Default 0: no limit. */
  readonly bytesPerSecond?: number;
}

export interface BackupSource {
  /** `file:PATH`, a raw file or a block device. */
  readonly uri: string;
  readonly bytes: number;
}

/** A part of the source that is in the store: a pack, and all between it and the pack before that needed none. */
export interface Bite {
  /** `BACKUP/ATTEMPT-NUMBER`, below the scope's packs. */
  readonly pack: string;
  /** MiB of the source: the first, and how many. */
  readonly first: number;
  readonly chunks: number;
  /** Of the pack. */
  readonly bytes: number;
  /** Of the pack, in hex. */
  readonly sha256: string;
}

/** How a long work is watched and stopped. */
export interface WorkWatch {
  readonly signal: AbortSignal;
  /** 0…1, and how much of the volume's data. Called about once a second while it lives. */
  progress(fraction: number, copied?: Copied): void;
  /** The store lets it wait: it reads `waits for the store: …`. Null: it goes on. */
  waiting(why: string | null): void;
}

export interface CopyWatch extends WorkWatch {
  bite(bite: Bite): void;
}

export interface CopyOutcome {
  /**
   * How it was found out what to store: `map`, only what was told to have changed was read; `digests`, all was read and compared;
   * `full`, there was nothing to compare with.
   */
  readonly way: 'map' | 'digests' | 'full';
  /** What was told not to have changed had, so all was read after all: the base is of no use any more. */
  readonly distrusted: boolean;
  readonly readBytes: number;
  readonly storedBytes: number;
}

export interface ManifestOrder {
  readonly place: BackupPlace;
  /** As the copy was told. */
  readonly parentId: string | null;
  /** Of the source. */
  readonly bytes: number;
  readonly bites: readonly Bite[];
  /** As the copy was told. */
  readonly earlier?: readonly Bite[];
  readonly createdAt: Timestamp;
  /** Of the volume, for whoever restores it. Kept, never read here. */
  readonly metadata: Json;
}

export interface BackupManifest {
  readonly backupId: string;
  /** Of the volume. */
  readonly bytes: number;
  /** Says what the volume holds, in hex: equal ones within a scope are equal bytes. */
  readonly root: string;
  /** All that this backup needs, also those that others have made. */
  readonly packs: readonly ListedPack[];
  readonly createdAt: Timestamp;
  readonly metadata: Json;
}

export interface ListedPack {
  /** As `Bite.pack`. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface RestoreOrder {
  readonly place: BackupPlace;
  readonly target: RestoreTarget;
  /** What an earlier try has told to be done. */
  readonly doneBytes: number;
  /** What is damaged is left out, and zeroes are in its place; what was left out by an earlier try is not told. Default: it ends the restore. */
  readonly skipsDamaged?: boolean;
  /** As of a copy. */
  readonly patienceMs: number;
  /** Of the target, no faster. Default 0: no limit. */
  readonly bytesPerSecond?: number;
}

/** Where a real Cinder has put one of its backups. Nothing is written there. */
export interface CinderPlace {
  readonly store: StoreAddress;
  /** Of its metadata, in the store. */
  readonly name: string;
}

export interface CinderBackup {
  readonly backupId: string;
  readonly name: string | null;
  readonly volumeId: string;
  /** Of which it is an increment, in the same store; null: it holds all. */
  readonly parentId: string | null;
  readonly createdAt: Timestamp | null;
  /** Of the volume. */
  readonly bytes: number;
  /** How many it has of its own. */
  readonly objects: number;
}

export interface CinderRestoreOrder extends Pick<RestoreOrder, 'target' | 'patienceMs' | 'bytesPerSecond'> {
  readonly place: CinderPlace;
}

export interface RestoreOutcome {
  /** What was left out. */
  readonly missingBytes: number;
  /** Where, in order; only the first hundred. */
  readonly missing: readonly ByteRange[];
}

export interface RestoreTarget {
  /** `file:PATH`, there, and nobody has it open. */
  readonly uri: string;
  /** No less than the backup's. */
  readonly bytes: number;
  /** It holds nothing but zeroes, or what an earlier try has written. */
  readonly isEmpty: boolean;
}

export interface RestoreWatch extends WorkWatch {
  /** So many bytes from the first are in the target, durably. */
  done(bytes: number): void;
}

export interface VerifyOrder {
  readonly place: BackupScope;
  /** Backups of the scope. What several of them are made of is looked at once. */
  readonly backupIds: readonly string[];
  /** Others of it, whose packs are not looked at: of what is found in those of the first it is told what these lose by it. */
  readonly others?: readonly string[];
  /**
   * `present`: its packs are there with their sizes. `packs`: each of their bytes is as it was sent. `chunks`: each chunk can be read and is what it was.
   */
  readonly depth: VerifyDepth;
  /** So much of the packs is read, chosen at random: 0…1. Default: all. The others are only asked for. */
  readonly share?: number;
  /** Of bytes that are read of packs; when they are spent it ends. Default null: no limit. */
  readonly budgetBytes?: number | null;
  /** Packs are looked at in the order of their names, those after this one. Default null: all. */
  readonly after?: string | null;
  /** Packs of which it is known that they are damaged: they are not read again. */
  readonly damaged?: readonly string[];
  /** As of a copy. */
  readonly patienceMs: number;
}

export type VerifyDepth = 'present' | 'packs' | 'chunks';

export interface VerifyWatch extends WorkWatch {
  /** This pack was looked at, and all before it. */
  looked(pack: LookedPack): void;
}

export interface LookedPack {
  readonly pack: string;
  /** What is wrong with it; null: nothing. */
  readonly what: string | null;
}

export interface VerifyOutcome {
  readonly damage: readonly BackupDamage[];
  /** All packs were looked at; false: the budget was spent before. */
  readonly ended: boolean;
  /** Of packs. */
  readonly readBytes: number;
}

export interface BackupDamage {
  readonly backupId: string;
  /** Null: it is the manifest. */
  readonly pack: string | null;
  /** For an operator. */
  readonly what: string;
  /** Of the volume, what cannot be restored; all that lies in the pack where it was not looked at more closely. */
  readonly ranges: readonly ByteRange[];
}

export interface MendOrder {
  readonly place: BackupPlace;
  /** Backups of the scope. */
  readonly sources: readonly string[];
  /** Packs on which nobody can rely. */
  readonly damaged: readonly string[];
  /** In place of a backup's in the names of packs that are stored for it; nobody else's. */
  readonly name: string;
  /** As of a copy. */
  readonly attempt: number;
}

/** By scope: its packs with their bytes, as `Bite.pack` names them, and the backups that have a manifest. */
export type StoreListing = ReadonlyMap<
  string,
  { readonly packs: ReadonlyMap<string, number>; readonly manifests: readonly string[] }
>;
