/**
 * Images from an image service that speaks Glance's v2 API; how they are sent there is in `glance-upload.ts`.
 *
 * The service is believed as little as can be: bytes are used only when there are as many as announced, with the digest that
 * was announced. A download that broke off goes on where it stopped, in this process or the next one, if the service can; as
 * long as each attempt gets further it is tried again here, then it fails as transient, for the flow to decide. When a file
 * that was begun earlier turns out wrong at its end it is fetched once more from the beginning.
 *
 * `credentials` gives the headers of authentication for each request: the caller's, when the right to the image is checked;
 * the service's own, when a flow reads. Those that are refused are not used again.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Answer } from '../http/answer.ts';
import type { PeerRequest } from '../http/peer.ts';
import type { Content } from '../lib/file-content.ts';
import type { Progress } from '../lib/progress.ts';
import { syncDirectory } from '../lib/sync-directory.ts';
import type { Caller } from '../model/caller.ts';
import { ImageCopyFailure, ImageNotFound, ImageTooBig, type PumiceError } from '../model/errors.ts';
import type { Image, ImageRecord, ImageStore } from '../model/image.ts';
import { mismatch } from './digest.ts';
import { byName, type Credentials } from './glance-credentials.ts';
import { GlanceHttp, unavailable } from './glance-http.ts';
import { createImage, type OwnRequests, removeImage, uploadImage } from './glance-upload.ts';
import { IMAGE_ID, readImage, readLocations } from './image-metadata.ts';

export interface GlanceOptions {
  /** Where it answers, without the version. */
  readonly url: string;
  /** Milliseconds it may be silent before a request fails, and may take to describe an image. */
  readonly timeoutMs: number;
  /** Milliseconds before it is asked again when it was away; doubles. Default 250. */
  readonly backoffMs?: number;
  /** Certificates (PEM) to be trusted in place of those that come with Node. */
  readonly ca?: string | undefined;
  /** Default: `byName`. */
  readonly credentials?: Credentials;
}

interface DownloadCall {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

const METADATA_LIMIT = 1024 * 1024;

export class GlanceImages implements ImageStore {
  readonly #http: GlanceHttp;
  readonly #credentials: Credentials;
  readonly #timeoutMs: number;

  constructor({ url, timeoutMs, backoffMs = 250, ca, credentials = byName }: GlanceOptions) {
    this.#http = new GlanceHttp({ url, silenceMs: timeoutMs, backoffMs, ca });
    this.#credentials = credentials;
    this.#timeoutMs = timeoutMs;
  }

