/**
 * Backups, with their long works in child processes: of low priority, with memory of their own, and killed when they are cancelled.
 *
 * glibc gives memory back to the kernel after each chunk, and takes it again for the next, unless it is told not to: that was a third of
 * a copy's time.
 */
import { getCompileCacheDir } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BEHIND_OTHERS, CommandFailed, DIES_WITH_US, type Exec } from '../lib/exec.ts';
import * as errors from '../model/errors.ts';
import type {
  Backups,
  CopyOutcome,
  CopyWatch,
  RestoreOutcome,
  RestoreWatch,
  VerifyOutcome,
  VerifyWatch,
  WorkWatch,
} from './backups.ts';
import { listed } from './listing.ts';
import { mend } from './mend.ts';
import { readManifest } from './read.ts';
import { deleteManifest, deletePacks, deleteUnrecorded } from './remove.ts';
import { contentOfBackup } from './restore/content.ts';
import { changeKey, makeScope, openScope } from './scope.ts';
import type { BackupStore } from './stores/store.ts';
import { type StoreOpener, storeAt } from './stores/store-at.ts';
import type { BackupWork, Told, WorkFailure } from './work.ts';
import { writeManifest } from './write-manifest.ts';

/** A source beside sources, a part of the bundle beside its others. */
const CHILD = fileURLToPath(new URL(`./backup-child${extname(import.meta.filename)}`, import.meta.url));
const MALLOC = { MALLOC_MMAP_THRESHOLD_: '268435456', MALLOC_TRIM_THRESHOLD_: '268435456' };
/**
 * Comes before a program that is to be alone with a file, by its name: the file is locked for as long as the program lives (flock(1)), since a service that is
 * frozen has lost its flow to another, and does not end its child. Who cannot lock it does not begin.
 */
const aloneWith = (file: string, lock: string): readonly string[] => [
  'sh',
  '-c',
  `[ ! -r "$1" ] || { exec 9<"$1"; ${lock}; } || exit; shift; exec "$@"`,
  'sh',
  file,
];
/** What another one writes later would come over what is written next: he is waited for, however long. */
const RESTORES = 'flock -x 9';
/** What another one stores later nobody lists, and `scrub --orphans` removes. */
const COPIES = 'flock -x -w 10 9 || :';
const FILE = 'file:';
/** The longest that a timer takes, 24 days: a work ends when it is done, or when nobody waits for it. */
const LIMIT_MS = 2 ** 31 - 1;

/** What the watch of each work hears. */
type AnyWatch = WorkWatch & Partial<CopyWatch & RestoreWatch & VerifyWatch>;

export interface BackupsOptions {
  readonly exec: Exec;
  /** The program in place of `backup-child.ts`. */
  readonly child?: string;
}

export function makeBackups({ exec, child = CHILD }: BackupsOptions): Backups {
  const run = (work: BackupWork, watch: AnyWatch) => runChild(exec, child, work, watch);
  const opened = openedOnce();
  return {
    openScope: async (scope, keyId, signal) => makeScope(scope, keyId, await opened(scope.store), signal),
    changeKey: async (scope, keyId, signal) => changeKey(scope, keyId, await opened(scope.store), signal),
    copy: async (order, watch) => (await run({ work: 'copy', order }, watch)) as CopyOutcome,
    restore: async (order, watch) => (await run({ work: 'restore', order }, watch)) as RestoreOutcome,
    restoreCinder: async (order, watch) => {
      await run({ work: 'restore_cinder', order }, watch);
    },
    describeCinder: async ({ store, name }, signal) => {
      const { cinderStoreAt } = await import('./cinder/cinder-store.ts');
      const { describeCinder } = await import('./cinder/list-cinder.ts');
      return describeCinder(await cinderStoreAt(store), name, signal);
    },
    verify: async (order, watch) => (await run({ work: 'verify', order }, watch)) as VerifyOutcome,
    writeManifest: async (order, signal) =>
      writeManifest(await openScope(order.place, await opened(order.place.store), signal), order, signal),
    readManifest: async (place, signal) =>
      readManifest(await openScope(place, await opened(place.store), signal), place.backupId, signal),
    content: async (place, signal) =>
      contentOfBackup(await openScope(place, await opened(place.store), signal), place.backupId, signal),
    mend: async (order, keep, signal) =>
      mend(await openScope(order.place, await opened(order.place.store), signal), order, keep, signal),
    deleteManifest: async ({ scope, store, backupId }, signal) =>
      deleteManifest({ name: scope, store: await opened(store) }, backupId, signal),
    deletePacks: async ({ scope, store }, packs, signal) =>
      deletePacks({ name: scope, store: await opened(store) }, packs, signal),
    deleteUnrecorded: async ({ scope, store, backupId }, attempts, bites, signal) =>
      deleteUnrecorded({ name: scope, store: await opened(store) }, backupId, attempts, bites, signal),
    listed: async (store, signal) => listed(await opened(store), signal),
    freeBytes: async (store, signal) => (await opened(store)).freeBytes(signal),
  };
}

