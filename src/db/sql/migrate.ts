/**
 * Brings the schema forward, never back. All that is missing is applied in one transaction and recorded in
 * `schema_version`, so a process that is killed meanwhile leaves what it found; processes that start at once take turns (SQLite's
 * write lock, an advisory lock of PostgreSQL), and the later ones find nothing left to do.
 */
import { now } from '../../lib/clock.ts';
import type { Db } from './db.ts';
import { core } from './migrations/0001-core.ts';
import { types } from './migrations/0002-types.ts';
import { transfers } from './migrations/0003-transfers.ts';
import { attachments } from './migrations/0004-attachments.ts';
import { tokens } from './migrations/0005-tokens.ts';
import { journal } from './migrations/0006-journal.ts';
import { trouble } from './migrations/0007-trouble.ts';
import { waiting } from './migrations/0008-waiting.ts';
import { noProcess } from './migrations/0009-no-process.ts';
import { lists } from './migrations/0010-lists.ts';
import { groups } from './migrations/0011-groups.ts';
import { nextImage } from './migrations/0012-next-image.ts';
import { doomedImages } from './migrations/0013-doomed-images.ts';
import { backups } from './migrations/0014-backups.ts';
import { imageCache } from './migrations/0015-image-cache.ts';
import { attachmentRevision } from './migrations/0016-attachment-revision.ts';
import { backupBooks } from './migrations/0017-backup-books.ts';
import { moveSecrets } from './migrations/0018-move-secrets.ts';
import { importedScopes } from './migrations/0019-imported-scopes.ts';
import { backupBases } from './migrations/0020-backup-bases.ts';
import { backupSchedules } from './migrations/0021-backup-schedules.ts';
import { backupChecks } from './migrations/0022-backup-checks.ts';
import { outboxOrder } from './migrations/0023-outbox-order.ts';
import { flowTrace } from './migrations/0024-flow-trace.ts';
import { failedFlows } from './migrations/0025-failed-flows.ts';
import { alarms } from './migrations/0026-alarms.ts';
import { projectFlows } from './migrations/0027-project-flows.ts';
import { movingIn } from './migrations/0028-moving-in.ts';
import { sinks } from './migrations/0029-sinks.ts';
import { importDecisions } from './migrations/0030-import-decisions.ts';
import type { Migration } from './migrations/migration.ts';
import type { Tx } from './tx.ts';
import { makeWaitingIndex } from './waiting-indexes.ts';

const MIGRATIONS: readonly Migration[] = [
  core,
  types,
  transfers,
  attachments,
  tokens,
  journal,
  trouble,
  waiting,
  noProcess,
  lists,
  groups,
  nextImage,
  doomedImages,
  backups,
  imageCache,
  attachmentRevision,
  backupBooks,
  moveSecrets,
  importedScopes,
  backupBases,
  backupSchedules,
  backupChecks,
  outboxOrder,
  flowTrace,
  failedFlows,
  alarms,
  projectFlows,
  movingIn,
  sinks,
  importDecisions,
];
const LATEST = MIGRATIONS.length;
/** Any number that no other program locks in this database. */
const MIGRATION_LOCK = 7_146_302_941;

/** The database belongs to another version of Pumice. */
export class SchemaMismatch extends Error {
  override readonly name = 'SchemaMismatch';
}

/**
 * Resolves to the names of what was applied. `begins` is told them first, of a database that is older: with large tables that takes a
 * while, and on PostgreSQL those who write to them wait.
 */
export async function migrate(tx: Tx, begins?: (names: readonly string[]) => void): Promise<readonly string[]> {
  const { db, connection } = tx;
  if (connection.dialect === 'postgresql') await connection.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
  await connection.run(
    'CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)',
  );
  const version = await schemaVersion(db);
  refuseNewer(version);
  const missing = MIGRATIONS.filter((migration) => migration.version > version);
  const names = missing.map(({ name }) => name);
  if (version > 0 && names.length > 0) begins?.(names);
  if (version >= importDecisions.version && names.length > 0) while (await makeWaitingIndex(tx));
  for (const migration of missing) {
    await connection.run(migration.statements(connection.dialect));
    await migration.rows?.(tx);
    const { version, name } = migration;
    await db.insertInto('schema_version').values({ version, name, applied_at: now() }).execute();
  }
  return names;
}

/** For those who read and do not migrate. */
export async function requireLatestSchema(db: Db): Promise<void> {
  const version = await schemaVersion(db).catch((error: unknown) => {
    throw new SchemaMismatch('This is no database of Pumice, or no server has prepared it yet.', { cause: error });
  });
  refuseNewer(version);
  if (version < LATEST) {
    throw new SchemaMismatch(
      `The database has schema ${version}, this program needs ${LATEST}. Start the server once to bring it forward.`,
    );
  }
}

async function schemaVersion(db: Db): Promise<number> {
  const row = await db
    .selectFrom('schema_version')
    .select(({ fn }) => fn.max('version').as('version'))
    .executeTakeFirst();
  return row?.version ?? 0;
}

function refuseNewer(version: number): void {
  if (version > LATEST) {
    throw new SchemaMismatch(
      `The database has schema ${version}, made by a newer Pumice; this one knows ${LATEST}. Use the newer one.`,
    );
  }
}