  show(id: string, caller: Caller | 'service', signal: AbortSignal): Promise<Image> {
    return this.#http.patiently(signal, async () => {
      const image = await this.#read(id, caller, readImage, signal);
      // A database may take capitals for small letters; then the image has the id that it says.
      if (image.id.toLowerCase() !== id.toLowerCase())
        throw unavailable('told of another image than the one it was asked for');
      return image;
    });
  }

  named(name: string, caller: Caller | 'service', signal: AbortSignal): Promise<readonly Image[]> {
    return this.#http.patiently(signal, async () => {
      // What comes before a colon is an operator to Glance: without one, `ubuntu:24.04` would be refused and `in:a,b` mean two others.
      const get = this.#metadataOf(`v2/images?limit=2&name=${encodeURIComponent(`eq:${name}`)}`, signal);
      return this.#ask(caller, get, async (answer) => {
        if (answer.status === 400 || answer.status === 403 || answer.status === 404) return [];
        if (answer.status !== 200) throw unavailable(`answers with status ${answer.status}`);
        const images = await list(answer);
        // For some databases letters are as good as capitals.
        return images.filter((image) => image.name?.toLowerCase() === name.toLowerCase());
      });
    });
  }

  async local(): Promise<null> {
    return null;
  }

  locations({ id }: Image, signal: AbortSignal): Promise<readonly string[]> {
    return this.#http.patiently(signal, () => this.#read(id, 'service', readLocations, signal));
  }

  async fetch(
    image: Image,
    path: string,
    call: DownloadCall,
  ): Promise<{ readonly path: string; readonly temporary: boolean }> {
    call.signal.throwIfAborted();
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const began = (await file.stat()).size;
      await this.#complete(file, path, image, call);
      let fault = await mismatch(file, image, call.signal);
      if (fault !== null && began > 0) {
        await file.truncate(0);
        await this.#complete(file, path, image, call);
        fault = await mismatch(file, image, call.signal);
      }
      if (fault !== null) {
        await rm(path, { force: true });
        throw new ImageCopyFailure(`What arrived of image ${image.id} is not right: ${fault}.`);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(dirname(path));
    return { path, temporary: true };
  }

  create(image: ImageRecord, signal: AbortSignal): Promise<void> {
    return this.#http.patiently(signal, () => createImage(this.#own, image, signal));
  }

  /** Not tried again here: each try sends all of it. */
  upload(image: ImageRecord, content: Content, call: DownloadCall): Promise<void> {
    return uploadImage(this.#own, image, content, call);
  }

  remove(id: string, signal: AbortSignal): Promise<void> {
    return this.#http.patiently(signal, () => removeImage(this.#own, id, signal));
  }

  get #own(): OwnRequests {
    return {
      timeoutMs: this.#timeoutMs,
      ask: (request, read) => this.#ask('service', request, read),
      show: (id, signal) => this.show(id, 'service', signal),
    };
  }

  /** Fetches what the file lacks. */
  async #complete(file: FileHandle, path: string, image: Image, call: DownloadCall): Promise<void> {
    const total = image.sizeBytes;
    if (total === null) throw new ImageCopyFailure(`The image service does not say how large image ${image.id} is.`);
    const begun = (await file.stat()).size;
    const reach: Reach = { bytes: begun > total ? 0 : begun, total };
    await file.truncate(reach.bytes);
    await requireRoom(path, total - reach.bytes, image);
    let furthest = reach.bytes;
    await this.#http.patiently(
      call.signal,
      async () => {
        while (reach.bytes < total) await this.#receive(file, reach, image, call);
      },
      () => {
        const gained = reach.bytes > furthest;
        furthest = Math.max(furthest, reach.bytes);
        return gained;
      },
    );
  }

  /** One request, for what follows. */
  async #receive(file: FileHandle, reach: Reach, image: Image, call: DownloadCall): Promise<void> {
    const wanted = {
      accept: 'application/octet-stream',
      ...(reach.bytes > 0 ? { range: `bytes=${reach.bytes}-` } : {}),
    };
    const get = { path: `v2/images/${image.id}/file`, headers: wanted, signal: call.signal };
    await this.#ask('service', get, async (answer) => {
      const start = startOf(answer, reach, image.id);
      if (start === 0) await file.truncate(0);
      reach.bytes = start;
      if (answer.status !== NOT_SATISFIABLE) await writeBody(file, reach, answer, image, call);
    });
  }

  async #read<Read>(
    id: string,
    who: Caller | 'service',
    read: (json: unknown) => Read,
    signal: AbortSignal,
  ): Promise<Read> {
    signal.throwIfAborted();
    if (!IMAGE_ID.test(id)) throw new ImageNotFound(id);
    return this.#ask(who, this.#metadataOf(`v2/images/${id}`, signal), (answer) => {
      // Who may not see it may not know of it.
      if (answer.status === 403) throw new ImageNotFound(id);
      if (answer.status !== 200) throw refusal(id, answer.status);
      return metadata(answer, read);
    });
  }

  #metadataOf(path: string, signal: AbortSignal): PeerRequest {
    return { path, headers: { accept: 'application/json' }, signal, wholeMs: this.#timeoutMs };
  }

  async #ask<T>(who: Caller | 'service', request: PeerRequest, read: (answer: Answer) => Promise<T>): Promise<T> {
    const credentials = await this.#credentials.headers(who);
    return this.#http.ask({ ...request, headers: { ...credentials, ...request.headers } }, (answer) => {
      if (answer.status === 401) this.#credentials.refused(credentials);
      return read(answer);
    });
  }
}

