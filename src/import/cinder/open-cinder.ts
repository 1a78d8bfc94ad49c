/**
 * Opens a Cinder database for reading. It is known by its revision and by its columns: whatever is read is looked for first, so that
 * a database of another kind is refused with what it lacks, and not in the middle of an import.
 */
import type { CinderAddress } from './cinder-address.ts';
import { placeOf } from './cinder-address.ts';
import type { CinderDatabase } from './cinder-database.ts';
import { CINDER_REVISIONS, type CinderRevision, OLDEST_RELEASE } from './cinder-revisions.ts';
import { CinderRowReader } from './cinder-row-reader.ts';
import type { CinderSession } from './cinder-session.ts';
import { CINDER_TABLES } from './cinder-tables.ts';
import { CinderUnreadable } from './cinder-unreadable.ts';

export interface CinderAccess {
  /** Never part of the address. */
  readonly password?: string;
  /** A revision that nobody has tried is read, too, when all columns are there. */
  readonly anyRevision?: boolean;
  /** Its transaction may change rows; nothing is until `session.ask('COMMIT')`. */
  readonly toWrite?: boolean;
}

/** Rejects with `CinderUnreadable`. Only the client of the dialect that is asked for is loaded. */
export async function openCinder(address: CinderAddress, access: CinderAccess = {}): Promise<CinderDatabase> {
  return (await openSession(address, access)).cinder;
}

/** The same, with the session for who writes. */
export async function openSession(
  address: CinderAddress,
  access: CinderAccess = {},
): Promise<{ readonly cinder: CinderDatabase; readonly session: CinderSession }> {
  const session = await connectCinder(address, access);
  try {
    const found = await session.columns();
    const types = new Map(found.map(({ table, column, type }) => [`${table}.${column}`, type]));
    const tables = new Set(found.map(({ table }) => table));
    const revision = await revisionOf(session, tables, address, access.anyRevision === true);
    const missing = missingColumns(types, tables);
    if (missing.length > 0)
      throw new CinderUnreadable(
        `${placeOf(address)} lacks what a Cinder database has: ${missing.join(', ')}. It is at revision ${revision.id}; let \`cinder-manage db sync\` of its release finish.`,
      );
    return { cinder: new CinderRowReader(session, revision, types), session };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** A session alone: of the database nothing is looked at. Rejects with `CinderUnreadable`. */
export async function connectCinder(
  address: CinderAddress,
  { password, toWrite = false }: Pick<CinderAccess, 'password' | 'toWrite'>,
): Promise<CinderSession> {
  const purpose = toWrite ? 'write' : 'read';
  return address.dialect === 'mysql'
    ? (await import('./mysql-session.ts')).openMysql(address, password, purpose)
    : (await import('./postgresql-session.ts')).openPostgresql(address, password, purpose);
}

async function revisionOf(
  session: CinderSession,
  tables: ReadonlySet<string>,
  address: CinderAddress,
  anyRevision: boolean,
): Promise<CinderRevision> {
  if (!tables.has('alembic_version')) {
    const is = !tables.has('volumes') ? 'is no Cinder database' : 'is of a Cinder before Xena';
    throw new CinderUnreadable(
      `${placeOf(address)} ${is}: it has no table ${tables.has('volumes') ? 'alembic_version' : 'volumes'}${tables.has('volumes') ? `. Upgrade Cinder to ${OLDEST_RELEASE} or newer first` : ', or this user may not see it'}.`,
    );
  }
  const rows = await session.ask('SELECT version_num FROM alembic_version');
  const ids = rows.map(({ version_num }) => String(version_num));
  const [id] = ids;
  if (id === undefined || ids.length > 1)
    throw new CinderUnreadable(
      `${placeOf(address)}: alembic_version says ${id === undefined ? 'nothing' : ids.join(' and ')}, and should say one revision. Let \`cinder-manage db sync\` of its release finish.`,
    );
  const known = CINDER_REVISIONS.find((each) => each.id === id);
  if (known !== undefined) return known;
  if (!anyRevision)
    throw new CinderUnreadable(
      `${placeOf(address)} is at revision ${id}, which nobody has tried; known are those from ${OLDEST_RELEASE} to 2026. Should it be newer, --any-revision reads it if all columns are there.`,
    );
  return { id, release: 'unknown' };
}

/** As `table`, or `table.column`. */
function missingColumns(types: ReadonlyMap<string, string>, tables: ReadonlySet<string>): string[] {
  return Object.entries(CINDER_TABLES).flatMap(([table, { columns, deletion }]) => {
    if (!tables.has(table)) return [table];
    const wanted = [...Object.keys(columns), ...(deletion === 'never' ? [] : ['deleted'])];
    return [...new Set(wanted)].map((column) => `${table}.${column}`).filter((column) => !types.has(column));
  });
}
