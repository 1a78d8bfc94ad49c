/** Random secrets, for CHAP. */
import { randomBytes } from 'node:crypto';

/** 16 letters and digits by chance, 95 bits: as long as any iSCSI initiator takes. */
export function newSecret(): string {
  let text = '';
  while (text.length < LENGTH)
    text += randomBytes(LENGTH)
      .toString('base64')
      .replaceAll(/[^A-Za-z0-9]/g, '');
  return text.slice(0, LENGTH);
}

const LENGTH = 16;
