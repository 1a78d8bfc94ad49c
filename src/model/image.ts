/** An image, as its image service describes it, and the part of it that a volume remembers. */
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
  /** MD5, hexadecimal. */
  readonly checksum: string | null;
  /** `sha512` and its value, when the service says. */
  readonly hash: { readonly algorithm: string; readonly value: string } | null;
  /** Everything else; values are text. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Where images come from. The right to an image is checked with the caller; flows read with the service's own. */
export interface ImageStore {
  /** Rejects with `ImageNotFound` when there is none or the caller may not see it, `ImageServiceUnavailable` when nobody answers. */
  show(id: string, caller: Caller | 'service', signal: AbortSignal): Promise<Image>;
  /** At most two of those that have the name and that the caller may use: one, none, or not the only one. */
  named(name: string, caller: Caller | 'service', signal: AbortSignal): Promise<readonly Image[]>;
  /** Where the image lies on this machine, when it does, verified as `fetch` does; null when it must be fetched. */
  local(image: Image, signal: AbortSignal): Promise<string | null>;
  /**
   * The image as a local file: where it already lies, or downloaded to `path` (resumed when a part is there already).
   * The file's checksum or hash is verified; one that does not match rejects with `ImageCopyFailure` and is gone.
   */
  fetch(
    image: Image,
    path: string,
    call: { readonly signal: AbortSignal; progress(fraction: number): void },
  ): Promise<{ readonly path: string; readonly temporary: boolean }>;
}

/** Its owner wants it to be used by those only who have verified it. A signature that is there in part counts, too. */
export const isSigned = ({ properties }: Image): boolean =>
  Object.keys(properties).some((name) => name.toLowerCase().startsWith('img_signature'));

/** The image without what is only remembered of it, which may be long: enough to read it, at most a few kilobytes. */
export const factsOf = (image: Image): Image => ({ ...image, name: null, properties: {} });

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
