/**
 * What stores that are asked over HTTP have in common: how a body is sent, who of several has put something new, and what becomes of a
 * peer that does not answer.
 */
import type { Answer } from '../../http/answer.ts';
import { Peer, type PeerRequest } from '../../http/peer.ts';
import { PeerFailure } from '../../http/peer-failure.ts';
import { trustedCertificates } from '../../http/trusted-certificates.ts';
import { pause } from '../../lib/clock.ts';
import { BackupDamaged, BackupFailed, BackupStoreRefused, BackupStoreUnavailable } from '../../model/errors.ts';
import type { BackupStore, StoreRange } from './store.ts';

/** Of an object that is read whole: manifests and what describes a scope. */
export const MOST_WHOLE_BYTES = 256 * 1024 ** 2;
/** By then those have put that had looked before. */
const SETTLE_MS = 3_000;
/** Small enough that a slow way is seen to get on. */
const PIECE_BYTES = 256 * 1024;

export interface StorePeer {
  readonly url: string;
  /** How long it may be silent before a call fails. */
  readonly silenceMs: number;
  /** Certificates (PEM) that are trusted; null: those that come with Node. */
  readonly caFile: string | null;
  /** What the option of that file is called. */
  readonly caOption: string;
}

export class StoreHttp {
  readonly #peer: Peer;

  /** Throws `BackupStoreRefused` when the certificates cannot be used. */
  constructor({ url, silenceMs, caFile, caOption }: StorePeer) {
    this.#peer = new Peer({ name: 'The backup store', url, silenceMs, ...trusted(caOption, caFile) });
  }

  /**
   * Hands the answer to `read`, whatever its status. Rejects with `BackupStoreUnavailable` when there is none or it breaks off, with
   * `BackupStoreRefused` when the peer cannot be trusted, with `BackupFailed` when it answers more than was asked for.
   */
  async ask<T>(request: PeerRequest, read: (answer: Answer) => Promise<T>): Promise<T> {
    try {
      return await this.#peer.ask(request, read);
    } catch (error) {
      throw error instanceof PeerFailure ? explained(error) : error;
    }
  }
}

/** Of a body that is sent. A long one waits until it is wanted: a store that refuses it is not heard while it comes. */
export const headersOf = ({ length }: Buffer): Readonly<Record<string, string>> => ({
  'content-length': String(length),
  ...(length > PIECE_BYTES && { expect: '100-continue' }),
});

export const rangeHeader = ({ at, bytes }: StoreRange): string => `bytes=${at}-${at + bytes - 1}`;

/** What was read of a range. Throws `BackupDamaged` when it is less. */
export function wholeRange(name: string, body: Buffer, { at, bytes }: StoreRange): Buffer {
  if (body.length < bytes) throw new BackupDamaged(`${name} has ${at + body.length} bytes, and there should be more.`);
  return body;
}

/** A body as it is sent. Nothing of it is copied. */
export async function* inPieces(body: Buffer): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}

/**
 * Whether what was put where nothing had been still is what is there, a little later: of several that put at once the last has won, and each had
 * looked before the first had put.
 */
export async function isLastPut(
  store: Pick<BackupStore, 'get'>,
  name: string,
  body: Buffer,
  signal: AbortSignal,
): Promise<boolean> {
  await pause(SETTLE_MS, signal, { ref: true });
  return (await store.get(name, signal)).equals(body);
}

function explained(failure: PeerFailure): Error {
  const { kind, message, cause } = failure;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const told = code === '' ? message : `${message.slice(0, -1)} (${code}).`;
  // What nobody trusts today is not trusted in a minute.
  if (kind === 'unreachable' && /CERT|SIGNATURE/.test(code)) return new BackupStoreRefused(told, { cause: failure });
  if (kind === 'too-long') return new BackupFailed(told, { cause: failure });
  return new BackupStoreUnavailable(told, { cause: failure });
}

function trusted(option: string, file: string | null): { readonly ca?: string } {
  if (file === null) return {};
  try {
    return { ca: trustedCertificates(option, file) ?? '' };
  } catch (error) {
    throw new BackupStoreRefused(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
