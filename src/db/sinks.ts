/** How each sink is, as rows: written by whoever delivers events, in the transaction that says what was delivered; read by all. */
import { type SinkChange, type SinkState, UNTRIED, type WaitingResource } from '../model/sink.ts';
import type { Queries } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

/** By name, of each that is asked for. */
export async function readSinks(db: Queries, names: readonly string[]): Promise<ReadonlyMap<string, SinkState>> {
  if (names.length === 0) return new Map();
  const rows = await db.selectFrom('sink').selectAll().where('sink', 'in', names).execute();
  const waiting = await db.selectFrom('sink_waiting').selectAll().where('sink', 'in', names).orderBy('seq').execute();
  const waitingAt = Map.groupBy(waiting, ({ sink }) => sink);
  const found = new Map(
    rows.map(({ sink, succeeded_at: succeededAt, failing_since: since, tries, reason, next_try_at: nextTryAt }) => {
      if (since === null) return [sink, { ...UNTRIED, succeededAt }] as const;
      const failing = { since, tries, reason: reason ?? '', nextTryAt };
      return [sink, { succeededAt, failing, waiting: (waitingAt.get(sink) ?? []).map(toWaiting) }] as const;
    }),
  );
  return new Map(names.map((name) => [name, found.get(name) ?? UNTRIED]));
}

export async function readSink(db: Queries, name: string): Promise<SinkState> {
  return (await readSinks(db, [name])).get(name) ?? UNTRIED;
}

export async function noteSink({ db }: Tx, sink: string, change: SinkChange): Promise<void> {
  const { succeededAt, failing, waits, waiting } = change;
  const row = {
    succeeded_at: succeededAt,
    failing_since: failing?.since ?? null,
    tries: failing?.tries ?? 0,
    reason: failing?.reason ?? null,
    next_try_at: failing?.nextTryAt ?? null,
  };
  await db
    .insertInto('sink')
    .values({ sink, ...row })
    .onConflict((conflict) => conflict.column('sink').doUpdateSet(row))
    .execute();
  // Also what another process has left, that delivered before.
  if (waiting !== undefined)
    await db.deleteFrom('sink_waiting').where('sink', '=', sink).where('resource', 'not in', some(waiting)).execute();
  for (const { resource, nextTryAt, ...rest } of waits) {
    const values = { ...rest, next_try_at: nextTryAt };
    await db
      .insertInto('sink_waiting')
      .values({ sink, resource, ...values })
      .onConflict((conflict) => conflict.columns(['sink', 'resource']).doUpdateSet(values))
      .execute();
  }
}

/** All but those: their sections were taken out. */
export async function forgetOtherSinks({ db }: Tx, names: readonly string[]): Promise<void> {
  await db.deleteFrom('sink').where('sink', 'not in', some(names)).execute();
}

/** SQL has no empty list, and nothing is called so. */
const some = (names: readonly string[]): readonly string[] => (names.length === 0 ? [''] : names);

const toWaiting = ({
  resource,
  seq,
  since,
  tries,
  reason,
  next_try_at: nextTryAt,
}: Omit<WaitingResource, 'nextTryAt'> & { readonly next_try_at: string | null }): WaitingResource => ({
  resource,
  seq,
  since,
  tries,
  reason,
  nextTryAt,
});
