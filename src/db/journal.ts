/**
 * The engine's journal and queue in the application's own database.
 *
 * The hot statements, run for every flow and every step, are SQL by hand in a file for each dialect; the rest is Kysely.
 */
import { sql } from 'kysely';
import { FIRST_LANE } from '../engine/cursor.ts';
import { Fenced } from '../engine/failure.ts';
import {
  type Begun,
  type Claimed,
  type ClaimRequest,
  type Doing,
  type FlowQuery,
  type FlowRow,
  Held,
  type Journal,
  type NewFlow,
  NotAhead,
  WAITING_LANE,
  type Wish,
  type Write,
} from '../engine/journal.ts';
import { parseStep, type Step } from '../engine/step.ts';
import { now, type Timestamp } from '../lib/clock.ts';
import type { Database } from './database.ts';
import { isOfProject } from './flow-page.ts';
import { claimFlows, handBackClaims } from './journal-claims.ts';
import { grantHolds } from './journal-holds.ts';
import * as postgresql from './journal-postgresql.ts';
import { flowRow } from './journal-rows.ts';
import type { Beginning, JournalEntry } from './journal-sqlite.ts';
import * as sqlite from './journal-sqlite.ts';
import { readAhead } from './read-ahead.ts';
import { byHand } from './sql/by-hand.ts';
import type { Connection } from './sql/connection.ts';
import type { FlowTable } from './sql/schema.ts';
import { isTrouble } from './sql/trouble.ts';
import { Refused, type Tx } from './sql/tx.ts';

/** Told after a commit that released a flow: somebody may claim it. */
export const FLOWS_CHANNEL = 'pumice_flows';

const FIND = byHand('SELECT * FROM flow WHERE id = ?');

export class DatabaseJournal implements Journal<Tx> {
  readonly #database: Database;
  readonly #append: (line: JournalLine) => Promise<unknown>;

  constructor(database: Database) {
    this.#database = database;
    this.#append = database.batch(writeLines);
  }

  async insert(
    tx: Tx,
    flow: NewFlow,
    ahead: Write | undefined,
    told: (begun: Begun) => void,
    refusal: (held: Held) => Error,
  ): Promise<void> {
    tx.batch<JournalLine, unknown>(writeLines, { begins: { flow, ahead, at: now(), refusal } }, (begun) =>
      told(begun as Begun),
    );
    if (ahead?.released) tx.onCommit(() => this.#database.ownership.notify(FLOWS_CHANNEL));
  }

  grant(): Promise<boolean> {
    return grantHolds(this.#database);
  }

  async append(claimed: Claimed, write: Write): Promise<void> {
    await this.#append({ goesOn: { claimed, write, at: now() } });
    if (write.released) this.#database.ownership.notify(FLOWS_CHANNEL);
  }

  async transact(claimed: Claimed, make: (tx: Tx) => Promise<Write>, resource = ''): Promise<void> {
    const write = await this.#database.write(async (tx) => {
      const made = await make(tx);
      tx.batch<JournalLine, unknown>(writeLines, { goesOn: { claimed, write: made, at: now() } });
      return made;
    }, readAhead(resource));
    if (write.released) this.#database.ownership.notify(FLOWS_CHANNEL);
  }

