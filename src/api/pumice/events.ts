/**
 * `events`: what changes, as server-sent events, for a page and for programs that show how things are.
 *
 * Who administrates is told of all projects, others of their own. A client that comes back says what it last read, by `Last-Event-ID`
 * as browsers do by themselves, or by `?after=`.
 */
import { Type } from '../../lib/schema.ts';
import { PumiceError } from '../../model/errors.ts';
import { route } from '../route.ts';

/** What is asked for is not to be had in a form that the client takes. */
class NotAcceptable extends PumiceError {
  override readonly status = 406;
}

export const events = [
  route({
    method: 'GET',
    path: '/events',
    policy: 'pumice:events',
    query: Type.Object({
      after: Type.Optional(
        Type.String({ description: 'The `id` of the last frame; counts more than `Last-Event-ID`.' }),
      ),
    }),
    mediaType: 'text/event-stream',
    async handle(call) {
      const { headers, query, takeOver } = call;
      // Whoever does not know what it asks for would wait for ever.
      if (!/text\/event-stream/i.test(headers.accept ?? ''))
        throw new NotAcceptable('This is a stream without an end. Ask for it with Accept: text/event-stream.');
      const last = headers['last-event-id'];
      const from = query.get('after') ?? (typeof last === 'string' ? last : undefined);
      const { eventRoomOf } = await import('./event-room.ts');
      if (await eventRoomOf(call).begin(call, from)) return undefined;
      // A browser shows no fault of a stream, a person reads this.
      takeOver()
        .writeHead(503, { 'content-type': 'text/plain', 'cache-control': 'no-store', 'retry-after': '5' })
        .end('Too many streams of events are open. Close another one first.\n');
      return undefined;
    },
  }),
];
