/** `whoami`: who the caller is, and how callers are known here. For a page that must know whether somebody has to sign in first. */
import { route } from '../route.ts';
import { WhoamiAnswer } from './answers.ts';

export const whoami = [
  route({
    method: 'GET',
    path: '/whoami',
    policy: '@',
    answer: WhoamiAnswer,
    async handle({ caller, desk }) {
      return {
        user_id: caller.userId,
        project_id: caller.projectId || null,
        roles: caller.roles,
        is_admin: caller.isAdmin,
        auth_strategy: desk.config.api.auth_strategy,
      };
    },
  }),
];
