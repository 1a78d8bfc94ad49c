/** Check: reservations and holds end with their flow. */
import { rollbackReservations } from '../../db/quotas.ts';
import type { Db } from '../../db/sql/db.ts';
import type { DoctorCheck, Finding, Patient } from './check.ts';

export const leftByFlows: DoctorCheck = {
  name: 'leftovers',
  wellSaid: 'no reservation and no hold outlives its flow',
  examine: async ({ db }: Patient) => [
    ...(await left(db.read, 'reservation')).map(
      (flowId): Finding => ({
        key: `reservation ${flowId}`,
        about: `flow ${flowId}`,
        says: 'has ended, and its reservation of quota is still there',
        remedy: {
          says: 'the reservation is dropped',
          apply: async (tx) => {
            if (!(await left(tx.db, 'reservation')).includes(flowId)) return false;
            await rollbackReservations(tx, flowId);
            return true;
          },
        },
      }),
    ),
    ...(await left(db.read, 'hold')).map(
      (flowId): Finding => ({
        key: `hold ${flowId}`,
        about: `flow ${flowId}`,
        says: 'has ended, and still holds its resources',
        remedy: {
          says: 'the holds are dropped',
          apply: async (tx) => {
            if (!(await left(tx.db, 'hold')).includes(flowId)) return false;
            await tx.db.deleteFrom('hold').where('flow_id', '=', flowId).execute();
            return true;
          },
        },
      }),
    ),
  ],
};

/** Flows that have ended, or are forgotten already, and have rows in the table. */
async function left(db: Db, table: 'reservation' | 'hold'): Promise<string[]> {
  const rows = await db
    .selectFrom(table)
    .select('flow_id')
    .distinct()
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('flow').select('flow.id').whereRef('flow.id', '=', 'flow_id').where('flow.ended_at', 'is', null),
        ),
      ),
    )
    .orderBy('flow_id')
    .execute();
  return rows.map(({ flow_id }) => flow_id);
}
