/**
 * A store and a scope, opened: what is in `pumice-store.json` and `scope.json`, which are written once.
 *
 * Both are looked at before anything else is read or written: what a newer release has made is left alone, and so is what is encrypted
 * with a key that is not here.
 */
import { now, uuid } from '../lib/clock.ts';
import type { Json } from '../lib/json.ts';
import {
  BackupDamaged,
  BackupFormatTooNew,
  BackupKeyMissing,
  BackupMissing,
  BackupStoreRefused,
} from '../model/errors.ts';
import type { BackupKey, BackupScope } from './backups.ts';
import { type Document, FORMAT, readable } from './format/document.ts';
import { encrypted } from './format/encryption.ts';
import { STORE_FILE, scopeFile } from './format/names.ts';
import { type Sealing, UNENCRYPTED } from './format/sealing.ts';
import { CHUNK_BYTES } from './format/segment.ts';
import { newScopeKey, unwrapKey, type WrappedKey, wrapKey } from './keys.ts';
import type { BackupStore } from './stores/store.ts';

/** All that is needed to read and write in a scope. */
export interface OpenScope {
  readonly name: string;
  readonly store: BackupStore;
  readonly sealing: Sealing;
}

/**
 * Makes both unless they are there. Resolves with the store's id. Rejects with `BackupKeyMissing` when the scope that is there cannot be
 * read with these keys, or none of them is called `keyId`.
 */
export async function makeScope(
  { scope, keys }: Pick<BackupScope, 'scope' | 'keys'>,
  keyId: string | null,
  store: BackupStore,
  signal: AbortSignal,
): Promise<string> {
  await store.tidy(signal);
  const made = { format: FORMAT, store: uuid(), created_at: now() };
  if (!(await store.putNew(STORE_FILE, toText(made), signal))) await readStore(store, signal);
  const encryption = keyId === null ? null : wrapKey(scope, newScopeKey(), keyOf(keyId, keys));
  const chosen = { format: FORMAT, scope, chunk_bytes: CHUNK_BYTES, encryption: encryption && { ...encryption } };
  if (!(await store.putNew(scopeFile(scope), toText(chosen), signal))) await openScope({ scope, keys }, store, signal);
  return (await readStore(store, signal)).store as string;
}

/** Rejects with `BackupStoreRefused` where no store is, `BackupMissing` where there is no such scope. */
export async function openScope(
  { scope, keys }: Pick<BackupScope, 'scope' | 'keys'>,
  store: BackupStore,
  signal: AbortSignal,
): Promise<OpenScope> {
  await readStore(store, signal);
  const { encryption } = await readScope(scope, store, signal);
  const sealing = encryption === null ? UNENCRYPTED : encrypted(scope, unwrapKey(scope, encryption, keys));
  return { name: scope, store, sealing };
}

/** Wraps the key of a scope with another of the keys. False: it has none. */
export async function changeKey(
  { scope, keys }: Pick<BackupScope, 'scope' | 'keys'>,
  keyId: string,
  store: BackupStore,
  signal: AbortSignal,
): Promise<boolean> {
  const { document, encryption } = await readScope(scope, store, signal);
  if (encryption === null) return false;
  const wrapped = wrapKey(scope, unwrapKey(scope, encryption, keys), keyOf(keyId, keys));
  await store.put(scopeFile(scope), toText({ ...document, encryption: { ...wrapped } }), signal);
  return true;
}

function keyOf(id: string, keys: readonly BackupKey[]): BackupKey {
  const key = keys.find((each) => each.id === id);
  if (key === undefined) throw new BackupKeyMissing(`This host has no key ${id} of backups.`);
  return key;
}

async function readStore(store: BackupStore, signal: AbortSignal): Promise<Document> {
  return read(STORE_FILE, store, signal).catch((error: unknown) => {
    if (error instanceof BackupMissing)
      throw new BackupStoreRefused(`No backup store is there: it has no ${STORE_FILE}.`, { cause: error });
    throw error;
  });
}

async function readScope(scope: string, store: BackupStore, signal: AbortSignal) {
  const document = await read(scopeFile(scope), store, signal);
  if (document.scope !== scope) throw new BackupDamaged(`${scopeFile(scope)} is of another scope.`);
  if (document.chunk_bytes !== CHUNK_BYTES)
    throw new BackupFormatTooNew(`Scope ${scope} has chunks of ${JSON.stringify(document.chunk_bytes)} bytes.`);
  return { document, encryption: document.encryption as unknown as WrappedKey | null };
}

async function read(name: string, store: BackupStore, signal: AbortSignal): Promise<Document> {
  const text = (await store.get(name, signal)).toString();
  try {
    return readable(text);
  } catch (error) {
    if (error instanceof BackupFormatTooNew) throw new BackupFormatTooNew(`${name}: ${error.message}`);
    throw new BackupDamaged(`${name} cannot be understood.`, { cause: error });
  }
}

const toText = (document: Json): Buffer => Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
