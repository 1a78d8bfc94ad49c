/** `sinks`: where events go, and how that is. */
import { sinkNames } from '../../events/sink-names.ts';
import { sinkFacts } from '../../why/read-sinks.ts';
import { route } from '../route.ts';
import { SinksAnswer } from './answers.ts';

export const sinks = [
  route({
    method: 'GET',
    path: '/sinks',
    policy: 'pumice:sinks:get_all',
    answer: SinksAnswer,
    async handle({ desk }) {
      return { sinks: await sinkFacts(desk.db, sinkNames(desk.config)) };
    },
  }),
];
