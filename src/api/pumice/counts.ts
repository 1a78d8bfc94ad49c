/** `counts`: how many of the project's volumes, snapshots and backups are in each status. */
import { statusCounts } from '../../db/status-counts.ts';
import { route } from '../route.ts';
import { CountsAnswer } from './answers.ts';

export const counts = [
  route({
    method: 'GET',
    path: '/counts',
    policy: 'pumice:counts:get',
    answer: CountsAnswer,
    cacheable: true,
    async handle({ desk, caller: { projectId } }) {
      const [volumes, snapshots, backups] = await Promise.all(
        (['volume', 'snapshot', 'backup'] as const).map((table) => statusCounts(desk.db, table, projectId)),
      );
      return Buffer.from(JSON.stringify({ volumes, snapshots, backups }));
    },
  }),
];
