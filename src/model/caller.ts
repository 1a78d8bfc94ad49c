/** The caller of a request: user, project and roles. */
import type { TokenText } from './token.ts';

/** Who asks: made by the door from the request's token, handed to every command. */
export interface Caller {
  readonly userId: string;
  readonly projectId: string;
  readonly roles: readonly string[];
  readonly isAdmin: boolean;
  /** Roles of the service that asks in the user's name (`X-Service-Token`); empty when a user asks directly. */
  readonly serviceRoles: readonly string[];
  /** `req-<uuid>`: in the answer's headers, every log line, flow, event and message of the request. */
  readonly requestId: string;
  /** The span of the request in a trace, as a `traceparent`; absent where nobody traces. */
  readonly trace?: string;
  /** What an identity service was asked about: for other services that are asked in the user's name. */
  readonly token?: TokenText;
}

/** An administrator is a member, and a member a reader, whether the token says so or not. */
export function withImplied(roles: readonly string[]): readonly string[] {
  const all = new Set(roles.map((role) => role.toLowerCase()));
  if (all.has('admin')) all.add('member');
  if (all.has('member')) all.add('reader');
  return [...all];
}
