/** The alarms that last, as rows: a process that takes over tells none of them twice. */
import { ALARMS, type Alarm } from '../model/alarm.ts';
import type { Queries } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

/** The oldest first. Those that this version does not know are left to the one that does. */
export async function listAlarms(db: Queries): Promise<readonly Alarm[]> {
  const rows = await db.selectFrom('alarm').selectAll().orderBy('since').orderBy('alarm').orderBy('about').execute();
  return rows.filter(({ alarm }) => Object.hasOwn(ALARMS, alarm)) as Alarm[];
}

/** False when it lasts already. */
export async function beginAlarm({ db }: Tx, alarm: Alarm): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('alarm')
    .values(alarm)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

/** False when it is over already. */
export async function endAlarm({ db }: Tx, { alarm, about }: Pick<Alarm, 'alarm' | 'about'>): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('alarm')
    .where('alarm', '=', alarm)
    .where('about', '=', about)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}
