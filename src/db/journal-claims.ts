/**
 * Claims of flows from the queue: which process takes up a flow that none runs, and what a claim counts against the flow.
 *
 * A claim looks before it writes, so that an idle process reads and does not write.
 */
import { sql } from 'kysely';
import type { ClaimRequest, FlowRow } from '../engine/journal.ts';
import type { Database } from './database.ts';
import { flowRow } from './journal-rows.ts';
import { leavingName, processName } from './sql/ownership.ts';
import type { FlowTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

/** The count of a flow that is claimed now: one more, when its owner is gone. The owner of these has left them, perhaps in the middle of a task. */
const claimedWith = (left: readonly string[]) => {
  const isLeft = left.length === 0 ? sql`FALSE` : sql`id IN (${sql.join([...left])})`;
  return sql<number>`CASE WHEN state = 'stuck' THEN 0 WHEN owner IS NULL OR (${isLeft} AND claims > 0) THEN claims ELSE claims + 1 END`;
};

/** As `Journal.claim`. */
export async function claimFlows(
  database: Database,
  { process, lanes, admit, dropped, knows, fence }: ClaimRequest,
): Promise<readonly FlowRow[]> {
  const owners = await database.read
    .selectFrom('flow')
    .select(['owner', 'lane'])
    .distinct()
    .where('ended_at', 'is', null)
    .where('owner', 'is not', null)
    .where('owner', '<>', process)
    .where('lane', 'in', [...lanes])
    .execute();
  const others = owners.map(({ owner, lane }) => ({ owner: owner as string, lane }));
  const names = [...new Set(others.flatMap(({ owner, lane }) => [processName(owner), leavingName(owner, lane)]))];
  const held = names.length === 0 ? new Set() : await database.ownership.held(names);
  const dead = await fenced(
    others.filter(({ owner }) => !held.has(processName(owner))),
    fence,
  );
  const isLeaving = ({ owner, lane }: Had): boolean => held.has(leavingName(owner, lane));
  const left = await leftFlows(
    database,
    others.filter((each) => held.has(processName(each.owner)) && isLeaving(each)),
    fence,
  );
  const count = claimedWith(left.map(({ id }) => id));
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
          ...left.map(({ id, epoch }) => is.and([is('id', '=', id), is('epoch', '=', epoch)])),
          ...(dropped.length > 0 ? [is.and([is('owner', '=', process), is('id', 'in', [...dropped])])] : []),
        ]),
      );
  const waiting = await claimable(database.read).select(count.as('claims')).distinct().execute();
  const admitted = admit(waiting.map(({ claims }) => claims));
  if (waiting.length === 0 || admitted === undefined) return [];
  return database.write(async ({ db, connection }) => {
    const oldest = claimable(db)
      .select(['id', 'doing'])
      .where(count, 'in', [...admitted.claims])
      .orderBy('created_at')
      .orderBy('id')
      .limit(admitted.limit);
    const free = connection.dialect === 'postgresql' ? oldest.forUpdate().skipLocked() : oldest;
    const said = new Map((await free.execute()).map(({ id, doing }) => [id, doing]));
    if (said.size === 0) return [];
    const rows = await db
      .updateTable('flow')
      .set({
        owner: process,
        epoch: sql<number>`epoch + 1`,
        doing: null,
        claims: count,
        wish: sql<string | null>`CASE WHEN state = 'stuck' AND wish <> 'abandon' THEN NULL ELSE wish END`,
        state: sql<FlowTable['state']>`CASE WHEN state = 'stuck' THEN 'reverting' ELSE state END`,
      })
      .where('id', 'in', [...said.keys()])
      .returningAll()
      .execute();
    return rows
      .map((row) => flowRow({ ...row, doing: said.get(row.id) ?? null }))
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  });
}

/** What somebody had under way in a lane. */
interface Had {
  readonly owner: string;
  readonly lane: string;
}

/** Where what they had under way has an end now. */
async function fenced(gone: readonly Had[], fence: ClaimRequest['fence']): Promise<readonly Had[]> {
  const ended = await Promise.all(gone.map(({ owner, lane }) => fence(owner, lane)));
  return gone.filter((_, index) => ended[index]);
}

/**
 * Flows of processes that live and have left the lane, from which they are fenced. Such a process may come back into the lane at any time, and
 * what it takes up then is not among these: they are as they were before the fence.
 */
async function leftFlows(
  database: Database,
  leaving: readonly Had[],
  fence: ClaimRequest['fence'],
): Promise<readonly { readonly id: string; readonly epoch: number }[]> {
  if (leaving.length === 0) return [];
  const theirs = await database.read
    .selectFrom('flow')
    .select(['id', 'epoch', 'owner', 'lane'])
    .where('ended_at', 'is', null)
    .where('owner', 'in', [...new Set(leaving.map(({ owner }) => owner))])
    .where('lane', 'in', [...new Set(leaving.map(({ lane }) => lane))])
    .execute();
  const ended = await fenced(leaving, fence);
  return theirs.filter((flow) => ended.some(({ owner, lane }) => owner === flow.owner && lane === flow.lane));
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
