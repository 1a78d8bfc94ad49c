/**
 * Liveness of processes, ownership of hosts (distributed locks), and wake-ups between processes.
 *
 * A host has no lease that must be renewed: on PostgreSQL one session of a process holds advisory locks for all the process
 * owns (`process:<id>`, `host:<name>`). PostgreSQL lets go of them when the session ends, so a name that nobody holds belongs
 * to nobody alive. When the session is lost the locks are lost with it: the process hears of it, and what it wrote as their
 * owner is fenced by epochs, not by these locks. A process that is frozen, or that no network reaches, has a session all the
 * same, so each says now and then that it lives, and ends the sessions of those that do not. The same session listens, and a
 * lost wake-up only costs the wait for the next poll.
 *
 * On SQLite there is one server (`sqlite-lock.ts`): it owns whatever it asks for, and wakes only itself.
 */
import type { PostgresqlSession } from './postgresql.ts';

/** The name that a living process holds. */
export const processName = (process: string): string => `process:${process}`;

/** The name that a living process holds while it leaves what it has in a lane to others: to them it counts as gone there. */
export const leavingName = (process: string, lane: string): string => `left:${process}:${lane}`;

/** What the server calls the sessions of owners (`application_name`), with what the address says behind it. */
export const OWNER_NAME = 'pumice owner';

export interface Ownership {
  /** Takes a name for as long as this process lives. False when another holds it; true again when this one does. */
  take(name: string): Promise<boolean>;
  release(name: string): Promise<void>;
  /** Which of the names somebody holds, this process included. */
  held(names: readonly string[]): Promise<ReadonlySet<string>>;
  /** Tells every listener of the channel, in every process. After a commit, never inside one. */
  notify(channel: string): void;
  /** Returns how to stop listening. */
  listen(channel: string, fn: () => void): Promise<() => void>;
  /**
   * Says that this process lives, and ends the sessions of those that have not said so for `ms`: frozen ones, and ones that no network
   * reaches; what they owned is free then. Returns how many. When the database itself is silent for as long, this session is given up.
   */
  endSilent(ms: number): Promise<number>;
  /** Called once when the session broke: names, and with them the right to act as owner, are gone. */
  onLost(fn: () => void): void;
  /** It broke. */
  readonly lost: boolean;
  close(): Promise<void>;
}

type Listeners = Map<string, Set<() => void>>;

/** The only process of its database. */
export class SoleOwnership implements Ownership {
  readonly lost = false;
  readonly #names = new Set<string>();
  readonly #listeners: Listeners = new Map();

  async take(name: string): Promise<boolean> {
    this.#names.add(name);
    return true;
  }

  async release(name: string): Promise<void> {
    this.#names.delete(name);
  }

  async held(names: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set(names.filter((name) => this.#names.has(name)));
  }

  notify(channel: string): void {
    setImmediate(() => tell(this.#listeners, channel));
  }

  async listen(channel: string, fn: () => void): Promise<() => void> {
    return subscribe(this.#listeners, channel, fn);
  }

  /** There is nobody else. */
  async endSilent(): Promise<number> {
    return 0;
  }

  onLost(): void {}

  async close(): Promise<void> {
    this.#names.clear();
    this.#listeners.clear();
  }
}

export class SessionOwnership implements Ownership {
  readonly #session: PostgresqlSession;
  readonly #names = new Set<string>();
  readonly #listeners: Listeners = new Map();
  readonly #toNotify = new Set<string>();

  /** The session is its own from here on: nobody else uses it. */
  constructor(session: PostgresqlSession) {
    this.#session = session;
    session.onNotification((channel) => tell(this.#listeners, channel));
  }

  async take(name: string): Promise<boolean> {
    if (this.#names.has(name) && !this.#session.lost) return true;
    const [row] = await this.#session.query<{ taken: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken',
      [name],
    );
    const taken = row?.taken === true;
    if (taken) this.#names.add(name);
    return taken;
  }

  async release(name: string): Promise<void> {
    if (this.#names.delete(name))
      await this.#session.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [name]);
  }

  // Read from pg_locks, since to try a lock is to hold it for a moment, and its owner could be refused in that moment.
  async held(names: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#session.query<{ name: string }>(
      `SELECT name FROM unnest($1::text[]) AS name WHERE EXISTS (
         SELECT 1 FROM pg_locks, pg_database WHERE datname = current_database() AND database = pg_database.oid
           AND locktype = 'advisory' AND objsubid = 1 AND granted
           AND (classid::bigint << 32) | objid::bigint = hashtextextended(name, 0))`,
      [names],
    );
    return new Set(rows.map((row) => row.name));
  }

  notify(channel: string): void {
    if (this.#toNotify.size === 0) setImmediate(() => this.#sendNotifications());
    this.#toNotify.add(channel);
  }

  async listen(channel: string, fn: () => void): Promise<() => void> {
    const first = !this.#listeners.has(channel);
    const stop = subscribe(this.#listeners, channel, fn);
    if (first) await this.#session.run(`LISTEN ${quoted(channel)}`);
    return stop;
  }

  // Whoever asks is heard by asking. The server's own clock tells since when a session waits for its process: no clock of ours is compared.
  async endSilent(ms: number): Promise<number> {
    const late = setTimeout(() => this.#session.giveUp(), ms);
    try {
      const rows = await this.#session.query<{ ended: boolean }>(
        `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
         WHERE starts_with(application_name, $1) AND datname = current_database() AND pid <> pg_backend_pid()
           AND state = 'idle' AND state_change < clock_timestamp() - $2 * interval '1 millisecond'`,
        [OWNER_NAME, ms],
      );
      return rows.filter(({ ended }) => ended).length;
    } finally {
      clearTimeout(late);
    }
  }

  get lost(): boolean {
    return this.#session.lost;
  }

  onLost(fn: () => void): void {
    this.#session.onLost(fn);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #sendNotifications(): void {
    const channels = [...this.#toNotify];
    this.#toNotify.clear();
    if (this.#session.lost) return;
    // Each listener polls as well, and the loss of the session is told by `onLost`.
    this.#session.run(channels.map((channel) => `NOTIFY ${quoted(channel)}`).join(';')).catch(() => {});
  }
}

function subscribe(listeners: Listeners, channel: string, fn: () => void): () => void {
  const of = listeners.get(channel) ?? new Set();
  listeners.set(channel, of.add(fn));
  return () => of.delete(fn);
}

function tell(listeners: Listeners, channel: string): void {
  for (const fn of listeners.get(channel) ?? []) fn();
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
