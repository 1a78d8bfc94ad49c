/**
 * The places of the page: `/` for a browser, and its files below `/page/`. What stands behind them is loaded by the first request that
 * wants it, since most services are asked by programs only. Its session is a place of our own API (`session-routes.ts`).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { once } from '../../lib/once.ts';
import { PAGE_NAME } from './page-file.ts';
import type { PageFiles } from './page-files.ts';

export interface PageDeps {
  /** What the door does first with a request for an open place. */
  readonly onRequest: onRequestHookHandler;
  /** Answers `GET /` for whoever is no browser. */
  answerRoot(request: FastifyRequest, reply: FastifyReply): void;
}

export function addPage(app: FastifyInstance, deps: PageDeps): void {
  const { onRequest, answerRoot } = deps;
  const files = once(async () => (await import('./page-files.ts')).loadPage());
  app.get('/', { onRequest }, async (request, reply) => {
    if (isBrowser(request)) await sendFile(files, PAGE_NAME, request, reply);
    else answerRoot(request, reply.header('vary', 'Accept'));
    return reply;
  });
  app.get('/page/:name', { onRequest }, async (request, reply) => {
    await sendFile(files, (request.params as { readonly name: string }).name, request, reply);
    return reply;
  });
}

async function sendFile(
  files: () => Promise<PageFiles>,
  name: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { sendPageFile } = await import('./page-files.ts');
  sendPageFile(await files(), name, request, reply);
}

/** Programs take whatever there is, or JSON; a browser that opens an address names HTML. */
const isBrowser = ({ headers }: FastifyRequest): boolean => /\btext\/html\b/i.test(headers.accept ?? '');
