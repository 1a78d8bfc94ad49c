/** The secrets that open volumes to the machines they move to: one for each move, by the id of its copy, for as long as it is copied. */
import { newSecret } from '../lib/secret.ts';
import { DriverFailed } from '../model/errors.ts';
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

/** A new one. */
export async function keepMoveSecret({ db }: Tx, copyId: string): Promise<void> {
  await db.insertInto('move_secret').values({ copy_id: copyId, secret: newSecret() }).execute();
}

/** Rejects with `DriverFailed` when the move has ended. */
export async function getMoveSecret(db: Db, copyId: string): Promise<string> {
  const row = await db.selectFrom('move_secret').select('secret').where('copy_id', '=', copyId).executeTakeFirst();
  if (row === undefined) throw new DriverFailed(`The move of which ${copyId} is the copy has ended.`);
  return row.secret;
}

export async function forgetMoveSecret({ db }: Tx, copyId: string): Promise<void> {
  await db.deleteFrom('move_secret').where('copy_id', '=', copyId).execute();
}
