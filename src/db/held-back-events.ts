/**
 * Events that those who watch cannot see yet on PostgreSQL, since an older transaction that writes is still open, in whatever database of
 * the server (`watched-events.ts`). On SQLite there is no such thing.
 */
import { sql } from 'kysely';
import type { Timestamp } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';

export interface HeldBack {
  /** When the oldest of them was written. */
  readonly since: Timestamp;
  /** Who holds them back, as far as we may see it: `pid 4711 (psql of ann in shop)`. */
  readonly by: string;
}

interface Holder {
  readonly pid: number;
  readonly application_name: string | null;
  readonly usename: string | null;
  readonly datname: string | null;
}

export async function heldBackEvents(db: Db): Promise<HeldBack | undefined> {
  if (db.direct.dialect === 'sqlite') return undefined;
  const { rows: oldest } = await sql<{ created_at: Timestamp }>`
    SELECT created_at FROM outbox WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, seq LIMIT 1`.execute(
    db,
  );
  const [first] = oldest;
  if (first === undefined) return undefined;
  const { rows: holders } = await sql<Holder>`
    SELECT pid, application_name, usename, datname FROM pg_stat_activity
    WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY age(backend_xid) DESC LIMIT 1`.execute(db);
  const [holder] = holders;
  return { since: first.created_at, by: holder === undefined ? 'a transaction that we may not see' : named(holder) };
}

const named = ({ pid, application_name: program, usename: user, datname: database }: Holder): string =>
  `pid ${pid} (${program || 'a client'} of ${user ?? 'nobody'} in ${database ?? 'no database'})`;
