/** Which resources have limits, and which limits hold: those of the project, of its class, of the configuration, in this order. */
import {
  classLimits,
  deleteProjectLimits,
  quotaLimits,
  setClassLimits,
  setProjectLimits,
  typeResources,
} from '../db/quota-limits.ts';
import { type Amounts, quotaUsage } from '../db/quotas.ts';
import type { Db } from '../db/sql/db.ts';
import { listVolumeTypes } from '../db/volume-types.ts';
import { configuredLimits } from '../flows/quota.ts';
import type { QuotaConfig } from '../lib/config/config.ts';
import { InvalidInput } from '../model/errors.ts';
import type { Desk } from './desk.ts';

/** The class whose limits every project has that has none of its own. */
const DEFAULT_CLASS = 'default';

/** What holds for a project. */
export async function limitsOfProject(db: Db, projectId: string, config: QuotaConfig): Promise<Amounts> {
  const configured = await limitsByConfiguration(db, config);
  return quotaLimits(db, projectId, Object.keys(configured), configured);
}

/** What holds for a project that has no limits of its own. */
export function limitsByDefault(db: Db, config: QuotaConfig): Promise<Amounts> {
  return limitsOfClass(db, DEFAULT_CLASS, config);
}

/** Only those of the class `default` hold for anybody; any other can be set and looked at. */
export async function limitsOfClass(db: Db, className: string, config: QuotaConfig): Promise<Amounts> {
  const configured = await limitsByConfiguration(db, config);
  const shared = await classLimits(db, DEFAULT_CLASS);
  const own = await classLimits(db, className);
  return Object.fromEntries(
    Object.entries(configured).map(([resource, limit]) => [resource, own[resource] ?? shared[resource] ?? limit]),
  );
}

/** Rejects with `InvalidInput` when one of the limits is of nothing that is counted. */
async function checkResources(db: Db, limits: Amounts, config: QuotaConfig): Promise<void> {
  const known = await limitsByConfiguration(db, config);
  const unknown = Object.keys(limits).filter((resource) => !Object.hasOwn(known, resource));
  if (unknown.length > 0) throw new InvalidInput(`Bad key(s) in quota set: ${unknown.join(', ')}.`);
}

/** Of every resource there is, those of each volume type too, which the configuration does not limit. */
async function limitsByConfiguration(db: Db, config: QuotaConfig): Promise<Amounts> {
  const types = await listVolumeTypes(db);
  const ofTypes = types.flatMap(({ name }) => typeResources(name)).map((resource) => [resource, -1]);
  return { ...configuredLimits(config), ...Object.fromEntries(ofTypes) };
}

/** `PUT /os-quota-sets/{project}`. Returns all limits of the project. A limit below what is used is refused, unless `evenBelowUsage`. */
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

/** `DELETE /os-quota-sets/{project}`: the project has no limits of its own any more. */
export async function resetQuotas({ db }: Desk, projectId: string): Promise<void> {
  await db.write((tx) => deleteProjectLimits(tx, projectId));
}

/** `PUT /os-quota-class-sets/{class}`. Returns all limits of the class. */
export async function setClassQuotas({ db, config }: Desk, className: string, limits: Amounts): Promise<Amounts> {
  return db.write(async (tx) => {
    await checkResources(tx.db, limits, config.quota);
    await setClassLimits(tx, className, limits);
    return limitsOfClass(tx.db, className, config.quota);
  });
}
