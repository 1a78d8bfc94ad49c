/**
 * Images and snapshots that an operator brings under management and takes back, and why some may not be.
 *
 * A reference is a plain name in the pool, of a snapshot one in its volume's image (`name`, or `volume-…@name`). What has a name of ours is
 * somebody's, and is taken over only when it was given back under that very name; the pool keeps which.
 */
import { inGiB } from '../../lib/bytes.ts';
import { ManageExistingAlreadyManaged, ManageExistingInvalidReference } from '../../model/errors.ts';
import type { ManageableObject, ManageRef } from '../driver.ts';
import type { Names } from '../file/names.ts';

export interface ListedImage {
  readonly name: string;
  /** Null: a create or a removal of it was cut short. */
  readonly bytes: number | null;
  readonly snapshots: readonly { readonly name: string; readonly bytes: number }[];
}

export interface PoolListing {
  readonly images: readonly ListedImage[];
  /** Since when by name, as `unmanage` wrote it down. */
  readonly unmanaged: Readonly<Record<string, string>>;
}

const OURS = 'it has a name of ours, and was not unmanaged';

/** The name in a reference. Rejects what no image or snapshot of a client can be called. */
export function sourceName(ref: ManageRef, image: string | null = null): string {
  const given = ref['source-name'];
  const refuse = (why: string): never => {
    throw new ManageExistingInvalidReference(`The reference ${JSON.stringify(ref)} ${why}.`);
  };
  if (typeof given !== 'string' || given === '') return refuse('has no "source-name"');
  const name = image !== null && given.startsWith(`${image}@`) ? given.slice(image.length + 1) : given;
  if (/[/@\0]/.test(name))
    return refuse(
      image === null ? 'must be the name of an image of the pool' : `must be the name of a snapshot of ${image}`,
    );
  if (name.startsWith('.')) return refuse('must not begin with a dot');
  return name;
}

export interface ToBeManaged {
  readonly name: string;
  readonly bytes: number | null;
  readonly isUnmanaged: boolean;
  /** Who has it open. */
  readonly watchers: readonly string[];
}

/** Bytes of an image or a snapshot that may be taken over. `names`: what has a name of ours there. */
export function manageableBytes({ name, bytes, isUnmanaged, watchers }: ToBeManaged, isOurs: boolean): number {
  if (isOurs && !isUnmanaged) throw new ManageExistingAlreadyManaged(`${name} cannot be managed: ${OURS}.`);
  const reason = whyNot(bytes, watchers);
  if (bytes === null || reason !== null)
    throw new ManageExistingInvalidReference(`${name} cannot be managed: ${reason}.`);
  return bytes;
}

function whyNot(bytes: number | null, watchers: readonly string[]): string | null {
  if (bytes === null) return 'it is half made: a create or a removal of it was cut short';
  if (bytes === 0) return 'it is empty';
  return watchers.length > 0 ? `it is open elsewhere (${watchers.join(', ')})` : null;
}

/** Cinder's driver calls volumes so that were deleted and still have clones. */
const DELETED_BY_CINDER = /^volume-[0-9a-f-]{36}\.deleted$/;

/** `watchersOf`: who has a foreign image open. */
export async function manageableImages(
  { images, unmanaged }: PoolListing,
  names: Names,
  known: ReadonlySet<string>,
  watchersOf: (name: string) => Promise<readonly string[]>,
): Promise<ManageableObject[]> {
  const found: ManageableObject[] = [];
  for (const { name, bytes } of images) {
    const owner = names.owner(name);
    if (name.startsWith('.') || (owner !== null && owner.kind !== 'volume')) continue;
    let reason: string | null;
    if (known.has(name)) reason = 'already managed';
    else if (owner !== null && unmanaged[name] === undefined) reason = OURS;
    else if (DELETED_BY_CINDER.test(name)) reason = 'Cinder has deleted it, and keeps it for its clones';
    else reason = whyNot(bytes, bytes === null ? [] : await watchersOf(name));
    found.push({ reference: { 'source-name': name }, sizeGiB: inGiB(bytes ?? 0), safe: reason === null, reason });
  }
  return found;
}

export function manageableSnapshots(
  { images, unmanaged }: PoolListing,
  names: Names,
  known: ReadonlySet<string>,
): ManageableObject[] {
  return images.flatMap((image) => {
    if (names.owner(image.name)?.kind !== 'volume') return [];
    return image.snapshots.flatMap((snapshot): ManageableObject[] => {
      const owner = names.owner(snapshot.name);
      if (snapshot.name.startsWith('.') || (owner !== null && owner.kind !== 'snapshot')) return [];
      const name = `${image.name}@${snapshot.name}`;
      let reason: string | null = null;
      if (known.has(name)) reason = 'already managed';
      else if (owner !== null && unmanaged[name] === undefined) reason = OURS;
      return [{ reference: { 'source-name': name }, sizeGiB: inGiB(snapshot.bytes), safe: reason === null, reason }];
    });
  });
}
