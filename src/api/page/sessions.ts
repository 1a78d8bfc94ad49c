/**
 * Sessions of the page: from what somebody types when signing in to a token of the API, and what the page shows of it. One kind a
 * strategy of authentication; this file has the contract, and the kind for `noauth`, where nothing is proved.
 */
import type { Database } from '../../db/database.ts';
import { projectsWithUsage } from '../../db/quotas.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput } from '../../model/errors.ts';

/** As it is typed. */
export interface TypedCredentials {
  readonly user?: string | null;
  readonly password?: string | null;
  /** The user's, by name. */
  readonly domain?: string | null;
  /** By id. Absent: whichever is the user's. */
  readonly project?: string | null;
}

export interface NamedThing {
  readonly id: string;
  readonly name: string;
}

export interface SessionFacts {
  readonly user: NamedThing;
  readonly project: NamedThing;
  /** All that one may change to. */
  readonly projects: readonly NamedThing[];
  /** UTC with a zone; null: it does not end by itself. */
  readonly expires_at: string | null;
}

export interface Sessions {
  readonly strategy: 'noauth' | 'local' | 'keystone';
  /** What a form for signing in may suggest to whoever has not. */
  suggestions(): Promise<{ readonly projects?: readonly string[]; readonly domain?: string }>;
  /** Resolves with a token for a project. Rejects with `Unauthorized`, with `Forbidden` for whoever has no project. `address`: the client's. */
  signIn(credentials: TypedCredentials, address: string): Promise<string>;
  /** A token of the same user for another project, in place of this one. */
  change(token: string, project: string): Promise<string>;
  /** Of a token that is good. */
  facts(token: string, caller: Caller): Promise<SessionFacts>;
  /** The token is good for nothing any more, where tokens can be taken back. */
  signOut(token: string): Promise<void>;
}

const PART = /^[\x21-\x7e]{1,255}$/;
const MOST_SUGGESTED = 100;

/** The token is `user:project`, and believed. */
export class UnprovedSessions implements Sessions {
  readonly strategy = 'noauth';
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Projects that have something: nobody else knows what projects there are. */
  async suggestions(): Promise<{ readonly projects: readonly string[] }> {
    return { projects: await projectsWithUsage(this.#db.read, MOST_SUGGESTED) };
  }

  async signIn({ user, project }: TypedCredentials): Promise<string> {
    const [userId, projectId] = [user || 'admin', project || 'admin'];
    if (!PART.test(userId) || userId.includes(':')) throw new InvalidInput('user must be a word without a colon.');
    if (!PART.test(projectId)) throw new InvalidInput('project must be a word.');
    return `${userId}:${projectId}`;
  }

  async change(token: string, project: string): Promise<string> {
    return this.signIn({ user: token.split(':', 1)[0] ?? '', project });
  }

  async facts(_token: string, { userId, projectId }: Caller): Promise<SessionFacts> {
    const { projects } = await this.suggestions();
    return {
      user: { id: userId, name: userId },
      project: { id: projectId, name: projectId },
      projects: [...new Set([projectId, ...projects])].sort().map((id) => ({ id, name: id })),
      expires_at: null,
    };
  }

  async signOut(): Promise<void> {}
}
