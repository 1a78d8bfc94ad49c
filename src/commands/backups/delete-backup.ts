/**
 * `DELETE /backups/{id}`: deletes a backup, by force from any status; not one that others are increments to, since clients count on them.
 *
 * A schedule that has too many may delete one to which it has made increments: nothing is needed to read them, so they become increments to
 * what that one was an increment to, or are none any more. What somebody has made by hand is never changed so, and keeps what it is an increment to.
 */
import { dependentsOf, listBackups, lockBackupRow, moveBackupStatus, updateBackup } from '../../db/backups.ts';
import { type Db, onlyIn } from '../../db/sql/db.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { deleteBackup as flow } from '../../flows/backups/delete-backup.ts';
import type { Backup } from '../../model/backup.ts';
import { BACKUP_TRANSITIONS, type BackupStatus } from '../../model/backup-status.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidBackup } from '../../model/errors.ts';
import { backupResource, begin, exclusive } from '../begin.ts';
import { refusedBackup } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { backupFor } from '../find.ts';
import { lockBackup } from '../lock.ts';
import { stopFlowsOf } from '../stop-flows.ts';

export interface DeleteBackupOptions {
  readonly force: boolean;
  /** Increments that schedules have made are given its parent in its place. Default: false. */
  readonly passesOn?: boolean;
}

export async function deleteBackup(
  desk: Desk,
  caller: Caller,
  id: string,
  { force, passesOn = false }: DeleteBackupOptions,
): Promise<void> {
  if (force) {
    await backupFor(desk.db.read, caller, id);
    // What is refused whatever becomes of them stops nothing.
    if (!passesOn) await refuseDependents(desk.db.read, id);
    await stopFlowsOf(desk, [backupResource(id)], 'The backup is deleted by force.');
  }
  await desk.db.write(async (tx) => {
    const backup = await lockBackup(tx, caller, id);
    if (passesOn) await passOnIncrements(tx, backup);
    await refuseDependents(tx.db, id);
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

/** What an increment is made from is needed while it is made, and for another try of one that failed. */
const NEEDS_PARENT: readonly BackupStatus[] = [...BACKUP_TRANSITIONS.create.during, ...BACKUP_TRANSITIONS.retry.from];

async function passOnIncrements(tx: Tx, { id, parentId }: Backup): Promise<void> {
  const increments = await listBackups(onlyIn(tx.db), { filters: [{ is: 'equal', field: 'parentId', value: id }] });
  for (const each of increments) {
    const increment = await lockBackupRow(tx, each.id);
    if (increment === undefined || increment.scheduleId === null || NEEDS_PARENT.includes(increment.status)) continue;
    await updateBackup(tx, increment.id, { parentId });
  }
}

/** So many are named. */
const NAMED = 5;

async function refuseDependents(db: Db, id: string): Promise<void> {
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
