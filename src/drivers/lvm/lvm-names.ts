/**
 * Names of logical volumes, and what LVM and device-mapper make of them. As Cinder's LVM driver names things, so that a group of its can be
 * taken over:
 *
 *   volume-<id>                                whole and durable
 *   _snapshot-<id>                             the same: names that begin with `snapshot` are LVM's own, and Cinder puts `_` before them
 *   cached-image-<id>, backup-<id>             ours
 *   .tmp-volume-<id>.<attempt>                 being made; means nothing, may be removed, unless it has the tag `pumice.replaces`
 *   .del-volume-<id>                           its place was taken; as good as gone
 *
 * Tags say what a name cannot:
 *
 *   pumice.replaces                            of a temporary: it is whole, and is to take the place of the volume that it was made for
 *   pumice.moment                              of a temporary: those of the other snapshots of its moment are whole, too
 *   pumice.unmanaged=<ms>                      given back to the operator under this very name
 */
import { uuid } from '../../lib/clock.ts';
import { DriverNotInitialized } from '../../model/errors.ts';
import { Names, type Owner } from '../file/names.ts';

export const REPLACES = 'pumice.replaces';
export const MOMENT = 'pumice.moment';
const UNMANAGED = 'pumice.unmanaged=';

export const unmanagedTag = (ms: number): string => `${UNMANAGED}${ms}`;

/** Since when it is its operator's, in ms of the epoch, and the tag that says so; null when it was not given back. */
export function unmanagedSince(tags: readonly string[]): { readonly tag: string; readonly ms: number } | null {
  const tag = tags.find((each) => each.startsWith(UNMANAGED));
  return tag === undefined ? null : { tag, ms: Number(tag.slice(UNMANAGED.length)) };
}

const ATTEMPT = /^\.tmp-(.+)\.([0-9a-f]{8})$/;

export const temporary = (full: string, attempt: string = newAttempt()): string => `.tmp-${full}.${attempt}`;
export const newAttempt = (): string => uuid().slice(0, 8);
export const doomed = (full: string): string => `.del-${full}`;

/** What a temporary was to be; null for any other name. */
export function temporaryOf(name: string): { readonly full: string; readonly attempt: string } | null {
  const [, full, attempt] = ATTEMPT.exec(name) ?? [];
  return full === undefined || attempt === undefined ? null : { full, attempt };
}

/** Whose full name it belongs to, of a temporary or what is doomed; null for any other name. */
export const leftOf = (name: string): string | null =>
  name.startsWith('.del-') ? name.slice('.del-'.length) : (temporaryOf(name)?.full ?? null);

/** As in cinder.conf; a snapshot's gets the `_` of Cinder where it needs it. */
export function lvmNames(templates: { readonly volume: string; readonly snapshot: string }): Names {
  const { snapshot } = templates;
  return new Names({ ...templates, snapshot: snapshot.startsWith('snapshot') ? `_${snapshot}` : snapshot });
}

/** Whether LVM takes it for the name of a volume, as far as can be known beforehand. Its own suffixes are not looked for. */
export const isVolumeName = (name: string): boolean =>
  /^[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]*$/.test(name) && name !== '.' && name !== '..' && !/^(snapshot|pvmove)/.test(name);

/** Device-mapper joins group and volume by a hyphen, and doubles those in them. */
export const deviceMapperName = (group: string, volume: string): string =>
  [group, volume].map((name) => name.replaceAll('-', '--')).join('-');

/** Of a device's name, in the kernel. */
const LONGEST = 127;
const SOME_ID = '00000000-0000-0000-0000-000000000000';

/** Rejects templates of which LVM would refuse the names, and groups whose name leaves no room for them. */
export function checkNames(group: string, names: Names): void {
  for (const kind of ['volume', 'snapshot', 'image', 'backup'] as const satisfies readonly Owner['kind'][]) {
    const full = names.of(kind, SOME_ID);
    if (!isVolumeName(full)) throw new DriverNotInitialized(`LVM takes ${full} for no name of a volume.`);
    const longest = deviceMapperName(group, temporary(full));
    if (longest.length <= LONGEST) continue;
    throw new DriverNotInitialized(
      `A device may have a name of ${LONGEST} characters, and of a ${kind} in ${group} one would have ${longest.length}: the group, or the template, wants a shorter name.`,
    );
  }
}
