/** Flows in flight and what they work on: nobody else tidies that meanwhile. */
import type { Db } from './sql/db.ts';

export interface UnendedFlow {
  readonly id: string;
  /** `volume:<id>` */
  readonly resource: string;
}

/** All of them, or those that work on one of the resources. */
export async function unendedFlows(db: Db, resources?: readonly string[]): Promise<UnendedFlow[]> {
  const all = db.selectFrom('flow').select(['id', 'resource']).where('ended_at', 'is', null);
  return (resources === undefined ? all : all.where('resource', 'in', resources)).execute();
}

/** Whether a flow of one of these names is in flight. */
export async function isAnyUnended(db: Db, names: readonly string[]): Promise<boolean> {
  const row = await db
    .selectFrom('flow')
    .select('id')
    .where('ended_at', 'is', null)
    .where('name', 'in', names)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** What flows in flight work on, and what they hold exclusively besides: it need not have a row. */
export async function resourcesInWork(db: Db): Promise<ReadonlySet<string>> {
  const held = await db.selectFrom('hold').select('resource').where('mode', '=', 'exclusive').execute();
  return new Set([...(await unendedFlows(db)), ...held].map(({ resource }) => resource));
}

/** Ids, without their kind, of what flows in flight work on. */
export async function idsInWork(db: Db): Promise<ReadonlySet<string>> {
  return new Set([...(await resourcesInWork(db))].map((resource) => resource.slice(resource.indexOf(':') + 1)));
}

/** The flow that has the resource to itself; undefined when none has. */
export async function exclusiveHolder(db: Db, resource: string) {
  return db
    .selectFrom('hold')
    .innerJoin('flow', 'flow.id', 'hold.flow_id')
    .select(['flow.id', 'flow.name', 'flow.state'])
    .where('hold.resource', '=', resource)
    .where('hold.mode', '=', 'exclusive')
    .executeTakeFirst();
}
