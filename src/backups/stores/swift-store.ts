/**
 * A store in a container of Swift. An object is a plain object: whole with the answer to its one PUT, compared by its MD5, never made of segments.
 *
 * Swift keeps each object on several servers and promises little of what was replaced: of what is read whole, which may have been, the newest is
 * asked for. What never was there is looked for on all of them anyway.
 *
 * Something new is put under the condition that there is none. Each server looks before it has the body, so of several that put at once more
 * than one may pass: then the last has won, and each looks again when none that had looked before can be on the way.
 */
import { createHash } from 'node:crypto';
import type { Answer } from '../../http/answer.ts';
import {
  BackupDamaged,
  BackupFailed,
  BackupMissing,
  BackupStoreFull,
  BackupStoreRefused,
  BackupStoreUnavailable,
} from '../../model/errors.ts';
import type { BackupStore, StoredObject, StoreRange } from './store.ts';
import type { SwiftAddress } from './store-address.ts';
import { headersOf, inPieces, isLastPut, MOST_WHOLE_BYTES, rangeHeader, wholeRange } from './store-http.ts';
import { type SwiftSession, SwiftSessions } from './swift-session.ts';

/** Two of them are in memory, and as much again on its way. */
const PACK_BYTES = 16 * 1024 ** 2;
const MOST_PAGE_BYTES = 16 * 1024 ** 2;
const NEWEST = { 'x-newest': 'true' } as const;
const THERE_IS_ONE = 412;

interface SwiftRequest {
  readonly method: 'GET' | 'PUT' | 'HEAD' | 'DELETE';
  /** Below the container. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal: AbortSignal;
}

export class SwiftStore implements BackupStore {
  readonly packBytes: number;
  readonly #container: string;
  readonly #called: string;
  readonly #sessions: SwiftSessions;

  /** Throws `BackupStoreRefused` when the certificates cannot be used. */
  constructor(address: SwiftAddress, packBytes = PACK_BYTES) {
    this.packBytes = packBytes;
    this.#container = address.container;
    this.#called = `container ${address.container} of Swift by ${address.authUrl}`;
    this.#sessions = new SwiftSessions(address);
  }

  async get(name: string, signal: AbortSignal, range?: StoreRange): Promise<Buffer> {
    const headers = range === undefined ? NEWEST : { range: rangeHeader(range) };
    const body = await this.#ask(
      `read ${name}`,
      { method: 'GET', path: name, headers, signal },
      [range === undefined ? 200 : 206],
      (answer) => answer.whole(range?.bytes ?? MOST_WHOLE_BYTES),
    );
    return range === undefined ? body : wholeRange(name, body, range);
  }

  async put(name: string, body: Buffer, signal: AbortSignal): Promise<void> {
    await this.#put(name, body, {}, signal);
  }

  async putNew(name: string, body: Buffer, signal: AbortSignal): Promise<boolean> {
    if ((await this.head(name, signal)) !== null) return false;
    const status = await this.#put(name, body, { 'if-none-match': '*' }, signal);
    return status !== THERE_IS_ONE && (await isLastPut(this, name, body, signal));
  }

  async head(name: string, signal: AbortSignal): Promise<number | null> {
    try {
      const request = { method: 'HEAD', path: name, headers: NEWEST, signal } as const;
      return await this.#ask(`look at ${name}`, request, [200], async (answer) =>
        Number(answer.header('content-length')),
      );
    } catch (error) {
      if (error instanceof BackupMissing) return null;
      throw error;
    }
  }

  async delete(name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#ask(`delete ${name}`, { method: 'DELETE', path: name, signal }, [204], async () => {});
    } catch (error) {
      if (!(error instanceof BackupMissing)) throw error;
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    for (let marker = ''; ; ) {
      const path = `?${new URLSearchParams({ format: 'json', prefix, marker })}`;
      const text = await this.#ask('list its objects', { method: 'GET', path, signal }, [200], async (answer) =>
        (await answer.whole(MOST_PAGE_BYTES)).toString(),
      );
      const page = JSON.parse(text) as readonly StoredObject[];
      for (const { name, bytes } of page) yield { name, bytes };
      const last = page.at(-1);
      if (last === undefined) return;
      marker = last.name;
    }
  }

  async tidy(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
  }

  async freeBytes(signal: AbortSignal): Promise<null> {
    signal.throwIfAborted();
    return null;
  }

  /** The status of the answer: under a condition also `THERE_IS_ONE`. */
  #put(name: string, body: Buffer, condition: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number> {
    const headers = { ...condition, etag: createHash('md5').update(body).digest('hex') };
    const request = { method: 'PUT', path: name, headers, body, signal } as const;
    return this.#ask(`write ${name}`, request, [201, THERE_IS_ONE], async ({ status }) => status);
  }

  async #ask<T>(
    doing: string,
    request: SwiftRequest,
    answered: readonly number[],
    read: (answer: Answer) => Promise<T>,
  ): Promise<T> {
    const { signal } = request;
    for (let isFirst = true; ; isFirst = false) {
      const session = await this.#sessions.current(signal);
      const told = await this.#send(session, request, async (answer) =>
        answered.includes(answer.status) ? { value: await read(answer) } : answer.status,
      );
      if (typeof told === 'object') return told.value;
      if (told === 404) throw await this.#missing(doing, session, signal);
      if (told !== 401 || !isFirst) throw this.#failure(doing, told);
      this.#sessions.forget(session);
    }
  }

  #send<T>(session: SwiftSession, request: SwiftRequest, read: (answer: Answer) => Promise<T>): Promise<T> {
    const { method, path, headers, body, signal } = request;
    return session.account.ask(
      {
        method,
        path: path.startsWith('?') ? `${this.#container}${path}` : `${this.#container}/${path}`,
        headers: { ...headers, 'x-auth-token': session.token, ...(body && headersOf(body)) },
        ...(body && { body: inPieces(body) }),
        repeatable: method !== 'PUT',
        signal,
      },
      read,
    );
  }

  /** An object or its container: only asking for that tells. */
  async #missing(doing: string, session: SwiftSession, signal: AbortSignal): Promise<Error> {
    const there = await this.#send(session, { method: 'HEAD', path: '?', signal }, async ({ status }) => status);
    if (there === 204 || there === 200) return new BackupMissing(`${this.#could(doing)}: it is not there.`);
    if (there !== 404) return this.#failure(doing, there);
    return new BackupStoreRefused(
      `${this.#could(doing)}: the container is not there, and was not deleted by us. Check backup_swift_container.`,
    );
  }

  #failure(doing: string, status: number): Error {
    const could = this.#could(doing);
    switch (status) {
      case 401:
      case 403:
        return new BackupStoreRefused(
          `${could}: our user may not do this there (${status}). It needs a role that may read and write in the container.`,
        );
      case 413:
      case 507:
        return new BackupStoreFull(`${could}: it is full (${status}).`);
      case 416:
        return new BackupDamaged(`${could}: it has fewer bytes than it should.`);
      case 408:
      case 409:
      case 422:
      case 429:
      case 498:
      case 499:
        return new BackupStoreUnavailable(`${could}: it is busy (${status}).`);
      default:
        return status >= 500
          ? new BackupStoreUnavailable(`${could}: it is busy (${status}).`)
          : new BackupFailed(`${could}: it answers ${status}.`);
    }
  }

  #could(doing: string): string {
    return `The backup store (${this.#called}) could not ${doing}`;
  }
}
