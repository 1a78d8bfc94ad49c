/**
 * The exchange of names by which a volume gets other content, all of it or none. No step of LVM's exchanges two names:
 *
 *   1. a temporary is made, filled and durable     2. it gets the tag `pumice.replaces`: from here on its content is the volume's
 *   3. the volume becomes `.del-…`                 4. the temporary gets the volume's name     5. tag and `.del-…` go
 *
 * What has come as far as 2 is taken up again by whoever looks for the volume next.
 */
import { remove, removeTags, rename } from './lvm-argv.ts';
import { isGone } from './lvm-errors.ts';
import { doomed, leftOf, REPLACES, temporaryOf } from './lvm-names.ts';
import type { LogicalVolume } from './lvm-report.ts';
import type { VolumeGroup } from './volume-group.ts';

type All = ReadonlyMap<string, LogicalVolume>;

/** Whether it is whole, and what is to be `full`. */
export const isToReplace = ({ name, tags }: LogicalVolume, full: string): boolean =>
  tags.includes(REPLACES) && temporaryOf(name)?.full === full;

/** 3 to 5, to their end. `all` may have what is gone. */
export async function exchange(volumes: VolumeGroup, name: string, full: string, all: All): Promise<void> {
  const { group } = volumes;
  const aside = doomed(full);
  if (all.has(full)) {
    if (all.has(aside)) await takeAway(volumes, aside);
    await volumes.changeAnyway(rename(group, full, aside));
  }
  await volumes.changeAnyway(rename(group, name, full));
  await volumes.changeAnyway(removeTags(group, full, [REPLACES]));
  await takeAway(volumes, aside);
}

/** Done when it is gone. */
async function takeAway(volumes: VolumeGroup, name: string): Promise<void> {
  await volumes.changeAnyway(remove(volumes.group, [name])).catch((error: unknown) => {
    if (!isGone(error)) throw error;
  });
}

/** Those of the pool by their full names, or foreign ones; also one between 3 and 4, by the name that it is to have. */
export function* named(volumes: VolumeGroup, all: All): Generator<LogicalVolume, void, undefined> {
  for (const volume of all.values()) {
    if (!volumes.isOfPool(volume)) continue;
    const full = volume.tags.includes(REPLACES) ? temporaryOf(volume.name)?.full : undefined;
    if (full !== undefined && !all.has(full)) yield { ...volume, name: full };
    else if (leftOf(volume.name) === null) yield volume;
  }
}
