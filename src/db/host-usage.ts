/** Usage of a host by project: `os-hosts/{host}`. */
import type { Queries } from './sql/db.ts';

export interface HostUsage {
  readonly projectId: string;
  readonly volumes: number;
  readonly volumesGiB: number;
  readonly snapshots: number;
  readonly snapshotsGiB: number;
}

/** In the order of the projects' ids. `host` is `node@backend`, with all its pools. */
export async function hostUsage(db: Queries, host: string): Promise<HostUsage[]> {
  // The pools of a host are all names between these two: `#` and the letter after it.
  const [from, to] = [`${host}#`, `${host}$`];
  const volumes = await db
    .selectFrom('volume')
    .select(({ fn }) => ['project_id', fn.countAll<number>().as('rows'), fn.sum<number>('size_gib').as('gib')])
    .where((is) => is.or([is('host', '=', host), is.and([is('host', '>=', from), is('host', '<', to)])]))
    .groupBy('project_id')
    .execute();
  const snapshots = await db
    .selectFrom('snapshot')
    .innerJoin('volume', 'volume.id', 'snapshot.volume_id')
    .select(({ fn }) => [
      'snapshot.project_id',
      fn.countAll<number>().as('rows'),
      fn.sum<number>('volume_size_gib').as('gib'),
    ])
    .where((is) => is.or([is('host', '=', host), is.and([is('host', '>=', from), is('host', '<', to)])]))
    .groupBy('snapshot.project_id')
    .execute();
  const projects = [...new Set([...volumes, ...snapshots].map((row) => row.project_id))].sort();
  return projects.map((projectId) => {
    const ofVolumes = volumes.find((row) => row.project_id === projectId);
    const ofSnapshots = snapshots.find((row) => row.project_id === projectId);
    return {
      projectId,
      // A sum of PostgreSQL's is wider than any number here, and comes as text.
      volumes: Number(ofVolumes?.rows ?? 0),
      volumesGiB: Number(ofVolumes?.gib ?? 0),
      snapshots: Number(ofSnapshots?.rows ?? 0),
      snapshotsGiB: Number(ofSnapshots?.gib ?? 0),
    };
  });
}
