/** Commands about backups, as a flow asks for them: each in its transaction, with the desk of the process that runs the flow. */
import type { Tx } from '../../db/sql/tx.ts';
import type { BackupRequests } from '../../flows/tools.ts';
import type { Desk } from '../desk.ts';
import { createBackup } from './create-backup.ts';
import { deleteBackup } from './delete-backup.ts';

/** `desk`: known by the first request. */
export function backupRequests(desk: () => Desk): BackupRequests {
  return {
    create: (tx, caller, { incremental, ...request }) =>
      createBackup(within(desk(), tx), caller, {
        ...request,
        incremental: incremental && 'if-possible',
        snapshotId: null,
        container: null,
        availabilityZone: null,
      }),
    delete: (tx, caller, id) => deleteBackup(within(desk(), tx), caller, id, { force: false, passesOn: true }),
  };
}

/** What the command writes belongs to a transaction that is open. */
const within = (desk: Desk, tx: Tx): Desk => ({ ...desk, db: { ...desk.db, write: (unit) => unit(tx) } });
