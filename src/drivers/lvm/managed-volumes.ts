/**
 * Thin volumes that an operator brings under management and takes back, and why some may not be.
 *
 * A reference is the plain name of a volume in the backend's thin pool. It is renamed, never copied, and giving back never covers another
 * volume (LVM refuses). One that has a name of ours is somebody's, and is taken over only when it was given back under that very
 * name; a tag says so. Without the tag a reference could steal the volume of another row.
 */
import { inGiB } from '../../lib/bytes.ts';
import { millis, now } from '../../lib/clock.ts';
import { ManageExistingAlreadyManaged, ManageExistingInvalidReference } from '../../model/errors.ts';
import type { ManageableObject, ManageRef } from '../driver.ts';
import type { Owner } from '../file/names.ts';
import { requireSize } from '../file/sizes.ts';
import { addTag, removeTags, rename } from './lvm-argv.ts';
import { alreadyExists } from './lvm-errors.ts';
import { isVolumeName, unmanagedSince, unmanagedTag } from './lvm-names.ts';
import type { LogicalVolume } from './lvm-report.ts';
import type { LvmStore } from './lvm-store.ts';

const OURS = 'it has a name of ours, and was not unmanaged';

/** Size of what `ref` names, when it may be taken over. */
export async function manageableBytes(store: LvmStore, ref: ManageRef, signal: AbortSignal): Promise<number> {
  return manageable(store, await store.all(signal), sourceName(ref)).bytes;
}

function manageable(store: LvmStore, all: ReadonlyMap<string, LogicalVolume>, name: string): LogicalVolume {
  const volume = all.get(name);
  if (volume === undefined)
    throw new ManageExistingInvalidReference(`There is no volume ${name} in volume group ${store.group.group}.`);
  if (store.names.owner(name) !== null && unmanagedSince(volume.tags) === null)
    throw new ManageExistingAlreadyManaged(`${name} cannot be managed: ${OURS}.`);
  const reason = reasonAgainst(store, volume);
  if (reason !== null) throw new ManageExistingInvalidReference(`${name} cannot be managed: ${reason}.`);
  return volume;
}

function reasonAgainst(store: LvmStore, volume: LogicalVolume): string | null {
  if (!store.group.isOfPool(volume)) return `it is not in thin pool ${store.group.poolName.pool}`;
  return volume.isOpen ? 'it is in use on this machine' : null;
}

export interface VolumeToManage {
  /** Null: it has its name already, and was given back under it. */
  readonly ref: ManageRef | null;
  /** The name it gets, and the size it has. */
  readonly full: string;
  readonly sizeGiB: number;
}

export async function takeOver(
  store: LvmStore,
  { ref, full, sizeGiB }: VolumeToManage,
  signal: AbortSignal,
): Promise<void> {
  const { group } = store.group;
  const name = ref === null ? full : sourceName(ref);
  const all = await store.all(signal);
  const there = store.find(all, full);
  // A volume that has the old name by now is another one, and nobody's business.
  const volume = there ?? manageable(store, all, name);
  requireSize(volume.name, volume.bytes, sizeGiB);
  if (there === null) await store.group.change(rename(group, name, full), signal);
  const given = unmanagedSince(volume.tags);
  if (given !== null) await store.group.change(removeTags(group, full, [given.tag]), signal);
}

export async function giveBack(
  store: LvmStore,
  full: string,
  ref: ManageRef | null,
  signal: AbortSignal,
): Promise<void> {
  const { group } = store.group;
  const all = await store.all(signal, full);
  const volume = store.find(all, full);
  if (volume === null) return;
  const name = ref === null ? full : sourceName(ref);
  if (name !== full && store.names.owner(name) === null && !all.has(name)) {
    const isFree = await store.group.change(rename(group, full, name), signal).then(
      () => true,
      (error: unknown) => {
        if (!alreadyExists(error)) throw error;
        return false;
      },
    );
    if (isFree) return;
  }
  if (unmanagedSince(volume.tags) === null)
    await store.group.change(addTag(group, full, unmanagedTag(millis(now()))), signal);
}

/** Of the pool: what else is in the group is no volume of this backend. */
export async function listManageable(
  store: LvmStore,
  kind: Owner['kind'],
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ManageableObject[]> {
  const found: ManageableObject[] = [];
  for (const volume of (await store.all(signal)).values()) {
    const { name, bytes, tags } = volume;
    const owner = store.names.owner(name);
    if (!store.group.isOfPool(volume) || name.startsWith('.') || (owner !== null && owner.kind !== kind)) continue;
    let reason = reasonAgainst(store, volume);
    if (known.has(name)) reason = 'already managed';
    else if (owner !== null && unmanagedSince(tags) === null) reason = OURS;
    found.push({ reference: { 'source-name': name }, sizeGiB: inGiB(bytes), safe: reason === null, reason });
  }
  return found;
}

/** The name in a reference. Rejects whatever is no plain name of a volume. */
function sourceName(ref: ManageRef): string {
  const name = ref['source-name'];
  const refuse = (why: string): never => {
    throw new ManageExistingInvalidReference(`The reference ${JSON.stringify(ref)} ${why}.`);
  };
  if (typeof name !== 'string' || name === '') return refuse('has no "source-name"');
  if (name.startsWith('.')) return refuse('must not begin with a dot');
  if (!isVolumeName(name)) return refuse('must be the name of a logical volume, without its group');
  return name;
}
