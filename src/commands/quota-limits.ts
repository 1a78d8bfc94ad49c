/** Which resources have limits, and which limits hold: those of the project, of its class, of the configuration, in this order. */
import type { Kysely } from 'kysely';
import { classLimits, quotaLimits, typeResources } from '../db/quota-limits.ts';
import type { Amounts } from '../db/quotas.ts';
import type { Tables } from '../db/schema.ts';
import { listVolumeTypes } from '../db/volume-types.ts';
import { configuredLimits } from '../flows/quota.ts';
import type { QuotaConfig } from '../lib/config.ts';
import { InvalidInput } from '../model/errors.ts';

/** The class whose limits every project has that has none of its own. */
const DEFAULT_CLASS = 'default';

/** What holds for a project. */
export async function limitsOfProject(db: Kysely<Tables>, projectId: string, config: QuotaConfig): Promise<Amounts> {
  const configured = await limitsByConfiguration(db, config);
  return quotaLimits(db, projectId, Object.keys(configured), configured);
}

/** What holds for a project that has no limits of its own. */
export function limitsByDefault(db: Kysely<Tables>, config: QuotaConfig): Promise<Amounts> {
  return limitsOfClass(db, DEFAULT_CLASS, config);
}

/** Only those of the class `default` hold for anybody; any other can be set and looked at. */
export async function limitsOfClass(db: Kysely<Tables>, className: string, config: QuotaConfig): Promise<Amounts> {
  const configured = await limitsByConfiguration(db, config);
  const shared = await classLimits(db, DEFAULT_CLASS);
  const own = await classLimits(db, className);
  return Object.fromEntries(
    Object.entries(configured).map(([resource, limit]) => [resource, own[resource] ?? shared[resource] ?? limit]),
  );
}

/** Rejects with `InvalidInput` when one of the limits is of nothing that is counted. */
export async function checkResources(db: Kysely<Tables>, limits: Amounts, config: QuotaConfig): Promise<void> {
  const known = await limitsByConfiguration(db, config);
  const unknown = Object.keys(limits).filter((resource) => !Object.hasOwn(known, resource));
  if (unknown.length > 0) throw new InvalidInput(`Bad key(s) in quota set: ${unknown.join(', ')}.`);
}

/** Of every resource there is, those of each volume type too, which the configuration does not limit. */
async function limitsByConfiguration(db: Kysely<Tables>, config: QuotaConfig): Promise<Amounts> {
  const types = await listVolumeTypes(db);
  const ofTypes = types.flatMap(({ name }) => typeResources(name)).map((resource) => [resource, -1]);
  return { ...configuredLimits(config), ...Object.fromEntries(ofTypes) };
}
