/** `why`: six sentences about anything that has an id. */
import { WhyUnknown } from '../../model/errors.ts';
import { readWhy } from '../../why/read-why.ts';
import { route } from '../route.ts';
import { WhyAnswer } from './answers.ts';

export const why = [
  route({
    method: 'GET',
    path: '/why/:id',
    policy: 'pumice:why:get',
    answer: WhyAnswer,
    async handle({ desk, caller, params, may }) {
      const reader = may('pumice:flows:internals') ? 'operator' : 'owner';
      const told = await readWhy(desk.db, params.id, (projectId) =>
        caller.isAdmin || projectId === caller.projectId ? reader : undefined,
      );
      if (told === undefined) throw new WhyUnknown(`Nothing is known of ${params.id}.`);
      return told;
    },
  }),
];
