/**
 * `default-types/{project}`: sets or deletes the volume type of a project's volumes that ask for none. Without one it gets the
 * site's default.
 */
import { type DefaultType, setDefaultType as setRow, unsetDefaultType as unsetRow } from '../../db/default-types.ts';
import type { Caller } from '../../model/caller.ts';
import type { Desk } from '../desk.ts';
import { lockVolumeType } from '../lock.ts';
import { typeFor } from '../volumes/volume-choices.ts';

/** `requested` is the id or the name of a type. */
export async function setDefaultType(
  { db, config }: Desk,
  caller: Caller,
  projectId: string,
  requested: string,
): Promise<DefaultType> {
  return db.write(async (tx) => {
    const { id: volumeTypeId } = await lockVolumeType(tx, (await typeFor(tx.db, caller, requested, config)).id);
    await setRow(tx, { projectId, volumeTypeId });
    return { projectId, volumeTypeId };
  });
}

export async function unsetDefaultType({ db }: Desk, projectId: string): Promise<void> {
  await db.write((tx) => unsetRow(tx, projectId));
}
