/** The limits of projects, those of the class all share, and what becomes of a volume type's own when its name changes. */
import { sql } from 'kysely';
import type { Amounts } from './quotas.ts';
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

/** The project's own limit, else that of the class `default`, else the configured one, else none. */
export async function quotaLimits(
  db: Db,
  projectId: string,
  resources: readonly string[],
  configured: Amounts,
): Promise<Record<string, number>> {
  const set = await limitsSet(db, projectId);
  return Object.fromEntries(resources.map((resource) => [resource, set[resource] ?? configured[resource] ?? -1]));
}

/** In one statement: every create asks. What is the project's own comes last, and counts. */
function limitsSet(db: Db, projectId: string): Promise<Record<string, number>> {
  return db.once(`limits of ${projectId}`, async (past) => {
    const rows = await past
      .selectFrom('quota_class_limit')
      .select(['resource', 'hard_limit', sql<number>`0`.as('own')])
      .where('class_name', '=', 'default')
      .unionAll(
        past
          .selectFrom('quota_limit')
          .select(['resource', 'hard_limit', sql<number>`1`.as('own')])
          .where('project_id', '=', projectId),
      )
      .orderBy('own')
      .execute();
    return Object.fromEntries(rows.map((row) => [row.resource, row.hard_limit]));
  });
}

export async function setProjectLimits({ db }: Tx, projectId: string, limits: Amounts): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hard_limit]) => ({
    project_id: projectId,
    resource,
    hard_limit,
  }));
  if (rows.length === 0) return;
  await db
    .insertInto('quota_limit')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') })),
    )
    .execute();
}

/** Back to the defaults. */
export async function deleteProjectLimits({ db }: Tx, projectId: string): Promise<void> {
  await db.deleteFrom('quota_limit').where('project_id', '=', projectId).execute();
}

export async function classLimits(db: Db, className: string): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom('quota_class_limit')
    .select(['resource', 'hard_limit'])
    .where('class_name', '=', className)
    .execute();
  return Object.fromEntries(rows.map((row) => [row.resource, row.hard_limit]));
}

export async function setClassLimits({ db }: Tx, className: string, limits: Amounts): Promise<void> {
  const rows = Object.entries(limits).map(([resource, hard_limit]) => ({
    class_name: className,
    resource,
    hard_limit,
  }));
  if (rows.length === 0) return;
  await db
    .insertInto('quota_class_limit')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['class_name', 'resource']).doUpdateSet((eb) => ({ hard_limit: eb.ref('excluded.hard_limit') })),
    )
    .execute();
}

const KINDS = ['volumes', 'gigabytes', 'snapshots'] as const;
const TABLES = ['quota_limit', 'quota_class_limit', 'quota_usage', 'reservation'] as const;

/** The twins of a type. */
export const typeResources = (name: string): readonly string[] => KINDS.map((kind) => `${kind}_${name}`);

/** The twins of a type that was renamed go with it. */
export async function renameTypeResources({ db }: Tx, from: string, to: string): Promise<void> {
  for (const kind of KINDS) {
    for (const table of TABLES) {
      await sql`UPDATE ${sql.table(table)} SET resource = ${`${kind}_${to}`} WHERE resource = ${`${kind}_${from}`}`.execute(
        db,
      );
    }
  }
}

/** The twins of a type that is gone. */
export async function dropTypeResources({ db }: Tx, name: string): Promise<void> {
  const resources = typeResources(name);
  for (const table of ['quota_limit', 'quota_class_limit', 'quota_usage'] as const) {
    await sql`DELETE FROM ${sql.table(table)} WHERE resource IN (${sql.join(resources)})`.execute(db);
  }
}
