/** `POST snapshots/{id}/action`: from the name of an action to the command that does it. */

import { deleteSnapshot } from '../../commands/snapshots/delete-snapshot.ts';
import { resetSnapshotStatus } from '../../commands/snapshots/reset-snapshot-status.ts';
import { unmanageSnapshot } from '../../commands/snapshots/unmanage-snapshot.ts';
import { updateSnapshotStatus } from '../../commands/snapshots/update-snapshot-status.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { SNAPSHOT_STATUSES, TOLD_SNAPSHOT_STATUSES } from '../../model/status.ts';
import { CLOSED, Maybe, readWord, Word } from '../body.ts';
import { route } from '../route.ts';

const action = { method: 'POST', path: '/snapshots/:id/action' } as const;

export const snapshotActions = [
  route({
    ...action,
    action: 'os-reset_status',
    policy: 'volume_extension:snapshot_admin_actions:reset_status',
    status: 202,
    body: Type.Object({ status: Word(SNAPSHOT_STATUSES) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const status = readWord(body.status, 'status', SNAPSHOT_STATUSES);
      if (status === undefined) throw new InvalidInput('The status is empty.');
      await resetSnapshotStatus(desk, caller, params.id, status);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-force_delete',
    policy: 'volume_extension:snapshot_admin_actions:force_delete',
    status: 202,
    async handle({ desk, caller, params }) {
      await deleteSnapshot(desk, caller, params.id, { force: true });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-update_snapshot_status',
    policy: 'snapshot_extension:snapshot_actions:update_snapshot_status',
    status: 202,
    body: Type.Object(
      {
        status: Type.Enum([...TOLD_SNAPSHOT_STATUSES]),
        progress: Maybe(Type.String({ pattern: '^(100|[1-9]?[0-9])%$' })),
      },
      CLOSED,
    ),
    async handle({ desk, caller, params, body }) {
      await updateSnapshotStatus(desk, caller, params.id, body.status, body.progress ?? null);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'os-unmanage',
    policy: 'snapshot_extension:snapshot_unmanage',
    status: 202,
    async handle({ desk, caller, params }) {
      await unmanageSnapshot(desk, caller, params.id);
      return undefined;
    },
  }),
];
