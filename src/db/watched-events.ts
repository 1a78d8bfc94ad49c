/**
 * The outbox in an order that loses nothing, for those who watch: whoever reads on from a place sees each later event once.
 *
 * On SQLite that order is `seq`. On PostgreSQL a transaction that took a low `seq` may commit after one with a higher, so whoever
 * reads on from the highest that was seen loses it. There the order is that of the transactions' ids, and read is only what lies
 * below every transaction that runs (`pg_snapshot_xmin`): nothing can appear there any more. What it costs is a wait for the oldest
 * transaction that writes, in whatever database of that server. Of one resource a later event has the higher `seq` all the same.
 *
 * A place is told to clients, who bring it back when they come again: the event that was last read, with the first digits of
 * its id. If that event is not there (it was forgotten, or the database was restored from a copy, or is another one) it is no
 * place, and who brings it must look at everything anew. A number alone would not show that: a restored database gives
 * numbers again.
 *
 * Ids of transactions are those of a server. Rows that a dump brought to another may have higher ones than it has given, and would be
 * seen too late or in the wrong order, so a server of ours gives them its own when it starts.
 */
import type { Database } from './database.ts';

/** Where somebody has read to: an event that was seen, or null for the beginning of all that is kept. */
export type EventPlace = string | null;

/** As much of an event as those who watch are told. */
export interface WatchedEvent {
  readonly place: string;
  /** Of two of one resource the later one has the higher. */
  readonly seq: number;
  readonly resource: string;
  readonly event_type: string;
  readonly priority: string;
  /** The project that the resource belongs to; null where it is of none, or the event does not say. */
  readonly owner: string | null;
  readonly request_id: string;
  readonly created_at: string;
}

/** Digits of the message id. */
const DIGITS = 8;
const PLACE = /^(\d{1,20})\.(\d{1,15})\.([0-9a-z-]{1,8})$/;
const FIRST = '0.0.0';
const TOLD = 'seq, message_id, resource, event_type, priority, request_id, created_at';
const IN_SQLITE = `xid, ${TOLD}, payload ->> 'tenant_id' AS owner`;
const IN_POSTGRESQL = `xid::text AS xid, ${TOLD}, payload::json ->> 'tenant_id' AS owner`;
/** Nothing that is not there yet will ever be below this. */
const IS_SETTLED = 'xid < pg_snapshot_xmin(pg_current_snapshot())';

type Row = Omit<WatchedEvent, 'place'> & { readonly xid: string | number; readonly message_id: string };

export class WatchedEvents {
  readonly #reader: Database['reader'];

  constructor({ reader }: Pick<Database, 'reader'>) {
    this.#reader = reader;
  }

  /** The next events after a place, at most `limit`. The place need not be there any more. */
  async after(place: EventPlace, limit: number): Promise<readonly WatchedEvent[]> {
    const { xid, seq } = read(place ?? FIRST);
    const reader = this.#reader;
    const rows =
      reader.dialect === 'sqlite'
        ? (reader
            .statement(`SELECT ${IN_SQLITE} FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?`)
            .all(seq, limit) as unknown as Row[])
        : await reader.prepared<Row>(
            'watched-events',
            `SELECT ${IN_POSTGRESQL} FROM outbox WHERE (xid, seq) > ($1::xid8, $2::bigint) AND ${IS_SETTLED}
             ORDER BY outbox.xid, seq LIMIT $3`,
            [xid, seq, limit],
          );
    return rows.map(watched);
  }

  /** Behind all that can be read now. */
  async end(): Promise<EventPlace> {
    const [row] = await this.#reader.query<Row>(
      this.#reader.dialect === 'sqlite'
        ? `SELECT ${IN_SQLITE} FROM outbox ORDER BY seq DESC LIMIT 1`
        : `SELECT ${IN_POSTGRESQL} FROM outbox WHERE ${IS_SETTLED} ORDER BY outbox.xid DESC, seq DESC LIMIT 1`,
    );
    return row === undefined ? null : watched(row).place;
  }

  /** Whether somebody who was told this may read on from there. It may be any text. */
  async isPlace(text: string): Promise<boolean> {
    if (!PLACE.test(text)) return false;
    const { seq } = read(text);
    const sqlite = this.#reader.dialect === 'sqlite';
    const [row] = await this.#reader.query<Row>(
      sqlite ? `SELECT ${IN_SQLITE} FROM outbox WHERE seq = ?` : `SELECT ${IN_POSTGRESQL} FROM outbox WHERE seq = $1`,
      [seq],
    );
    return row !== undefined && watched(row).place === text;
  }
}

/** Whether what stands at one place comes later than what stands at the other. */
export function isBehind(place: EventPlace, other: EventPlace): boolean {
  const [a, b] = [read(place ?? FIRST), read(other ?? FIRST)];
  return BigInt(a.xid) === BigInt(b.xid) ? a.seq > b.seq : BigInt(a.xid) > BigInt(b.xid);
}

/** Events that a dump brought from another server get a number of this one. Before anything is written. */
export async function adoptEvents({ dialect, reader, write }: Database): Promise<void> {
  if (dialect === 'sqlite') return;
  const foreign = 'SELECT 1 FROM outbox WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()) LIMIT 1';
  if ((await reader.query(foreign)).length === 0) return;
  await write(({ connection }) => connection.run('UPDATE outbox SET xid = DEFAULT'));
}

function read(place: string): { readonly xid: string; readonly seq: number } {
  const [xid = '0', seq = '0'] = place.split('.');
  return { xid, seq: Number(seq) };
}

function watched({ xid, message_id, ...event }: Row): WatchedEvent {
  return { ...event, place: `${xid}.${event.seq}.${message_id.slice(0, DIGITS)}` };
}
