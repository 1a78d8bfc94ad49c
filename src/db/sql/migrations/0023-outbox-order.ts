/**
 * The transaction in which each event was written, by which PostgreSQL's events can be read in an order that loses none
 * (`db/watched-events.ts`). SQLite needs none: its `seq` is the order of commits.
 */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const outboxOrder: Migration = { version: 23, name: '0023-outbox-order', statements };

function statements(dialect: Dialect): string {
  return dialect === 'sqlite'
    ? 'ALTER TABLE outbox ADD COLUMN xid INTEGER NOT NULL DEFAULT 0'
    : `ALTER TABLE outbox ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
       CREATE INDEX outbox_xid ON outbox (xid, seq)`;
}
