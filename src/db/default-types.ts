/** The volume types that projects get when they ask for none. */
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

export interface DefaultType {
  readonly projectId: string;
  readonly volumeTypeId: string;
}

export async function findDefaultType(db: Db, projectId: string): Promise<DefaultType | undefined> {
  return db.once(`default type of ${projectId}`, async (past) => {
    const row = await past
      .selectFrom('default_volume_type')
      .select('volume_type_id')
      .where('project_id', '=', projectId)
      .executeTakeFirst();
    return row && { projectId, volumeTypeId: row.volume_type_id };
  });
}

export async function listDefaultTypes(db: Db): Promise<DefaultType[]> {
  const rows = await db.selectFrom('default_volume_type').selectAll().orderBy('project_id').execute();
  return rows.map((row) => ({ projectId: row.project_id, volumeTypeId: row.volume_type_id }));
}

export async function isDefaultOfProject(db: Db, volumeTypeId: string): Promise<boolean> {
  const row = await db
    .selectFrom('default_volume_type')
    .select('project_id')
    .where('volume_type_id', '=', volumeTypeId)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function setDefaultType({ db }: Tx, { projectId, volumeTypeId }: DefaultType): Promise<void> {
  await db
    .insertInto('default_volume_type')
    .values({ project_id: projectId, volume_type_id: volumeTypeId })
    .onConflict((conflict) => conflict.column('project_id').doUpdateSet({ volume_type_id: volumeTypeId }))
    .execute();
}

export async function unsetDefaultType({ db }: Tx, projectId: string): Promise<void> {
  await db.deleteFrom('default_volume_type').where('project_id', '=', projectId).execute();
}
