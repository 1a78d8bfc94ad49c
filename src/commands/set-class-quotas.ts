/** `PUT /os-quota-class-sets/{class}`. */
import { setClassLimits } from '../db/quota-limits.ts';
import type { Amounts } from '../db/quotas.ts';
import type { Desk } from './desk.ts';
import { checkResources, limitsOfClass } from './quota-limits.ts';

/** Returns all limits of the class. */
export async function setClassQuotas({ db, config }: Desk, className: string, limits: Amounts): Promise<Amounts> {
  return db.write(async (tx) => {
    await checkResources(tx.db, limits, config.quota);
    await setClassLimits(tx, className, limits);
    return limitsOfClass(tx.db, className, config.quota);
  });
}
