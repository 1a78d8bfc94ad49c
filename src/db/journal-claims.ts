/**
 * Claims of flows from the queue: which process takes up a flow that none runs, and what a claim counts against the flow.
 *
 * A claim looks before it writes, so that an idle process reads and does not write.
 */
import { sql } from 'kysely';
import type { ClaimRequest, FlowRow } from '../engine/journal.ts';
import type { Database } from './database.ts';
import { flowRow } from './journal-rows.ts';
import { processName } from './sql/ownership.ts';
import type { FlowTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

/** The count of a flow that is claimed now: one more, when its owner is gone. */
const CLAIMED_WITH = sql<number>`CASE WHEN state = 'stuck' THEN 0 WHEN owner IS NULL THEN claims ELSE claims + 1 END`;

/** As `Journal.claim`. */
export async function claimFlows(
  database: Database,
  { process, lanes, admit, dropped, knows, fence }: ClaimRequest,
): Promise<readonly FlowRow[]> {
  const owners = await database.read
    .selectFrom('flow')
    .select('owner')
    .distinct()
    .where('ended_at', 'is', null)
    .where('owner', 'is not', null)
    .where('owner', '<>', process)
    .execute();
  const others = owners.map(({ owner }) => owner as string);
  const held = others.length === 0 ? new Set() : await database.ownership.held(others.map(processName));
  const dead = await fenced(
    database,
    others.filter((owner) => !held.has(processName(owner))),
    lanes,
    fence,
  );
  const claimable = (db: Tx['db']) =>
    db
      .selectFrom('flow')
      .where('ended_at', 'is', null)
      .where('lane', 'in', [...lanes])
      .where((is) =>
        is.or(knows.map(({ name, version }) => is.and([is('name', '=', name), is('version', '<=', version)]))),
      )
      .where((is) => is.or([is('state', '<>', 'stuck'), is('wish', 'in', ['resume', 'revert', 'abandon'])]))
      .where((is) =>
        is.or([
          is('owner', 'is', null),
          ...dead.map(({ owner, lane }) => is.and([is('owner', '=', owner), is('lane', '=', lane)])),
          ...(dropped.length > 0 ? [is.and([is('owner', '=', process), is('id', 'in', [...dropped])])] : []),
        ]),
      );
  const waiting = await claimable(database.read).select(CLAIMED_WITH.as('claims')).distinct().execute();
  const admitted = admit(waiting.map(({ claims }) => claims));
  if (waiting.length === 0 || admitted === undefined) return [];
  return database.write(async ({ db, connection }) => {
    const oldest = claimable(db)
      .select('id')
      .where(CLAIMED_WITH, 'in', [...admitted.claims])
      .orderBy('created_at')
      .orderBy('id')
      .limit(admitted.limit);
    const free = connection.dialect === 'postgresql' ? oldest.forUpdate().skipLocked() : oldest;
    const ids = (await free.execute()).map(({ id }) => id);
    if (ids.length === 0) return [];
    const rows = await db
      .updateTable('flow')
      .set({
        owner: process,
        epoch: sql<number>`epoch + 1`,
        doing: null,
        claims: CLAIMED_WITH,
        wish: sql<string | null>`CASE WHEN state = 'stuck' AND wish <> 'abandon' THEN NULL ELSE wish END`,
        state: sql<FlowTable['state']>`CASE WHEN state = 'stuck' THEN 'reverting' ELSE state END`,
      })
      .where('id', 'in', ids)
      .returningAll()
      .execute();
    return rows.map(flowRow).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  });
}

/** In which lanes each of them had something under way that has an end now. */
async function fenced(
  database: Database,
  dead: readonly string[],
  lanes: readonly string[],
  fence: ClaimRequest['fence'],
): Promise<readonly { readonly owner: string; readonly lane: string }[]> {
  if (dead.length === 0) return [];
  const left = await database.read
    .selectFrom('flow')
    .select(['owner', 'lane'])
    .distinct()
    .where('ended_at', 'is', null)
    .where('owner', 'in', dead)
    .where('lane', 'in', [...lanes])
    .execute();
  const ended = await Promise.all(left.map(({ owner, lane }) => fence(owner as string, lane)));
  return left.flatMap(({ owner, lane }, index) => (ended[index] ? [{ owner: owner as string, lane }] : []));
}

/** As `Journal.handBack`. */
export async function handBackClaims(database: Database, process: string): Promise<void> {
  await database.write(({ db }) =>
    db
      .updateTable('flow')
      .set({ claims: sql<number>`claims - 1` })
      .where('owner', '=', process)
      .where('ended_at', 'is', null)
      .where('claims', '>', 0)
      .execute(),
  );
}
