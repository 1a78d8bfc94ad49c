/**
 * Password hashes, by scrypt: `scrypt:LOG2_N:R:P:SALT:KEY`, so that the stored text cannot be typed in anywhere.
 *
 * Making or checking one takes 32 MiB and some 100 ms of one core by default, off the main thread. A thief of the hash pays
 * as much for each guess. Two are compared in constant time.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

export const PASSWORD_HASH = '^scrypt:1[0-7]:([1-9]|1[0-6]):[1-4]:[A-Za-z0-9_-]{16,64}:[A-Za-z0-9_-]{43}$';
const KEY_BYTES = 32;
const SALT_BYTES = 16;

/** `log2N` is the work: one more is twice as much. */
export async function hashPassword(password: string, { log2N = 15 } = {}): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derived(password, salt, { log2N, r: 8, p: 1 });
  return ['scrypt', log2N, 8, 1, salt.toString('base64url'), key.toString('base64url')].join(':');
}

/** False, too, for a hash that is none. */
export async function isPassword(password: string, hash: string): Promise<boolean> {
  if (!new RegExp(PASSWORD_HASH).test(hash)) return false;
  const [, log2N, r, p, salt = '', key = ''] = hash.split(':');
  const cost = { log2N: Number(log2N), r: Number(r), p: Number(p) };
  const found = await derived(password, Buffer.from(salt, 'base64url'), cost);
  return timingSafeEqual(found, Buffer.from(key, 'base64url'));
}

interface Cost {
  readonly log2N: number;
  readonly r: number;
  readonly p: number;
}

function derived(password: string, salt: Buffer, { log2N, r, p }: Cost): Promise<Buffer> {
  const N = 2 ** log2N;
  const options: ScryptOptions = { N, r, p, maxmem: 128 * r * (N + p + 2) + 1024 };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
