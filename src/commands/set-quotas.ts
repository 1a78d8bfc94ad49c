/** `PUT /os-quota-sets/{project}`. */
import { setProjectLimits } from '../db/quota-limits.ts';
import { type Amounts, quotaUsage } from '../db/quotas.ts';
import { InvalidInput } from '../model/errors.ts';
import type { Desk } from './desk.ts';
import { checkResources, limitsOfProject } from './quota-limits.ts';

/** Returns all limits of the project. A limit below what is used is refused, unless `evenBelowUsage`. */
export async function setQuotas(
  { db, config }: Desk,
  projectId: string,
  limits: Amounts,
  { evenBelowUsage }: { readonly evenBelowUsage: boolean },
): Promise<Amounts> {
  return db.write(async (tx) => {
    await checkResources(tx.db, limits, config.quota);
    const usage = evenBelowUsage ? {} : await quotaUsage(tx.db, projectId);
    for (const [resource, limit] of Object.entries(limits)) {
      const { inUse, reserved } = usage[resource] ?? { inUse: 0, reserved: 0 };
      if (limit >= 0 && limit < inUse + reserved)
        throw new InvalidInput(`The limit of ${resource} must be at least what is used of it, ${inUse + reserved}.`);
    }
    await setProjectLimits(tx, projectId, limits);
    return limitsOfProject(tx.db, projectId, config.quota);
  });
}
