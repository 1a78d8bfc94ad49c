/** `health`: whether this process is ready, and why not, with the names that `/healthcheck` tells nobody. */
import { readinessOf } from '../readiness.ts';
import { route } from '../route.ts';
import { HealthAnswer } from './answers.ts';

export const health = [
  route({
    method: 'GET',
    path: '/health',
    policy: 'pumice:health:get',
    answer: HealthAnswer,
    async handle({ desk }) {
      const { reasons, services } = await readinessOf(desk);
      return {
        is_ready: reasons.length === 0,
        reasons,
        node: desk.config.node_name,
        services:
          services?.map(({ host, binary, isUp, failure, updatedAt }) => ({
            host,
            binary,
            is_up: isUp,
            failure,
            updated_at: updatedAt,
          })) ?? null,
      };
    },
  }),
];
