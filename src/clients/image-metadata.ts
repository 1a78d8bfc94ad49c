/**
 * The parser and printer of an image's metadata, as Glance's v2 API writes it; read with suspicion.
 *
 * Everything that is not one of Glance's own keys is a property. Where the bytes lie (`locations`, `direct_url`) may hold
 * credentials of the image store, so it is neither kept nor a property.
 */
import type { Image, ImageRecord } from '../model/image.ts';

/** Ids are nothing but UUIDs, so that one may stand in a path or a URL. Glance takes capitals from those who choose an id. */
export const IMAGE_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const BASE = new Set([
  'checksum',
  'container_format',
  'created_at',
  'direct_url',
  'disk_format',
  'file',
  'id',
  'locations',
  'members',
  'min_disk',
  'min_ram',
  'name',
  'os_hash_algo',
  'os_hash_value',
  'os_hidden',
  'owner',
  'protected',
  'schema',
  'self',
  'size',
  'status',
  'stores',
  'tags',
  'updated_at',
  'virtual_size',
  'visibility',
]);

/** Characters of one of Glance's own keys; a property may have more. */
const LONGEST = 255;

/** Throws a `TypeError` that says what is wrong with it. */
export function readImage(json: unknown): Image {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new TypeError('It is not an object.');
  const from = json as Readonly<Record<string, unknown>>;
  const algorithm = text(from, 'os_hash_algo');
  const value = text(from, 'os_hash_value');
  return {
    id: required(text(from, 'id'), 'id'),
    name: text(from, 'name'),
    status: required(text(from, 'status'), 'status'),
    visibility: text(from, 'visibility') ?? 'private',
    owner: text(from, 'owner'),
    diskFormat: text(from, 'disk_format'),
    containerFormat: text(from, 'container_format'),
    sizeBytes: count(from, 'size'),
    virtualSizeBytes: count(from, 'virtual_size'),
    minDiskGiB: count(from, 'min_disk') ?? 0,
    minRamMiB: count(from, 'min_ram') ?? 0,
    updatedAt: text(from, 'updated_at'),
    checksum: text(from, 'checksum'),
    hash: algorithm === null || value === null ? null : { algorithm, value },
    properties: Object.fromEntries(
      Object.entries(from)
        .filter(([key, value]) => !BASE.has(key) && value !== null && value !== undefined)
        .map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
    ),
  };
}

/**
 * Where Glance says that the bytes lie: all of it to those whom `show_multiple_locations` is for, else `direct_url` alone where
 * `show_image_direct_url` is on.
 */
export function readLocations(json: unknown): readonly string[] {
  const { locations, direct_url: direct } = json as { readonly locations?: unknown; readonly direct_url?: unknown };
  const all = Array.isArray(locations) ? locations.map((each: { readonly url?: unknown } | null) => each?.url) : [];
  return [...new Set([...all, direct].filter((url) => typeof url === 'string'))];
}

/** A record that is to be made. Glance's own keys are the record's, whatever a property of theirs is called. */
export function writeRecord(image: ImageRecord): Readonly<Record<string, unknown>> {
  const own = {
    id: image.id,
    name: image.name,
    owner: image.owner,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    ...(image.visibility !== null && { visibility: image.visibility }),
    protected: image.protected,
  };
  return { ...propertiesOf(image.properties), ...own };
}

/** Without those that would pass for one of Glance's own keys. */
export const propertiesOf = (properties: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(properties).filter(([key]) => !BASE.has(key)));

export function writeImage(image: Image): Readonly<Record<string, unknown>> {
  return {
    ...image.properties,
    id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    owner: image.owner,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    size: image.sizeBytes,
    virtual_size: image.virtualSizeBytes,
    min_disk: image.minDiskGiB,
    min_ram: image.minRamMiB,
    updated_at: image.updatedAt,
    checksum: image.checksum,
    os_hash_algo: image.hash?.algorithm ?? null,
    os_hash_value: image.hash?.value ?? null,
  };
}

function text(from: Readonly<Record<string, unknown>>, key: string): string | null {
  const value = from[key] ?? null;
  if (value === null) return value;
  if (typeof value !== 'string') throw new TypeError(`Its ${key} is not text.`);
  if (value.length > LONGEST) throw new TypeError(`Its ${key} has more than ${LONGEST} characters.`);
  return value;
}

function count(from: Readonly<Record<string, unknown>>, key: string): number | null {
  const value = from[key] ?? null;
  if (value === null || (Number.isSafeInteger(value) && (value as number) >= 0)) return value as number | null;
  throw new TypeError(`Its ${key} is not a whole number.`);
}

function required(value: string | null, key: string): string {
  if (value === null || value === '') throw new TypeError(`It has no ${key}.`);
  return value;
}
