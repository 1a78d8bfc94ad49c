/**
 * Images as files in a directory of this machine:
 *
 *   <id>.json     what Glance would say of it (v2 keys; other keys are its properties)
 *   <id>.image    its bytes
 *   .tmp-…        being added; means nothing
 *
 * The bytes come before the metadata, so an image that can be found is whole. Both are synced before they get their name.
 * Ids are UUIDs and files are regular files: neither a name nor a symbolic link leads out of the directory.
 *
 * The bytes are compared with their digest before they are used, since a disk can err and an operator's `cp` may have been
 * cut short. Reading gigabytes for each volume would cost more than the copy that follows, which is often none; so
 * what was found right is remembered for as long as the file's size and times (`ctime` too, which cannot be set back)
 * stay the same.
 */
import { type BigIntStats, constants } from 'node:fs';
import { link, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { uuid } from '../lib/clock.ts';
import { type Content, contentOfFile } from '../lib/file-content.ts';
import { syncDirectory } from '../lib/sync-directory.ts';
import type { Caller } from '../model/caller.ts';
import {
  Conflict,
  ImageCopyFailure,
  ImageNotFound,
  ImageServiceUnavailable,
  InvalidInput,
  UploadedImageWrong,
} from '../model/errors.ts';
import type { DiskFormat, Image, ImageRecord, ImageStore } from '../model/image.ts';
import { mismatch, unlike } from './digest.ts';
import { type Facts, type WriteCall, writeSparse, writeSynced } from './image-files.ts';
import { IMAGE_ID, propertiesOf, readImage, writeImage } from './image-metadata.ts';

/** What the one who adds an image says of it. Nothing is guessed from its bytes. */
export interface NewImage {
  readonly name: string;
  readonly diskFormat: DiskFormat;
  /** Default: a new one. */
  readonly id?: string;
  /** Default `public`. A private image is seen by its owner. */
  readonly visibility?: 'public' | 'private';
  readonly owner?: string;
  /** Default `bare`. */
  readonly containerFormat?: string;
  readonly virtualSizeBytes?: number;
  readonly minDiskGiB?: number;
  readonly minRamMiB?: number;
  readonly properties?: Readonly<Record<string, string>>;
}

const METADATA_LIMIT = 1024 * 1024;
/** What is not a file is refused, and must not block before that. */
const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class DirectoryImages implements ImageStore {
  readonly #directory: string;
  /** By path: what it looked like when it was found right, and what it was compared with. */
  readonly #verified = new Map<string, string>();

  constructor({ directory }: { readonly directory: string }) {
    this.#directory = directory;
  }

  async show(id: string, caller: Caller | 'service', signal: AbortSignal): Promise<Image> {
    signal.throwIfAborted();
    const image = IMAGE_ID.test(id) ? await this.#read(id) : null;
    if (image === null || !mayUse(caller, image)) throw new ImageNotFound(id);
    return image;
  }

  /** What the caller may use, by name. One whose metadata cannot be read is left out; `show` says why. */
  async list(caller: Caller | 'service', signal: AbortSignal): Promise<readonly Image[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return [];
      throw new ImageServiceUnavailable('The image directory could not be read.', { cause: error });
    });
    const images: Image[] = [];
    for (const id of names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length))) {
      signal.throwIfAborted();
      const image = IMAGE_ID.test(id) ? await this.#read(id).catch(() => null) : null;
      if (image !== null && mayUse(caller, image)) images.push(image);
    }
    return images.sort((a, b) => (a.name ?? '').localeCompare(b.name ?? '') || a.id.localeCompare(b.id));
  }

  async named(name: string, caller: Caller | 'service', signal: AbortSignal): Promise<readonly Image[]> {
    return (await this.list(caller, signal)).filter((image) => image.name === name).slice(0, 2);
  }

  async local(image: Image, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const path = this.#path(image.id, 'image');
    await this.#verify(path, image, signal);
    return path;
  }

  /** Nobody could read them elsewhere. */
  async locations(): Promise<readonly string[]> {
    return [];
  }

  async fetch(
    image: Image,
    _path: string,
    call: WriteCall,
  ): Promise<{ readonly path: string; readonly temporary: boolean }> {
    const path = await this.local(image, call.signal);
    call.progress(1);
    return { path, temporary: false };
  }

  /** Copies the file into the directory and makes it an image. Two calls with one id must not run at once. */
  async add(wanted: NewImage, sourcePath: string, signal: AbortSignal): Promise<Image> {
    const id = wanted.id ?? uuid();
    if (!IMAGE_ID.test(id)) throw new InvalidInput(`An image's id is a UUID, not "${id}".`);
    await mkdir(this.#directory, { recursive: true });
    if (await exists(this.#path(id, 'json'))) throw new Conflict(`Image ${id} exists already.`);
    const path = await realpath(sourcePath);
    const content = contentOfFile(path, (await stat(path)).size);
    return this.#keep(described(id, wanted), content, { signal, progress: () => {} });
  }

  /** An image that has no bytes is none here. */
  async create({ id }: ImageRecord): Promise<void> {
    this.#path(id, 'json');
  }

  async upload(image: ImageRecord, content: Content, call: WriteCall): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const there = await this.#read(image.id);
    if (there === null) {
      await this.#keep(recorded(image), content, call);
      return;
    }
    // A call whose answer was lost.
    const fault = await unlike(there, content, undefined, call.signal);
    if (fault === null) return;
    await this.remove(image.id);
    throw new UploadedImageWrong(`Image ${image.id} is not what was sent: ${fault}. It was removed.`);
  }

  async remove(id: string): Promise<void> {
    for (const kind of ['json', 'image'] as const) await rm(this.#path(id, kind), { force: true });
    await syncDirectory(this.#directory).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error;
    });
  }

  async #keep(about: Described, content: Content, call: WriteCall): Promise<Image> {
    const facts = await this.#withTemporary(async (path) => {
      const found = await writeSparse(path, content, call);
      // Without its metadata, what has this name is nobody's.
      await rename(path, this.#path(about.id, 'image'));
      return found;
    });
    const image = imageOf(about, facts);
    await this.#withTemporary(async (path) => {
      await writeSynced(path, `${JSON.stringify(writeImage(image), null, 2)}\n`);
      await link(path, this.#path(about.id, 'json'));
    });
    await syncDirectory(this.#directory);
    return image;
  }

  #path(id: string, kind: 'json' | 'image'): string {
    if (!IMAGE_ID.test(id)) throw new ImageNotFound(id);
    return join(this.#directory, `${id}.${kind}`);
  }

  async #read(id: string): Promise<Image | null> {
    try {
      const image = readImage(JSON.parse(await readSmall(this.#path(id, 'json'))));
      if (image.id !== id) throw new TypeError(`It says it is ${image.id}.`);
      return image;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return null;
      throw new ImageServiceUnavailable(`The metadata of image ${id} could not be read.`, { cause: error });
    }
  }

  /** Rejects with `ImageCopyFailure` unless the file is there and what the image says. */
  async #verify(path: string, image: Image, signal: AbortSignal): Promise<void> {
    const file = await open(path, READ_ONLY).catch((error: unknown) => {
      throw new ImageCopyFailure(`The data of image ${image.id} could not be opened.`, { cause: error });
    });
    try {
      const looks = `${signature(await file.stat({ bigint: true }))} ${image.sizeBytes} ${image.hash?.value} ${image.checksum}`;
      if (this.#verified.get(path) === looks) return;
      if (!(await file.stat()).isFile()) throw new ImageCopyFailure(`The data of image ${image.id} is not a file.`);
      const fault = await mismatch(file, image, signal);
      if (fault !== null) throw new ImageCopyFailure(`The data of image ${image.id} is not right: ${fault}.`);
      this.#verified.set(path, looks);
    } finally {
      await file.close();
    }
  }

  async #withTemporary<T>(make: (path: string) => Promise<T>): Promise<T> {
    const path = join(this.#directory, `.tmp-${uuid()}`);
    try {
      return await make(path);
    } finally {
      await rm(path, { force: true });
    }
  }
}

/** Glance's rule without the lists of members: a private or shared image is its owner's. */
function mayUse(caller: Caller | 'service', { visibility, owner }: Image): boolean {
  return (
    caller === 'service' ||
    caller.isAdmin ||
    visibility === 'public' ||
    visibility === 'community' ||
    owner === caller.projectId
  );
}

type Described = Omit<Image, 'status' | 'sizeBytes' | 'updatedAt' | 'checksum' | 'hash'>;

const described = (id: string, wanted: NewImage): Described => ({
  id,
  name: wanted.name,
  visibility: wanted.visibility ?? 'public',
  owner: wanted.owner ?? null,
  diskFormat: wanted.diskFormat,
  containerFormat: wanted.containerFormat ?? 'bare',
  virtualSizeBytes: wanted.virtualSizeBytes ?? null,
  minDiskGiB: wanted.minDiskGiB ?? 0,
  minRamMiB: wanted.minRamMiB ?? 0,
  properties: wanted.properties ?? {},
});

/** Nobody else is asked whether an image may be removed here, so `protected` says nothing. */
const recorded = ({ visibility, properties, protected: _protected, ...record }: ImageRecord): Described => ({
  ...record,
  visibility: visibility ?? 'shared',
  virtualSizeBytes: null,
  minDiskGiB: 0,
  minRamMiB: 0,
  properties: propertiesOf(properties),
});

function imageOf(about: Described, { sizeBytes, md5, sha512 }: Facts): Image {
  return {
    ...about,
    status: 'active',
    sizeBytes,
    updatedAt: null,
    virtualSizeBytes: about.virtualSizeBytes ?? (about.diskFormat === 'raw' ? sizeBytes : null),
    checksum: md5,
    hash: { algorithm: 'sha512', value: sha512 },
  };
}

async function readSmall(path: string): Promise<string> {
  const file = await open(path, READ_ONLY);
  try {
    if ((await file.stat()).size > METADATA_LIMIT) throw new TypeError(`It has more than ${METADATA_LIMIT} bytes.`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

const signature = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(' ');

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const isErrno = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;
