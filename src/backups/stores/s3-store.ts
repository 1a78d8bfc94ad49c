/**
 * A store in a bucket of a server that speaks S3: AWS, Ceph's radosgw, MinIO and their like. An object is an object, and its name follows
 * the prefix.
 *
 * An object appears whole with the answer to its one PUT: there are no multipart uploads. Its MD5 is sent with it, which is what servers compare;
 * over http its SHA-256 is signed too, so that nobody on the way changes it.
 *
 * Servers are told apart by the codes of their errors, since the texts are often empty. A HEAD brings no code, so what it could not find
 * is asked for by GET: only that tells an object that is missing from a bucket that is.
 *
 * Something new is put under the condition that there is none (`If-None-Match: *`). Most servers of today keep it, at once for all;
 * some refuse it, and some do not look at it. So it is put once more: a server that keeps the condition must refuse that. With
 * one that does not, whoever was before is looked for first, and the last of several that put at once has won: all of them had looked
 * before the first had put, so a little later none is left on the way.
 */
import { createHash } from 'node:crypto';
import type { Answer } from '../../http/answer.ts';
import type { PeerRequest } from '../../http/peer.ts';
import { millis, now } from '../../lib/clock.ts';
import { BackupMissing, BackupStoreUnavailable } from '../../model/errors.ts';
import { codeIn, type S3Answer, s3Failure } from './s3-failures.ts';
import { pageOf } from './s3-list.ts';
import { encoded, encodedPath, NO_PAYLOAD, signed, UNSIGNED_PAYLOAD } from './s3-signature.ts';
import type { BackupStore, StoredObject, StoreRange } from './store.ts';
import type { S3Address } from './store-address.ts';
import { headersOf, inPieces, isLastPut, MOST_WHOLE_BYTES, rangeHeader, StoreHttp, wholeRange } from './store-http.ts';

/** Two of them are in memory, and as much again on its way. */
const PACK_BYTES = 16 * 1024 ** 2;
const MOST_ERROR_BYTES = 64 * 1024;
const MOST_PAGE_BYTES = 16 * 1024 ** 2;

const IF_NONE = { 'if-none-match': '*' } as const;
const THERE_IS_ONE = 412;
/** Of a server that has no conditions. */
const UNKNOWN = 501;

type Method = 'GET' | 'PUT' | 'HEAD' | 'DELETE';

interface S3Request {
  readonly method: Method;
  /** Below the bucket, encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal: AbortSignal;
}

export class S3Store implements BackupStore {
  readonly packBytes: number;
  readonly #address: S3Address;
  readonly #http: StoreHttp;
  /** Of the bucket, with a slash behind it. */
  readonly #base: URL;
  readonly #isPrivate: boolean;

  /** Throws `BackupStoreRefused` when the certificates cannot be used. */
  constructor(address: S3Address, packBytes = PACK_BYTES) {
    const { endpoint, silenceMs, caFile } = address;
    this.packBytes = packBytes;
    this.#address = address;
    this.#base = baseOf(address);
    this.#isPrivate = endpoint.startsWith('https:');
    this.#http = new StoreHttp({ url: this.#base.href, silenceMs, caFile, caOption: 'backup_s3_ca_cert_file' });
  }

