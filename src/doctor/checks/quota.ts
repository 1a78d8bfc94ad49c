/** Check: quota usage is the sum of the rows and reservations. */
import { sql } from 'kysely';
import type { Database } from '../../db/database.ts';
import { countUsage, type RecountOptions, recountUsage } from '../../db/quota-recount.ts';
import { quotaUsage, type Usage } from '../../db/quotas.ts';
import { alone, type DoctorCheck, type Finding, type Patient } from './check.ts';

export const quota: DoctorCheck = {
  name: 'quota',
  wellSaid: 'quota usage equals a recount of the rows',
  examine: async ({ db, config }: Patient) => {
    const options = { snapshotGigabytes: !config.quota.no_snapshot_gb_quota };
    const findings: Finding[] = [];
    for (const projectId of await projects(db)) {
      const finding = await examineProject(db, projectId, options);
      if (finding !== undefined) findings.push(finding);
    }
    return findings;
  },
};

const NONE: Usage = { inUse: 0, reserved: 0 };

async function examineProject(db: Database, projectId: string, options: RecountOptions): Promise<Finding | undefined> {
  const kept = await quotaUsage(db.read, projectId);
  const counted = await countUsage(db.read, projectId, options);
  const wrong = [...new Set([...Object.keys(kept), ...Object.keys(counted)])].sort().flatMap((resource) => {
    const was = kept[resource] ?? NONE;
    const is = counted[resource] ?? NONE;
    const drift = [was.inUse - is.inUse, was.reserved - is.reserved] as const;
    return drift[0] === 0 && drift[1] === 0 ? [] : [{ resource, was, is, drift }];
  });
  if (wrong.length === 0) return undefined;
  return {
    key: `${projectId} ${wrong.map(({ resource, drift }) => `${resource} ${drift}`).join(', ')}`,
    about: `project ${projectId}`,
    says: wrong.map(({ resource, was, is }) => `${resource} is kept as ${shown(was)}, counted ${shown(is)}`).join('; '),
    remedy: {
      says: 'usage is counted again',
      apply: async (tx) => {
        await alone(tx, 'quota_usage');
        return Object.keys(await recountUsage(tx, projectId, options)).length > 0;
      },
    },
  };
}

const shown = ({ inUse, reserved }: Usage): string => (reserved === 0 ? `${inUse}` : `${inUse} + ${reserved} reserved`);

async function projects(db: Database): Promise<string[]> {
  const { rows } = await sql<{ project_id: string }>`
    SELECT project_id FROM quota_usage UNION SELECT project_id FROM volume
    UNION SELECT project_id FROM snapshot UNION SELECT project_id FROM volume_group
    UNION SELECT project_id FROM backup UNION SELECT project_id FROM reservation ORDER BY project_id`.execute(db.read);
  return rows.map((row) => row.project_id);
}
