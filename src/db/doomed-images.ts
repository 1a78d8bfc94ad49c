/** Images that are to be removed from the image service. A row stays until that is done, however long the service is away. */
import { now } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

/** Once is as good as twice. */
export async function doomImage({ db }: Tx, id: string): Promise<void> {
  await db
    .insertInto('doomed_image')
    .values({ id, since: now() })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
}

/** Their ids, the oldest first. */
export async function doomedImages(db: Db, limit: number): Promise<string[]> {
  const rows = await db.selectFrom('doomed_image').select('id').orderBy('since').orderBy('id').limit(limit).execute();
  return rows.map(({ id }) => id);
}

export async function forgetDoomedImage({ db }: Tx, id: string): Promise<void> {
  await db.deleteFrom('doomed_image').where('id', '=', id).execute();
}
