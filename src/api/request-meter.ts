/**
 * What is told of each request where somebody measures them. A route asks once for its meter and keeps it, so that a request
 * costs two looks at the clock and an addition, whichever way it is answered. Nobody measures by default.
 */
import type { ServerResponse } from 'node:http';
import { elapsed } from '../lib/clock.ts';

/** Of one route and one method. */
export interface RouteMeter {
  /** A status of 0: the client had gone before its answer. */
  answered(status: number, seconds: number): void;
}

export interface RequestMeter {
  /** `route` as it stands in the table, below its prefix: `/v3/volumes/:id`. */
  route(method: string, route: string, action?: string): RouteMeter;
  /** Of what leads to no route. */
  readonly elsewhere: RouteMeter;
}

/** Tells the meter that `of` knows by then, if any, when the answer is sent or its connection has gone. */
export function measureAnswer(response: ServerResponse, of: () => RouteMeter | undefined): void {
  const from = elapsed();
  response.on('close', () => {
    of()?.answered(response.writableEnded ? response.statusCode : 0, (elapsed() - from) / 1000);
  });
}
