/**
 * A route as data: its path, its first version, its access rule, its body and its handler.
 *
 * All routes of Cinder's API stand in one table (`routes.ts`), all of our own in another (`pumice/own-routes.ts`), from which the
 * server is built; tests that go through every route and the documentation read the same tables.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Desk } from '../commands/desk.ts';
import type { Static, TSchema } from '../lib/schema.ts';
import type { Caller } from '../model/caller.ts';
import type { Bodies } from './body.ts';
import type { Links } from './links.ts';
import type { Microversion } from './microversion.ts';
import type { Attributes } from './policy/attributes.ts';
import type { RuleName } from './policy/default-rules.ts';
import type { Query } from './query.ts';
import type { RateLimit } from './rate-limit.ts';
import type { RowCache } from './row-cache.ts';

/** One request on its way through a route. */
export interface ApiCall<Body = unknown, Name extends string = string> {
  readonly desk: Desk;
  readonly caller: Caller;
  readonly version: Microversion;
  /** What the path names, decoded: `params.id`. Never empty. */
  readonly params: { readonly [name in Name]: string };
  readonly query: Query;
  /** Checked against the schema of the route; undefined where the route has none. */
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
  /** The address of the client, or of the proxy before us. */
  readonly address: string;
  readonly links: Links;
  readonly rowCache: RowCache;
  /** Undefined where requests are not limited. */
  readonly rate: RateLimit | undefined;
  /** What of a row the caller is shown. */
  readonly attributes: Attributes;
  /** Whether a rule beside that of the route lets the caller do something in the own project. */
  may(rule: RuleName): boolean;
  /** The same, and a 403 when it does not. */
  demand(rule: RuleName): void;
  /** Another header of the answer. */
  header(name: string, value: string): void;
  /**
   * From here on the answer is the route's, which writes it and ends it by itself; it has the headers so far. What the handler
   * resolves with is not sent, and what it fails with ends the connection.
   */
  takeOver(): ServerResponse;
  /** For an answer that goes on: who the caller is by now. Rejects as the request would be refused, undefined is nobody. */
  callerNow(): Promise<Caller | undefined>;
  /** Who would have asked with this token. Rejects as that request would be refused. */
  callerBy(token: string): Promise<Caller | undefined>;
  /** Aborted when the server is about to close. */
  readonly closing: AbortSignal;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/v3` and below `/v3/{project_id}`: `/volumes/:id`. Of our own: below `/pumice/v1`. */
  readonly path: string;
  /** Of `POST …/action`: the body's only key. `body` then describes the value under it. */
  readonly action?: string;
  /** An older request finds nothing here. */
  readonly since?: Microversion;
  /** Cinder's name of the rule: `volume:get`; `@` where there is none, for everyone who has a token. Ours begin with `pumice:`. */
  readonly policy: string;
  /** For everyone, even without a token: nobody is asked who it is, the caller is nobody. The policy is `@`, then, and not asked. */
  readonly open?: true;
  /** Of the answer, when all went well. Default: 200. */
  readonly status?: number;
  /**
   * Of a GET: the answer is a Buffer that depends on nothing but the database, the configuration, the URL, the version and the
   * caller's project and rights; not on the time. It may be sent again while nothing has changed.
   */
  readonly cacheable?: true;
  readonly body?: Bodies;
  /** Of our own: what may stand behind the question mark, an optional property each. */
  readonly query?: TSchema;
  /** Of our own: the answer, for those who write programs. Absent where there is none. */
  readonly answer?: TSchema;
  /** Of the answer, where it is no JSON. */
  readonly mediaType?: string;
  /**
   * Resolves with the answer's body: an object is sent as JSON, a Buffer holds JSON already and is sent as it is,
   * undefined is an empty body.
   */
  handle(call: ApiCall): Promise<object | undefined>;
}

/** `id` and `key` of `/volumes/:id/metadata/:key`. */
export type NamesIn<Path extends string> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? Name | NamesIn<Tail>
    : Rest
  : never;

interface RouteOver<Path extends string, S extends TSchema> extends Omit<Route, 'path' | 'body' | 'handle'> {
  readonly path: Path;
  readonly body?: Bodies<S>;
  handle(call: ApiCall<Static<S>, NamesIn<Path>>): Promise<object | undefined>;
}

/** A route whose handler knows the type of its body and the names in its path. */
export function route<const Path extends string, S extends TSchema>(made: RouteOver<Path, S>): Route {
  return made;
}
