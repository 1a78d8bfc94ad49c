/** `DELETE /backups/{id}`: deletes a backup, by force from any status; not one that others are increments to, since clients count on them. */
import { dependentsOf, listBackups, moveBackupStatus } from '../../db/backups.ts';
import { onlyIn } from '../../db/sql/db.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { deleteBackup as flow } from '../../flows/backups/delete-backup.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidBackup } from '../../model/errors.ts';
import { backupResource, begin, exclusive } from '../begin.ts';
import { refusedBackup } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { backupFor } from '../find.ts';
import { lockBackup } from '../lock.ts';
import { stopFlowsOf } from '../stop-flows.ts';

export async function deleteBackup(
  desk: Desk,
  caller: Caller,
  id: string,
  { force }: { readonly force: boolean },
): Promise<void> {
  if (force) {
    await backupFor(desk.db.read, caller, id);
    await stopFlowsOf(desk, [backupResource(id)], 'The backup is deleted by force.');
  }
  await desk.db.write(async (tx) => {
    const backup = await lockBackup(tx, caller, id);
    await refuseDependents(tx, id);
    if (!(await moveBackupStatus(tx, id, 'delete', { force }))) throw refusedBackup(backup, 'delete');
    await begin(
      desk,
      tx,
      caller,
      flow,
      { backupId: id, previousStatus: backup.status },
      { resource: backupResource(id), projectId: backup.projectId, holds: [exclusive(backupResource(id))] },
    );
  });
}

/** So many are named. */
const NAMED = 5;

async function refuseDependents({ db }: Tx, id: string): Promise<void> {
  const count = (await dependentsOf(db, [id])).get(id);
  if (count === undefined) return;
  const some = await listBackups(onlyIn(db), {
    filters: [{ is: 'equal', field: 'parentId', value: id }],
    limit: NAMED,
  });
  const more = count > NAMED ? `, and ${count - NAMED} more` : '';
  throw new InvalidBackup(
    `Incremental backups exist for this backup: ${some.map((each) => each.id).join(', ')}${more}. Delete them first.`,
  );
}
