/** Which projects may see and use a private volume type. */

import { volumeTypeFor } from '../../commands/find.ts';
import { addTypeAccess, removeTypeAccess } from '../../commands/types/type-access.ts';
import { volumeTypeProjects } from '../../db/volume-types.ts';
import { Type } from '../../lib/schema.ts';
import { VolumeTypeAccessNotFound } from '../../model/errors.ts';
import { CLOSED } from '../body.ts';
import { route } from '../route.ts';

const action = { method: 'POST', path: '/types/:id/action', status: 202 } as const;
const ProjectBody = Type.Object({ project: Type.String({ minLength: 1, maxLength: 255 }) }, CLOSED);

export const typeAccess = [
  route({
    method: 'GET',
    path: '/types/:id/os-volume-type-access',
    policy: 'volume_extension:volume_type_access:get_all_for_type',
    async handle({ desk: { db }, caller, params }) {
      const { id, name, isPublic } = await volumeTypeFor(db.read, caller, params.id);
      if (isPublic) throw new VolumeTypeAccessNotFound(`Volume type ${name} is public; there is no list of accesses.`);
      const projects = await volumeTypeProjects(db.read, id);
      return { volume_type_access: projects.map((project) => ({ volume_type_id: id, project_id: project })) };
    },
  }),

  route({
    ...action,
    action: 'addProjectAccess',
    policy: 'volume_extension:volume_type_access:addProjectAccess',
    body: ProjectBody,
    async handle({ desk, caller, params, body }) {
      await addTypeAccess(desk, caller, params.id, body.project);
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'removeProjectAccess',
    policy: 'volume_extension:volume_type_access:removeProjectAccess',
    body: ProjectBody,
    async handle({ desk, caller, params, body }) {
      await removeTypeAccess(desk, caller, params.id, body.project);
      return undefined;
    },
  }),
];
