/**
 * The bytes of a scope, encrypted: AES-256-GCM, bound to the scope and to what they are, so that nothing can be put in the place of
 * something else. Ids are made with a key as well, so that they tell nobody what a volume holds.
 *
 *     12 bytes of nonce │ ciphertext │ 16 bytes of tag
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { BackupDamaged } from '../../model/errors.ts';
import { giveBack } from '../outside-heap.ts';
import type { Sealing } from './sealing.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `scopeKey`: 32 bytes, from which one is made for each purpose. */
export function encrypted(scope: string, scopeKey: Buffer): Sealing {
  const keyFor = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', scopeKey, Buffer.alloc(0), `pumice backups ${purpose}`, 32));
  const [ids, content, nonces] = [keyFor('ids'), keyFor('content'), keyFor('nonces')];
  const associated = (what: string): Buffer => Buffer.from(`${scope}\n${what}`);
  const digest = (key: Buffer, bytes: Uint8Array): Buffer => createHmac('sha256', key).update(bytes).digest();
  return {
    overhead: NONCE_BYTES + TAG_BYTES,
    idOf: (plain) => digest(ids, plain).toString('hex'),
    seal: (bytes, what, how) => {
      const nonce = how?.repeatable
        ? digest(nonces, Buffer.concat([associated(what), Buffer.from('\n'), bytes])).subarray(0, NONCE_BYTES)
        : randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, content, nonce).setAAD(associated(what));
      const text = cipher.update(bytes);
      const sealed = Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]);
      giveBack(text);
      return sealed;
    },
    open: (bytes, what) => {
      try {
        const nonce = bytes.subarray(0, NONCE_BYTES);
        const decipher = createDecipheriv(CIPHER, content, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(associated(what)).setAuthTag(bytes.subarray(-TAG_BYTES));
        const plain = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        // Nothing is left for the end, but whether the tag is right.
        decipher.final();
        return plain;
      } catch (error) {
        throw new BackupDamaged('It was not encrypted as what it should be, or has been changed.', { cause: error });
      }
    },
  };
}
