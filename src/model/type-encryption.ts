/**
 * How the volumes of a type are to be encrypted: by whom (the *provider*, such as `luks`), where (front end: the host a volume is
 * attached to; back end: the driver), with which cipher and how long a key.
 */
import type { Timestamp } from '../lib/clock.ts';

export const CONTROL_LOCATIONS = ['front-end', 'back-end'] as const;

export interface TypeEncryption {
  readonly encryptionId: string;
  readonly volumeTypeId: string;
  readonly provider: string;
  readonly controlLocation: (typeof CONTROL_LOCATIONS)[number];
  readonly cipher: string | null;
  /** Bits. */
  readonly keySize: number | null;
  readonly createdAt: Timestamp;
  readonly updatedAt: Timestamp | null;
}

export type NewTypeEncryption = Omit<TypeEncryption, 'createdAt' | 'updatedAt'>;
export type TypeEncryptionPatch = Partial<Pick<TypeEncryption, 'provider' | 'controlLocation' | 'cipher' | 'keySize'>>;
