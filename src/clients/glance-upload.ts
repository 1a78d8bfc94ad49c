/**
 * Images sent to an image service that speaks Glance's v2 API.
 *
 * A record is made first, under an id that we choose and that the journal knows, then its bytes are put. What breaks off leaves the record
 * `queued`, or `saving` for a moment, and it may be put again, from the first byte: the service goes on from nowhere. It is
 * believed as little as in a download: an image that it calls `active` may have lost a part, so size and hash are compared
 * with those of what was sent. One that is wrong is removed. Glance gives the id of an image that was removed to nobody again, so
 * there a next try is refused; others may take it.
 */
import { createHash } from 'node:crypto';
import type { Answer } from '../http/answer.ts';
import type { PeerRequest } from '../http/peer.ts';
import type { Content } from '../lib/file-content.ts';
import type { Progress } from '../lib/progress.ts';
import { ImageNotFound, ImageRefused, type PumiceError, UploadedImageWrong } from '../model/errors.ts';
import type { Image, ImageRecord } from '../model/image.ts';
import { unlike } from './digest.ts';
import { unavailable } from './glance-http.ts';
import { writeRecord } from './image-metadata.ts';

/** The image service, asked in our own name. */
export interface OwnRequests {
  /** Milliseconds that a short answer may take. */
  readonly timeoutMs: number;
  ask<T>(request: PeerRequest, read: (answer: Answer) => Promise<T>): Promise<T>;
  /** Rejects with `ImageNotFound`. */
  show(id: string, signal: AbortSignal): Promise<Image>;
}

interface UploadCall {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Of the text of a refusal that is told. */
const MOST_REASON = 300;
const REASON_LIMIT = 64 * 1024;
const PATCH_TYPE = 'application/openstack-images-v2.1-json-patch';

export async function createImage(glance: OwnRequests, image: ImageRecord, signal: AbortSignal): Promise<void> {
  const request = {
    method: 'POST',
    path: 'v2/images',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(writeRecord(image)),
    wholeMs: glance.timeoutMs,
    signal,
  } as const;
  const { status, reason } = await glance.ask(request, outcome);
  if (status === 201) return;
  if (status === 409 && (await isThere(glance, image.id, signal))) return;
  throw refused(image.id, status, reason);
}

export async function uploadImage(
  glance: OwnRequests,
  image: ImageRecord,
  content: Content,
  call: UploadCall,
): Promise<void> {
  await createImage(glance, image, call.signal);
  const { id } = image;
  const before = await glance.show(id, call.signal);
  // A try whose answer was lost.
  if (before.status === 'active') return compare(glance, before, content, undefined, call.signal);
  if (before.status !== 'queued') throw unavailable(`says that image ${id} is ${before.status}`);
  const sent = new Sent(content, call);
  const request = {
    method: 'PUT',
    path: `v2/images/${id}/file`,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(content.bytes) },
    body: sent.pieces(),
    signal: call.signal,
  } as const;
  const { status, reason } = await glance.ask(request, outcome);
  if (status === 404 || status === 410) throw new ImageNotFound(id);
  // Another try, which broke off, is not over for the service.
  if (status === 409) throw unavailable(`does not take image ${id} yet`);
  if (status !== 204 && status !== 201 && status !== 200) throw refused(id, status, reason);
  await compare(glance, await glance.show(id, call.signal), content, sent.sha512(), call.signal);
}

export async function removeImage(glance: OwnRequests, id: string, signal: AbortSignal): Promise<void> {
  const remove = { method: 'DELETE', path: `v2/images/${id}`, wholeMs: glance.timeoutMs, signal } as const;
  let { status, reason } = await glance.ask(remove, outcome);
  if (status === 403) {
    const unprotected = await glance.ask(
      {
        method: 'PATCH',
        path: `v2/images/${id}`,
        headers: { 'content-type': PATCH_TYPE },
        body: JSON.stringify([{ op: 'replace', path: '/protected', value: false }]),
        wholeMs: glance.timeoutMs,
        signal,
      },
      outcome,
    );
    if (unprotected.status === 200) ({ status, reason } = await glance.ask(remove, outcome));
  }
  if (status === 204 || status === 200 || status === 404 || status === 410) return;
  throw status === 409 ? unavailable(`still uses image ${id}`) : refused(id, status, reason);
}

/** What goes on its way is hashed. */
class Sent {
  readonly #content: Content;
  readonly #call: UploadCall;
  readonly #hash = createHash('sha512');

  constructor(content: Content, call: UploadCall) {
    this.#content = content;
    this.#call = call;
  }

  async *pieces(): AsyncGenerator<Buffer, void, undefined> {
    let sent = 0;
    for await (const piece of this.#content.read(this.#call.signal)) {
      this.#hash.update(piece);
      yield piece;
      sent += piece.length;
      const of = this.#content.bytes;
      this.#call.progress(sent / of, { bytes: sent, of });
    }
  }

  sha512(): string {
    return this.#hash.digest('hex');
  }
}

/** `sha512`: of the content, when it is known already. */
async function compare(
  glance: OwnRequests,
  image: Image,
  content: Content,
  sha512: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const fault =
    image.status === 'active'
      ? await unlike(image, content, sha512, signal)
      : `it is ${image.status} when all of it was sent`;
  if (fault === null) return;
  await removeImage(glance, image.id, signal);
  throw new UploadedImageWrong(`Image ${image.id} is not what was sent: ${fault}. It was removed.`);
}

async function isThere(glance: OwnRequests, id: string, signal: AbortSignal): Promise<boolean> {
  return glance.show(id, signal).then(
    () => true,
    (error: unknown) => {
      if (error instanceof ImageNotFound) return false;
      throw error;
    },
  );
}

interface Outcome {
  readonly status: number;
  /** What an unsuccessful answer says, in one line. */
  readonly reason: string;
}

async function outcome(answer: Answer): Promise<Outcome> {
  const { status } = answer;
  if (status < 300) return { status, reason: '' };
  const text = textOf((await answer.whole(REASON_LIMIT)).toString('utf8'));
  return { status, reason: text.replaceAll(/\s+/g, ' ').trim().slice(0, MOST_REASON) };
}

/** Glance refuses with JSON or with a page. */
function textOf(body: string): string {
  try {
    return String(JSON.parse(body).message);
  } catch {
    return body.replaceAll(/<[^>]*>/g, ' ');
  }
}

function refused(id: string, status: number, reason: string): PumiceError {
  if (status === 401 || status === 408 || status === 429 || status >= 500)
    return unavailable(`answers with status ${status}`);
  return new ImageRefused(`The image service does not take image ${id}: ${status} ${reason}`);
}
