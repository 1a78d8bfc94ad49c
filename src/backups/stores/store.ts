/**
 * The contract between backups and a store of theirs: named bytes that are written once.
 *
 * Names are as `format/names.ts` makes them. An object never changes: it is not there, or it is there with all of its bytes, whoever
 * looks and whenever, also after a power cut. What was put is seen by whoever asks for it by its name from then on; that a list shows it
 * too is not asked for, and nothing but a search for orphans lists.
 *
 * Failures are `BackupStoreFull`, `BackupStoreUnavailable` (the same call may succeed later), `BackupStoreRefused` (it will
 * not, before an operator did something), `BackupMissing`, `BackupDamaged` and `BackupFailed`; every call ends soon after its `signal`
 * is aborted, with the signal's reason. A call that failed may have done its work all the same, and may be made again.
 */
export interface BackupStore {
  /** Up to which size it likes packs: each is sent from memory, in one call. */
  readonly packBytes: number;
  /**
   * All bytes of an object, or those of a range. Rejects with `BackupMissing` when there is none, with `BackupDamaged` when it has fewer
   * bytes than the range wants: never resolves with less than was asked for. Its memory is the caller's alone, to be given back.
   */
  get(name: string, signal: AbortSignal, range?: StoreRange): Promise<Buffer>;
  /** Resolves when the object is there, durably. `body` must not change meanwhile. One that was there is replaced. */
  put(name: string, body: Buffer, signal: AbortSignal): Promise<void>;
  /** The same, unless there is one, of which nothing is changed: false. Of several at once, one puts. */
  putNew(name: string, body: Buffer, signal: AbortSignal): Promise<boolean>;
  /** How many bytes it has; null when there is none. */
  head(name: string, signal: AbortSignal): Promise<number | null>;
  /** Done when there is none. */
  delete(name: string, signal: AbortSignal): Promise<void>;
  /** Everything whose name begins so. What was put or deleted a while ago is told right. For a search for orphans, and nothing else. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredObject>;
  /** Removes what puts that were interrupted long ago have left, where they leave anything. */
  tidy(signal: AbortSignal): Promise<void>;
  /** How many bytes it has room for; null where nobody can say. */
  freeBytes(signal: AbortSignal): Promise<number | null>;
}

export interface StoreRange {
  readonly at: number;
  readonly bytes: number;
}

export interface StoredObject {
  readonly name: string;
  readonly bytes: number;
}
