/** `POST volumes/{id}/action`: the actions that give a volume another content. */
import { revertToSnapshot } from '../../commands/volumes/revert-to-snapshot.ts';
import { Type } from '../../lib/schema.ts';
import { CLOSED, Uuid } from '../body.ts';
import { REVERT_TO_SNAPSHOT } from '../microversion.ts';
import { route } from '../route.ts';

const action = { method: 'POST', path: '/volumes/:id/action' } as const;

export const contentActions = [
  route({
    ...action,
    action: 'revert',
    since: REVERT_TO_SNAPSHOT,
    policy: 'volume:revert_to_snapshot',
    status: 202,
    body: Type.Object({ snapshot_id: Uuid }, CLOSED),
    async handle({ desk, caller, params, body }) {
      await revertToSnapshot(desk, caller, params.id, body.snapshot_id);
      return undefined;
    },
  }),
];
