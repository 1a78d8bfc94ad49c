/**
 * The key of a volume transfer: its bearer may accept the transfer.
 *
 * It is told once, to the user that made the transfer. Kept is a salt and a hash of both, so that neither the database nor a
 * copy of it opens anything; and two keys are compared in a time that says nothing of how alike they are.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What is kept of a key; hexadecimal. */
export interface KeptAuthKey {
  readonly salt: string;
  readonly hash: string;
}

const KEY_BYTES = 8;
const SALT_BYTES = 16;

export function newAuthKey(): { readonly authKey: string; readonly kept: KeptAuthKey } {
  const authKey = randomBytes(KEY_BYTES).toString('hex');
  const salt = randomBytes(SALT_BYTES).toString('hex');
  return { authKey, kept: { salt, hash: digest(salt, authKey).toString('hex') } };
}

export function opens(authKey: string, { salt, hash }: KeptAuthKey): boolean {
  return timingSafeEqual(digest(salt, authKey), Buffer.from(hash, 'hex'));
}

const digest = (salt: string, authKey: string): Buffer =>
  createHmac('sha256', Buffer.from(salt, 'hex')).update(authKey).digest();
