/**
 * Envelope encryption of backups: the keys of an operator, each 32 bytes in a file that nobody else can read, and a scope's own key,
 * which lies on the store wrapped with one of them. To change which, only that is written anew; what the scope holds stays as it is.
 *
 * Whoever loses the file of a key has lost the backups of all scopes that it wraps.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BackupKeyMissing } from '../model/errors.ts';
import type { BackupKey } from './backups.ts';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Rejects with `BackupKeyMissing`, which says what is wrong with the file and nothing of what is in it. */
export async function readBackupKey(id: string, path: string): Promise<BackupKey> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new BackupKeyMissing(`Key ${id} of backups cannot be used: ${path} ${why}.`, { cause });
  };
  const file = await open(path, constants.O_RDONLY).catch((error: unknown) => refuse('cannot be opened', error));
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) refuse('can be read by others (its mode should be 0600)');
    if (size !== KEY_BYTES) refuse(`has ${size} bytes in place of ${KEY_BYTES}`);
    return { id, hex: (await file.readFile()).toString('hex') };
  } finally {
    await file.close();
  }
}

/** How a scope says which key it needs. */
export interface WrappedKey {
  readonly cipher: 'aes-256-gcm';
  readonly key_id: string;
  /** Nonce, key and tag, in Base64. */
  readonly wrapped_key: string;
}

export const newScopeKey = (): Buffer => randomBytes(KEY_BYTES);

export function wrapKey(scope: string, scopeKey: Buffer, { id, hex }: BackupKey): WrappedKey {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(hex, 'hex'), nonce).setAAD(associated(scope));
  const wrapped = Buffer.concat([nonce, cipher.update(scopeKey), cipher.final(), cipher.getAuthTag()]);
  return { cipher: 'aes-256-gcm', key_id: id, wrapped_key: wrapped.toString('base64') };
}

/** Throws `BackupKeyMissing` when none of the keys is the one. */
export function unwrapKey(
  scope: string,
  { cipher, key_id: id, wrapped_key }: WrappedKey,
  keys: readonly BackupKey[],
): Buffer {
  const key = keys.find((each) => each.id === id);
  if (key === undefined || cipher !== 'aes-256-gcm')
    throw new BackupKeyMissing(
      `The backups of scope ${scope} are encrypted with key ${id}, which this host does not have.`,
    );
  const wrapped = Buffer.from(wrapped_key, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key.hex, 'hex'), wrapped.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(associated(scope)).setAuthTag(wrapped.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(wrapped.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (error) {
    const message = `The backups of scope ${scope} are encrypted with another key ${id} than this host has.`;
    throw new BackupKeyMissing(message, { cause: error });
  }
}

const associated = (scope: string): Buffer => Buffer.from(`key of ${scope}`);