  async get(name: string, signal: AbortSignal, range?: StoreRange): Promise<Buffer> {
    const headers = range && { range: rangeHeader(range) };
    const answered = [range === undefined ? 200 : 206];
    const path = this.#path(name);
    const body = await this.#ask(
      `read ${name}`,
      { method: 'GET', path, ...(headers && { headers }), signal },
      answered,
      (answer) => answer.whole(range?.bytes ?? MOST_WHOLE_BYTES),
    );
    return range === undefined ? body : wholeRange(name, body, range);
  }

  async put(name: string, body: Buffer, signal: AbortSignal): Promise<void> {
    await this.#put(name, body, {}, signal);
  }

  async putNew(name: string, body: Buffer, signal: AbortSignal): Promise<boolean> {
    if ((await this.head(name, signal)) !== null) return false;
    const first = await this.#put(name, body, IF_NONE, signal);
    if (first === THERE_IS_ONE) return false;
    if (first === UNKNOWN) await this.put(name, body, signal);
    else if ((await this.#put(name, body, IF_NONE, signal)) === THERE_IS_ONE) return true;
    return isLastPut(this, name, body, signal);
  }

  async head(name: string, signal: AbortSignal): Promise<number | null> {
    const bytes = await this.#sizeOf(name, signal);
    if (bytes !== null) return bytes;
    try {
      await this.get(name, signal, { at: 0, bytes: 1 });
    } catch (error) {
      if (error instanceof BackupMissing) return null;
      throw error;
    }
    // It came in between.
    const size = await this.#sizeOf(name, signal);
    if (size !== null) return size;
    throw new BackupStoreUnavailable(`The backup store (${this.#called}) gives ${name}, and does not tell its size.`);
  }

  async delete(name: string, signal: AbortSignal): Promise<void> {
    try {
      const request = { method: 'DELETE', path: this.#path(name), signal } as const;
      await this.#ask(`delete ${name}`, request, [200, 204], async () => {});
    } catch (error) {
      if (!(error instanceof BackupMissing)) throw error;
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    const whole = `${this.#address.prefix}${prefix}`;
    for (let after: string | undefined; ; ) {
      const start = after === undefined ? '' : `&start-after=${encoded(after)}`;
      const query = `?encoding-type=url&list-type=2&prefix=${encoded(whole)}${start}`;
      const text = await this.#ask('list its objects', { method: 'GET', path: query, signal }, [200], async (answer) =>
        (await answer.whole(MOST_PAGE_BYTES)).toString(),
      );
      const { objects, isLast } = pageOf(text);
      for (const { name, bytes } of objects) yield { name: name.slice(this.#address.prefix.length), bytes };
      const last = objects.at(-1);
      if (isLast || last === undefined) return;
      after = last.name;
    }
  }

  async tidy(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async freeBytes(signal: AbortSignal): Promise<null> {
    signal.throwIfAborted();
    return null;
  }

  /** Null: it could not be found, for whatever reason. */
  #sizeOf(name: string, signal: AbortSignal): Promise<number | null> {
    return this.#http.ask(this.#signed({ method: 'HEAD', path: this.#path(name), signal }), async (answer) =>
      answer.status === 200 ? Number(answer.header('content-length')) : null,
    );
  }

  /** The status of the answer: under a condition also `THERE_IS_ONE` and `UNKNOWN`. */
  #put(name: string, body: Buffer, condition: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number> {
    const md5 = createHash('md5').update(body).digest('base64');
    const request = {
      method: 'PUT',
      path: this.#path(name),
      headers: { 'content-md5': md5, ...condition },
      body,
      signal,
    } as const;
    const answered = [200, 201, ...(condition === IF_NONE ? [THERE_IS_ONE, UNKNOWN] : [])];
    return this.#ask(`write ${name}`, request, answered, async ({ status }) => status);
  }

  async #ask<T>(
    doing: string,
    request: S3Request,
    answered: readonly number[],
    read: (answer: Answer) => Promise<T>,
  ): Promise<T> {
    return this.#http.ask(this.#signed(request), async (answer) => {
      if (answered.includes(answer.status)) return read(answer);
      const failed: S3Answer = {
        could: `The backup store (${this.#called}) could not ${doing}`,
        status: answer.status,
        code: codeIn((await answer.whole(MOST_ERROR_BYTES)).toString()),
      };
      throw s3Failure(failed);
    });
  }

  #signed({ method, path, headers = {}, body, signal }: S3Request): PeerRequest {
    const url = new URL(path, this.#base);
    const payload = body === undefined ? NO_PAYLOAD : this.#isPrivate ? UNSIGNED_PAYLOAD : sha256(body);
    const sent = signed({ method, url, headers, payload }, this.#address, millis(now()));
    return {
      method,
      path,
      headers: { ...sent, ...(body && headersOf(body)) },
      ...(body && { body: inPieces(body) }),
      repeatable: method !== 'PUT',
      signal,
    };
  }

  #path(name: string): string {
    return encodedPath(`${this.#address.prefix}${name}`);
  }

  get #called(): string {
    const { bucket, endpoint } = this.#address;
    return `bucket ${bucket} at ${endpoint}`;
  }
}

function baseOf({ endpoint, bucket, addressing }: S3Address): URL {
  const base = new URL(endpoint.endsWith('/') ? endpoint : `${endpoint}/`);
  if (addressing === 'path') return new URL(`${bucket}/`, base);
  base.hostname = `${bucket}.${base.hostname}`;
  return base;
}

const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex');
