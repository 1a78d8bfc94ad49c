/**
 * The dependencies of a command, handed to it as its desk.
 *
 * A command is a verb: one transaction that checks, moves the status, counts the quota, inserts the row, takes the holds and
 * begins the flow; it ends with a row a client can see *and* a flow the engine must finish, or with neither.
 */
import type { Database } from '../db/database.ts';
import type { Tx } from '../db/sql/tx.ts';
import type { Engine } from '../engine/engine.ts';
import type { Tools } from '../flows/tools.ts';
import type { Config } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';

export interface Desk {
  readonly db: Database;
  readonly engine: Engine<Tools, Tx>;
  readonly tools: Tools;
  readonly config: Config;
  /** Of the process; administrators may change its level. */
  readonly log: Log;
}

/** What an order of an operator's needs: it may be given where no server is. */
export interface OrderDesk {
  readonly db: Pick<Database, 'read' | 'write'>;
  readonly engine: Pick<Engine<Tools, Tx>, 'begin'>;
}
