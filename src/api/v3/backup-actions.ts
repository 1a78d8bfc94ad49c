/** `POST backups/{id}/action`: from the name of an action to the command that does it. */
import { deleteBackup } from '../../commands/backups/delete-backup.ts';
import { resetBackupStatus } from '../../commands/backups/reset-backup-status.ts';
import { Type } from '../../lib/schema.ts';
import { BACKUP_RESET_STATUSES } from '../../model/backup-status.ts';
import { InvalidInput } from '../../model/errors.ts';
import { CLOSED, readWord, Word } from '../body.ts';
import { route } from '../route.ts';

const action = { method: 'POST', path: '/backups/:id/action' } as const;

export const backupActions = [
  route({
    ...action,
    action: 'os-reset_status',
    policy: 'volume_extension:backup_admin_actions:reset_status',
    status: 202,
    body: Type.Object({ status: Word(BACKUP_RESET_STATUSES) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const status = readWord(body.status, 'status', BACKUP_RESET_STATUSES);
      if (status === undefined) throw new InvalidInput('status must be given.');
      await resetBackupStatus(desk, caller, params.id, status);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-force_delete',
    policy: 'volume_extension:backup_admin_actions:force_delete',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteBackup(desk, caller, params.id, { force: true });
      return undefined;
    },
  }),
];
