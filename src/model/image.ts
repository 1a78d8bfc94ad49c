/** An image, as its image service describes it, and the part of it that a volume remembers. */
import { createHash } from 'node:crypto';
import type { Content } from '../lib/file-content.ts';
import type { Progress } from '../lib/progress.ts';
import type { Caller } from './caller.ts';

export type DiskFormat = 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhd' | 'iso';

export interface Image {
  readonly id: string;
  readonly name: string | null;
  /** Glance's: `active` is the only one that can be read. */
  readonly status: string;
  readonly visibility: string;
  /** The project it belongs to. */
  readonly owner: string | null;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  /** Bytes as stored; null when not known. */
  readonly sizeBytes: number | null;
  /** Bytes as a disk; null when not known. */
  readonly virtualSizeBytes: number | null;
  /** GiB. */
  readonly minDiskGiB: number;
  /** MiB. */
  readonly minRamMiB: number;
  /** When something was last said of it, as the service writes it; null when it does not. */
  readonly updatedAt: string | null;
  /** MD5, hexadecimal. */
  readonly checksum: string | null;
  /** `sha512` and its value, when the service says. */
  readonly hash: { readonly algorithm: string; readonly value: string } | null;
  /** Everything else; values are text. */
  readonly properties: Readonly<Record<string, string>>;
}

/** An image that is to be made, with what its maker says of it. */
export interface ImageRecord {
  /** Chosen by us, so that it can be found whatever becomes of the request that makes it. */
  readonly id: string;
  readonly name: string;
  /** The project it is to belong to. */
  readonly owner: string;
  readonly diskFormat: string;
  readonly containerFormat: string;
  /** Null: as the image service does by itself. */
  readonly visibility: string | null;
  readonly protected: boolean;
  readonly properties: Readonly<Record<string, string>>;
}

/** Where images come from, and go. The right to an image is checked with the caller; flows read with the service's own. */
export interface ImageStore {
  /** Rejects with `ImageNotFound` when there is none or the caller may not see it, `ImageServiceUnavailable` when nobody answers. */
  show(id: string, caller: Caller | 'service', signal: AbortSignal): Promise<Image>;
  /** At most two of those that have the name and that the caller may use: one, none, or not the only one. */
  named(name: string, caller: Caller | 'service', signal: AbortSignal): Promise<readonly Image[]>;
  /** Where the image lies on this machine, when it does, verified as `fetch` does; null when it must be fetched. */
  local(image: Image, signal: AbortSignal): Promise<string | null>;
  /**
   * Where the image service says that the bytes lie, as URLs; none where it does not say. They may hold credentials of a store: in no
   * journal, no error and no log.
   */
  locations(image: Image, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * The image as a local file: where it already lies, or downloaded to `path` (resumed when a part is there already).
   * The file's checksum or hash is verified; one that does not match rejects with `ImageCopyFailure` and is gone.
   */
  fetch(
    image: Image,
    path: string,
    call: { readonly signal: AbortSignal; readonly progress: Progress },
  ): Promise<{ readonly path: string; readonly temporary: boolean }>;
  /**
   * Makes the image without its bytes, where the service knows such images; done when it is there. Rejects with `ImageRefused` when
   * the service does not want it, or has had one of this id.
   */
  create(image: ImageRecord, signal: AbortSignal): Promise<void>;
  /**
   * Sends an image's bytes, from the first, and compares what the service says of them: size and hash. When it resolves the image is
   * there and whole. Called again, after whatever became of the first call, it is made so. When the service has kept something else
   * the image is removed, and `UploadedImageWrong`; `ImageNotFound` when somebody else has removed it.
   */
  upload(
    image: ImageRecord,
    content: Content,
    call: { readonly signal: AbortSignal; readonly progress: Progress },
  ): Promise<void>;
  /** Of an image that we made: whatever it is in, and done when there is none. */
  remove(id: string, signal: AbortSignal): Promise<void>;
}

/** What Cinder takes for Glance's own of what a volume remembers of an image. */
const REMEMBERED = new Set(
  'checksum container_format disk_format image_id image_name min_disk min_ram name size'.split(' '),
);

/**
 * Of what a volume remembers of its image, what an image that is made from the volume is to have: all that somebody has said of it. A
 * signature is of other bytes, and what Glance keeps for itself it takes from nobody.
 */
export function uploadedProperties(remembered: Readonly<Record<string, string>> | null): Record<string, string> {
  const wanted = ([key]: readonly [string, string]): boolean =>
    !REMEMBERED.has(key) && !/^(os_glance|img_signature)/i.test(key);
  return Object.fromEntries(Object.entries(remembered ?? {}).filter(wanted));
}

/** Its owner wants it to be used by those only who have verified it. A signature that is there in part counts, too. */
export const isSigned = ({ properties }: Image): boolean =>
  Object.keys(properties).some((name) => name.toLowerCase().startsWith('img_signature'));

/** The image without what is only remembered of it, which may be long: enough to read it, at most a few kilobytes. */
export const factsOf = (image: Image): Image => ({ ...image, name: null, properties: {} });

/**
 * What an image is called where it is cached: another name when anything was said of it since, or its bytes are others. Null when
 * nobody could tell.
 */
export function cachedImageId({ id, updatedAt, checksum, hash, sizeBytes }: Image): string | null {
  if (checksum === null && hash === null) return null;
  const version = JSON.stringify([id, updatedAt, checksum, hash?.algorithm, hash?.value, sizeBytes]);
  const hex = createHash('sha256').update(version).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Base keys win over properties of the same name (S67, S68). Null values are left out; all values are text. */
export function capturedMetadata(image: Image): Record<string, string> {
  const base: Record<string, string | number | null> = {
    image_id: image.id,
    image_name: image.name,
    checksum: image.checksum,
    container_format: image.containerFormat,
    disk_format: image.diskFormat,
    min_disk: image.minDiskGiB,
    min_ram: image.minRamMiB,
    size: image.sizeBytes,
  };
  const known = Object.entries(base).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]]));
  return { ...image.properties, ...Object.fromEntries(known) };
}