/** Stores as long as they are asked: their connections are kept, and who has signed in stays signed in. */
function openedOnce(): StoreOpener {
  const stores = new Map<string, Promise<BackupStore>>();
  return (address) => {
    const key = JSON.stringify(address);
    const found = stores.get(key) ?? storeAt(address);
    stores.set(key, found);
    found.catch(() => stores.delete(key));
    return found;
  };
}

async function runChild(exec: Exec, child: string, work: BackupWork, watch: AnyWatch): Promise<unknown> {
  const lines = new Lines();
  let last: Extract<Told, { ended: unknown } | { failed: unknown }> | undefined;
  const hear = (told: Told): void => {
    if ('bite' in told) watch.bite?.(told.bite);
    else if ('done' in told) watch.done?.(told.done);
    else if ('looked' in told) watch.looked?.(told.looked);
    else if ('progress' in told) watch.progress(told.progress, told.copied);
    else if ('waiting' in told) watch.waiting(told.waiting);
    else last = told;
  };
  const cache = getCompileCacheDir();
  try {
    await exec([...DIES_WITH_US, ...aloneOn(work), ...BEHIND_OTHERS, process.execPath, child], {
      signal: watch.signal,
      timeoutMs: LIMIT_MS,
      input: JSON.stringify(work),
      environment: { ...MALLOC, ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) },
      onOutput: (text) => {
        for (const line of lines.of(text)) hear(JSON.parse(line) as Told);
      },
    });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new errors.BackupProcessDied(`The process that was to ${work.work} was ended.`, { cause: error });
  }
  if (last === undefined)
    throw new errors.BackupProcessDied(`The process that was to ${work.work} ended without a word.`);
  if ('failed' in last) throw errorOf(last.failed);
  return last.ended;
}

/** Who looks at what is in a store is in nobody's way. */
function aloneOn(work: BackupWork): readonly string[] {
  if (work.work === 'verify') return [];
  const [{ uri }, lock] = work.work === 'copy' ? [work.order.source, COPIES] : [work.order.target, RESTORES];
  return uri.startsWith(FILE) ? aloneWith(uri.slice(FILE.length), lock) : [];
}

/** Whole lines out of pieces of text. */
class Lines {
  #rest = '';

  of(text: string): string[] {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }
}

/** Of the catalogue's by its name; what the catalogue does not have is an error of ours. */
function errorOf({ name, message, reason }: WorkFailure): Error {
  const kinds: Readonly<Record<string, new (message: string, options: ErrorOptions) => errors.PumiceError>> = {
    BackendFull: errors.BackendFull,
    BackupDamaged: errors.BackupDamaged,
    BackupFailed: errors.BackupFailed,
    BackupFormatTooNew: errors.BackupFormatTooNew,
    BackupKeyMissing: errors.BackupKeyMissing,
    BackupMissing: errors.BackupMissing,
    BackupStoreFull: errors.BackupStoreFull,
    BackupStoreRefused: errors.BackupStoreRefused,
    BackupStoreUnavailable: errors.BackupStoreUnavailable,
  };
  const Kind = kinds[name];
  const cause = reason === null ? undefined : new Error(reason);
  return Kind === undefined ? new Error(`${name}: ${message}`, { cause }) : new Kind(message, { cause });
}
