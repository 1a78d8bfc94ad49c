/** How many volumes, snapshots and backups of a project are in each status: from an index that has both, and where it holds up nobody. */
import type { Readers } from './sql/db.ts';

export type StatusCounts = Readonly<Record<string, number>>;

/** A status that none is in is not there. */
export async function statusCounts(
  { search }: Readers,
  table: 'volume' | 'snapshot' | 'backup',
  projectId: string,
): Promise<StatusCounts> {
  const rows = await search
    .selectFrom(table)
    .select(({ fn }) => ['status', fn.countAll<number>().as('count')])
    .where('project_id', '=', projectId)
    .groupBy('status')
    .orderBy('status')
    .execute();
  return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
}
