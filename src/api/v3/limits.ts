/** `limits`: the quota limits of a project, and its usage. */
import { limitsOfProject } from '../../commands/quotas.ts';
import { quotaUsage } from '../../db/quotas.ts';
import { fromNow } from '../../lib/clock.ts';
import { LIMITS_OF_PROJECT } from '../microversion.ts';
import { type ApiCall, route } from '../route.ts';

/** As the answer calls them, and the resources they are of. */
const LIMITS = {
  maxTotalVolumes: 'volumes',
  maxTotalSnapshots: 'snapshots',
  maxTotalVolumeGigabytes: 'gigabytes',
  maxTotalBackups: 'backups',
  maxTotalBackupGigabytes: 'backup_gigabytes',
} as const;
const USED = {
  totalVolumesUsed: 'volumes',
  totalGigabytesUsed: 'gigabytes',
  totalSnapshotsUsed: 'snapshots',
  totalBackupsUsed: 'backups',
  totalBackupGigabytesUsed: 'backup_gigabytes',
} as const;

export const limits = [
  route({
    method: 'GET',
    path: '/limits',
    policy: 'limits_extension:used_limits',
    async handle(call) {
      const { db, config } = call.desk;
      const project = projectOf(call);
      const most = await limitsOfProject(db.read, project, config.quota);
      const usage = await quotaUsage(db.read, project);
      const absolute = {
        ...each(LIMITS, (resource) => most[resource] ?? -1),
        ...each(USED, (resource) => usage[resource]?.inUse ?? 0),
      };
      return { limits: { rate: ratesOf(call), absolute } };
    },
  }),
];

/** Of all requests together, whatever they are. */
function ratesOf({ rate, caller }: ApiCall): readonly object[] {
  if (rate === undefined) return [];
  const { perMinute, remaining, waitMs } = rate.allowance(caller.projectId);
  const nextAt = `${fromNow(waitMs).slice(0, 19)}Z`;
  const limit = { verb: '*', value: perMinute, remaining, unit: 'MINUTE', 'next-available': nextAt };
  return [{ uri: '*', regex: '.*', limit: [limit] }];
}

/** An administrator may name another. */
function projectOf({ caller, query, version }: ApiCall): string {
  const named = version >= LIMITS_OF_PROJECT && caller.isAdmin ? query.get('project_id') : undefined;
  return named ?? caller.projectId;
}

function each(names: Readonly<Record<string, string>>, amount: (resource: string) => number): object {
  return Object.fromEntries(Object.entries(names).map(([name, resource]) => [name, amount(resource)]));
}