/** How far the file is filled; moves while bytes arrive, so that it is right whenever an attempt breaks off. */
interface Reach {
  bytes: number;
  readonly total: number;
}

const NOT_SATISFIABLE = 416;

/** Where in the image the answer begins. A service that does not know of ranges begins at the beginning. */
function startOf(answer: Answer, { bytes, total }: Reach, id: string): number {
  const { status } = answer;
  if (status === NOT_SATISFIABLE && bytes > 0) return 0;
  if (status === 200) {
    const announced = answer.header('content-length');
    if (announced !== null && Number(announced) !== total)
      throw new ImageCopyFailure(`The image service sends ${announced} bytes of image ${id}, which has ${total}.`);
    return 0;
  }
  if (status === 206) {
    const [, start, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header('content-range') ?? '') ?? [];
    if (Number(start) !== bytes || (size !== '*' && Number(size) !== total))
      throw new ImageCopyFailure(`The image service sends another part of image ${id} than it was asked for.`);
    return bytes;
  }
  if (status === 204) throw new ImageCopyFailure(`Image ${id} has no data.`);
  throw refusal(id, status);
}

async function writeBody(
  file: FileHandle,
  reach: Reach,
  answer: Answer,
  image: Image,
  call: DownloadCall,
): Promise<void> {
  for await (const chunk of answer.body()) {
    if (reach.bytes + chunk.length > reach.total)
      throw new ImageCopyFailure(`The image service sends more of image ${image.id} than it announced.`);
    for (let done = 0; done < chunk.length; ) {
      const written = await file.write(chunk, done, chunk.length - done, reach.bytes).catch((error: unknown) => {
        throw writeFailure(image, error);
      });
      done += written.bytesWritten;
      reach.bytes += written.bytesWritten;
    }
    call.progress(reach.bytes / reach.total, { bytes: reach.bytes, of: reach.total });
  }
  if (reach.bytes < reach.total) throw unavailable('ended its answer early');
}

async function requireRoom(path: string, bytes: number, image: Image): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  if (bytes > bavail * bsize)
    throw new ImageTooBig(`Image ${image.id} needs ${bytes} bytes where images are converted; there is less.`);
}

function writeFailure(image: Image, error: unknown): PumiceError {
  const full = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
  return full
    ? new ImageTooBig(`There is no room left for image ${image.id} where images are converted.`, { cause: error })
    : new ImageCopyFailure(`What arrived of image ${image.id} could not be written.`, { cause: error });
}

async function list(answer: Answer): Promise<readonly Image[]> {
  const bytes = await answer.whole(METADATA_LIMIT);
  try {
    const { images } = JSON.parse(bytes.toString('utf8')) as { readonly images: readonly unknown[] };
    return images.map(readImage);
  } catch (error) {
    throw unavailable('answers with something that is no list of images', error);
  }
}

async function metadata<Read>(answer: Answer, read: (json: unknown) => Read): Promise<Read> {
  const bytes = await answer.whole(METADATA_LIMIT);
  try {
    return read(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw unavailable("answers with something that is not an image's metadata", error);
  }
}

/** 401 is not the caller's fault alone: a token may have run out, and the next one is asked for with the next try. */
function refusal(id: string, status: number): PumiceError {
  if (status === 404 || status === 410) return new ImageNotFound(id);
  if (status === 401 || status === 408 || status === 429 || status >= 500)
    return unavailable(`answers with status ${status}`);
  return new ImageCopyFailure(`The image service does not give image ${id}: status ${status}.`);
}
