/** The backends with their pools, copies and troubles. */
import { readBackends } from '../../why/read-backends.ts';
import { route } from '../route.ts';
import { BackendsAnswer } from './answers.ts';

export const backends = [
  route({
    method: 'GET',
    path: '/backends',
    policy: 'pumice:backends:get_all',
    answer: BackendsAnswer,
    async handle({ desk }) {
      const { backends, troubles } = await readBackends(desk.db, desk.tools.serviceDownSeconds);
      return {
        backends,
        troubles: troubles.map(({ upkeep, about, node, reason, since }) => ({ upkeep, about, node, reason, since })),
      };
    },
  }),
];