  claim(request: ClaimRequest): Promise<readonly FlowRow[]> {
    return claimFlows(this.#database, request);
  }

  handBack(process: string): Promise<void> {
    return handBackClaims(this.#database, process);
  }

  async steps(flowId: string): Promise<readonly Step[]> {
    const rows = await this.#database.read
      .selectFrom('flow_step')
      .selectAll()
      .where('flow_id', '=', flowId)
      .orderBy('seq')
      .execute();
    return rows.map(({ node, event, attempt, data, started_at, at }) =>
      parseStep({ node, event, attempt, data, startedAt: started_at, at }),
    );
  }

  async find(flowId: string): Promise<FlowRow | undefined> {
    const { reader } = this.#database;
    const row =
      reader.dialect === 'sqlite'
        ? (reader.statement(FIND.sqlite).get(flowId) as FlowTable | undefined)
        : (await reader.prepared<FlowTable>('flow-by-id', FIND.postgresql, [flowId]))[0];
    return row && flowRow(row);
  }

  /**
   * Ids are in the order of time, and their index is the only one that all flows are in. Where few are asked for, the order begins with
   * another column: SQLite would rather go through a million that have ended in the order of that index than sort those few.
   */
  async list({ unended, state, resource, projectId, limit }: FlowQuery): Promise<readonly FlowRow[]> {
    const rows = await this.#database.read
      .selectFrom('flow')
      .selectAll()
      .$if(unended === true, (query) => query.where('ended_at', 'is', null))
      .$if(state !== undefined, (query) => query.where('state', '=', state as FlowTable['state']))
      .$if(resource !== undefined, (query) => query.where('resource', '=', resource as string))
      .$if(projectId !== undefined, (query) => query.where(isOfProject(projectId as string, unended === true)))
      .$if(unended === true || resource !== undefined, (query) => query.orderBy('created_at', 'desc'))
      .orderBy('id', 'desc')
      .$if(limit !== undefined, (query) => query.limit(limit as number))
      .execute();
    return rows.map(flowRow);
  }

  async wish(flowId: string, wish: Wish, reason: string): Promise<boolean> {
    const heard = await this.#database.write(({ db }) =>
      db
        .updateTable('flow')
        .set({ wish, wish_reason: reason })
        .$if(wish === 'cancel' || wish === 'revert', (query) =>
          query.set({ lane: sql<string>`CASE WHEN lane = ${WAITING_LANE} THEN ${FIRST_LANE} ELSE lane END` }),
        )
        .where('id', '=', flowId)
        .where('ended_at', 'is', null)
        .$if(wish === 'resume' || wish === 'abandon', (query) => query.where('state', '=', 'stuck'))
        .$if(wish === 'cancel', (query) => query.where('state', '<>', 'stuck'))
        .executeTakeFirst(),
    );
    this.#database.ownership.notify(FLOWS_CHANNEL);
    return heard.numUpdatedRows === 1n;
  }

  async wished(process: string) {
    const rows = await this.#database.read
      .selectFrom('flow')
      .select(['id', 'wish', 'wish_reason'])
      .where('wish', 'is not', null)
      .where('ended_at', 'is', null)
      .where('owner', '=', process)
      .execute();
    return rows.map(({ id, wish, wish_reason }) => ({ id, wish: wish as Wish, reason: wish_reason ?? '' }));
  }

  async doing(flowId: string, doing: Doing | null): Promise<void> {
    await this.#database.write(({ db }) =>
      db
        .updateTable('flow')
        .set({ doing: doing === null ? null : JSON.stringify(doing) })
        .where('id', '=', flowId)
        .where('ended_at', 'is', null)
        .execute(),
    );
  }

  async prune(endedBefore: Timestamp, limit: number): Promise<number> {
    const old = await this.#database.read
      .selectFrom('flow')
      .select('id')
      .where('ended_at', '<', endedBefore)
      .orderBy('ended_at')
      .limit(limit)
      .execute();
    const ids = old.map(({ id }) => id);
    if (ids.length > 0) await this.forget(ids);
    return ids.length;
  }

  /** Forgets flows that have ended, with their steps. */
  async forget(ids: readonly string[]): Promise<void> {
    await this.#database.write(async ({ db }) => {
      await db.deleteFrom('flow_step').where('flow_id', 'in', ids).execute();
      await db.deleteFrom('flow').where('id', 'in', ids).execute();
    });
  }

  isTrouble(error: unknown): boolean {
    return isTrouble(error);
  }
}

interface Refusable extends Beginning {
  refusal(held: Held): Error;
}

type JournalLine = { readonly begins: Refusable } | { readonly goesOn: JournalEntry };

/**
 * All that a transaction writes into the journal. What begins comes first: who ran before the unit that ends a flow has decided by what it saw while that
 * flow held it, and is refused. So is who ran after it, to whom that is as if it had come a moment earlier.
 */
async function writeLines(
  connection: Connection,
  lines: readonly JournalLine[],
): Promise<readonly (Begun | undefined | Refused)[]> {
  const beginnings = lines.flatMap((line) => ('begins' in line ? [line.begins] : []));
  const entries = lines.flatMap((line) => ('goesOn' in line ? [line.goesOn] : []));
  const begun = (beginnings.length > 0 ? await insertFlows(connection, beginnings) : []).values();
  const written = (entries.length > 0 ? await writeEntries(connection, entries) : []).values();
  return lines.map((line) => ('begins' in line ? begun : written).next().value);
}

async function insertFlows(
  connection: Connection,
  beginnings: readonly Refusable[],
): Promise<readonly (Begun | Refused)[]> {
  const begun =
    connection.dialect === 'sqlite'
      ? beginnings.map((each) => sqlite.insertFlow(connection, each))
      : await postgresql.insertFlows(connection, beginnings);
  return beginnings.map(({ ahead, refusal }, index) => {
    const made = begun[index] as Begun | Held;
    if (made instanceof Held) return new Refused(refusal(made));
    return ahead !== undefined && made !== 'made' ? new Refused(new NotAhead()) : made;
  });
}

async function writeEntries(
  connection: Connection,
  entries: readonly JournalEntry[],
): Promise<readonly (undefined | Refused)[]> {
  const written =
    connection.dialect === 'sqlite'
      ? sqlite.writeEntries(connection, entries)
      : await postgresql.writeEntries(connection, entries);
  return entries.map(({ claimed }, index) => (written[index] ? undefined : new Refused(fenced(claimed))));
}

function fenced({ id }: Claimed): Fenced {
  return new Fenced(`Flow ${id} belongs to another process now, or has gone on without this one.`);
}
