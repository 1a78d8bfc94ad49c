/**
 * `/healthcheck`, for load balancers and supervisors, who show no token. Where all is well it answers as Cinder's does: `OK`, and to
 * a HEAD 204. Where it is not: 503, with the reasons in the form that oslo.middleware has for JSON. What hosts and errors are called is
 * for administrators (`/pumice/v1/health`).
 *
 * `/healthcheck/live` only says that the process answers: to one that waits for its database another start is no help.
 */
import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import type { Desk } from '../commands/desk.ts';
import { send } from './exchange.ts';
import { readinessOf } from './readiness.ts';

export function addHealthcheck(app: FastifyInstance, desk: Desk, onRequest: onRequestHookHandler): void {
  app.get('/healthcheck', { onRequest }, async (_request, reply) => {
    const { reasons } = await readinessOf(desk);
    if (reasons.length === 0) return reply.type('text/plain').send('OK');
    send(reply, 503, { detailed: false, reasons });
    return reply;
  });
  app.head('/healthcheck', { onRequest }, async (_request, reply) => {
    const { reasons } = await readinessOf(desk);
    return reply.code(reasons.length === 0 ? 204 : 503).send();
  });
  app.get('/healthcheck/live', { onRequest }, (_request, reply) => reply.type('text/plain').send('OK'));
}
