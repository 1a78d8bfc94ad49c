/**
 * How the bytes of a scope are named and hidden. An id is the digest of the plain bytes, so a backup knows by it
 * what its parent has stored already (deduplication). Without encryption it is SHA-256, which
 * `sha256sum` computes as well, and bytes lie on the store as they are.
 */
import { hash } from 'node:crypto';

export interface Sealing {
  /** Of plain bytes: 32 bytes in hex. Equal within the scope only for equal bytes. */
  idOf(plain: Uint8Array): string;
  /** As they lie on the store. `what`: what they are, which `open` must be told alike. `repeatable`: alike each time. */
  seal(bytes: Buffer, what: string, how?: { readonly repeatable: boolean }): Buffer;
  /** The inverse. Throws `BackupDamaged` for what was not sealed as this. */
  open(bytes: Buffer, what: string): Buffer;
  /** Bytes that sealing adds. */
  readonly overhead: number;
}

export const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');

export const UNENCRYPTED: Sealing = {
  idOf: sha256,
  seal: (bytes) => bytes,
  open: (bytes) => bytes,
  overhead: 0,
};
