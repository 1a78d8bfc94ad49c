/** What Cinder keeps of usage and its rows do not add up to: it is counted anew, and whoever looks at quotas sees other numbers. */
import type { Database } from '../../db/database.ts';
import { usageOfProjects } from '../../db/quotas.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';

export interface QuotaDrift {
  readonly projectId: string;
  readonly resource: string;
  readonly was: number;
  readonly is: number;
}

/** Of what Cinder has a row of. Of `consistencygroups` there are none here. */
export async function quotaDrift(cinder: CinderDatabase, { read }: Database): Promise<readonly QuotaDrift[]> {
  const drift: QuotaDrift[] = [];
  for await (const rows of cinder.living('quota_usages')) {
    const projects = [...new Set(rows.flatMap(({ project_id }) => (project_id === null ? [] : [project_id])))];
    if (projects.length === 0) continue;
    const counted = await usageOfProjects(read, projects);
    const inUse = new Map(counted.map((row) => [`${row.projectId} ${row.resource}`, row.inUse]));
    for (const { project_id: projectId, resource, in_use: was } of rows) {
      if (projectId === null || resource === null || resource === 'consistencygroups') continue;
      const is = inUse.get(`${projectId} ${resource}`) ?? 0;
      if (is !== was) drift.push({ projectId, resource, was, is });
    }
  }
  return drift;
}
