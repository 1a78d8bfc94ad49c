/** `POST volumes/{id}/action`: the actions that give a volume another content. */
import { reimageVolume } from '../../commands/volumes/reimage-volume.ts';
import { revertToSnapshot } from '../../commands/volumes/revert-to-snapshot.ts';
import { Type } from '../../lib/schema.ts';
import { CLOSED, LooseBoolean, Uuid } from '../body.ts';
import { REIMAGE, REVERT_TO_SNAPSHOT } from '../microversion.ts';
import { readBoolean } from '../query.ts';
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

  route({
    ...action,
    action: 'os-reimage',
    since: REIMAGE,
    policy: 'volume:reimage',
    status: 202,
    body: Type.Object({ image_id: Uuid, reimage_reserved: Type.Optional(LooseBoolean) }, CLOSED),
    async handle({ desk, caller, params, body, demand }) {
      const reserved = readBoolean(body.reimage_reserved ?? false, 'reimage_reserved');
      if (reserved) demand('volume:reimage_reserved');
      await reimageVolume(desk, caller, params.id, { imageId: body.image_id, reserved });
      return undefined;
    },
  }),
];
