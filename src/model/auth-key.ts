/**
 * The key of a volume transfer: its bearer may accept the transfer.
 *
 * It is told once, to the user that made the transfer. Kept is a salt and a hash of both, so that neither the database nor a
 * copy of it opens anything; and two keys are compared in constant time, which says nothing of how alike they are.
 *
 * A transfer that a Cinder has made goes on opening by its key: there the hash is HMAC-SHA1, and the key of the HMAC is the salt's text.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What is kept of a key; hexadecimal. */
export interface KeptAuthKey {
  readonly salt: string;
  readonly hash: string;
  readonly scheme: KeyScheme;
}

/** How the hash is made: ours, and Cinder's. */
export type KeyScheme = 'hmac-sha256' | 'cinder';

const KEY_BYTES = 8;
const SALT_BYTES = 16;

export function newAuthKey(): { readonly authKey: string; readonly kept: KeptAuthKey } {
  const authKey = randomBytes(KEY_BYTES).toString('hex');
  const salt = randomBytes(SALT_BYTES).toString('hex');
  return {
    authKey,
    kept: { salt, hash: DIGESTS['hmac-sha256'](salt, authKey).toString('hex'), scheme: 'hmac-sha256' },
  };
}

export function opens(authKey: string, { salt, hash, scheme }: KeptAuthKey): boolean {
  const [wanted, given] = [Buffer.from(hash, 'hex'), DIGESTS[scheme](salt, authKey)];
  // What is no hash of its scheme, by whatever damage, is opened by nothing.
  return wanted.length === given.length && timingSafeEqual(given, wanted);
}

const DIGESTS: Readonly<Record<KeyScheme, (salt: string, authKey: string) => Buffer>> = {
  'hmac-sha256': (salt, authKey) => createHmac('sha256', Buffer.from(salt, 'hex')).update(authKey).digest(),
  cinder: (salt, authKey) => createHmac('sha1', salt).update(authKey).digest(),
};
