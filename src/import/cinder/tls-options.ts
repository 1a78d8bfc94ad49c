/** How TLS is used to a Cinder database, as both clients take it. */
import { readFileSync } from 'node:fs';
import type { Tls } from './cinder-address.ts';
import { CinderUnreadable } from './cinder-unreadable.ts';

export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
}

/** Undefined: none. Throws `CinderUnreadable` when the certificates that vouch cannot be read. */
export function tlsOptions({ mode, authorities }: Tls): TlsOptions | undefined {
  if (mode === 'disabled') return undefined;
  const rejectUnauthorized = mode === 'verify';
  if (authorities === null) return { rejectUnauthorized };
  try {
    return { rejectUnauthorized, ca: readFileSync(authorities, 'utf8') };
  } catch (error) {
    throw new CinderUnreadable(`ssl-ca: ${authorities} cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
      cause: error,
    });
  }
}
