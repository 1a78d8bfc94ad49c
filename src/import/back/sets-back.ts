/** What is read whole on both sides, and compared: who may use types, limits, and what administrators have said of services. */
import type { Database } from '../../db/database.ts';
import { allRowsOf, type ExportedRow } from '../../db/exported-rows.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { CinderColumn } from '../cinder/cinder-tables.ts';
import type { ImportedRows } from '../map/verdict.ts';
import type { BackWriter } from './back-writer.ts';

export interface BothSides {
  readonly cinder: CinderDatabase;
  readonly writer: BackWriter;
  readonly db: Database;
}

/** Which project may use a type. One of the tables marks what is gone with the row's own number. */
const ACCESSES = [
  { ours: 'volume_type_access', theirs: 'volume_type_projects', owner: 'volume_type_id', marksWithId: true },
  { ours: 'group_type_access', theirs: 'group_type_projects', owner: 'group_type_id', marksWithId: false },
] as const;

export async function writeAccess({ cinder, writer, db }: BothSides, rows: ImportedRows): Promise<void> {
  for (const { ours, theirs, owner, marksWithId } of ACCESSES) {
    const nameOf = (row: ExportedRow): string => JSON.stringify([row[owner], row.project_id]);
    const [was, is] = [named(rows[ours], nameOf), named(await allRowsOf(db.read, ours), nameOf)];
    const where = (row: ExportedRow) => ({ [owner]: row[owner] ?? null, project_id: row.project_id ?? null });
    for (const [name, row] of was) {
      if (is.has(name)) continue;
      if (!marksWithId) await writer.markGone(theirs, where(row));
      else {
        const found = await cinder.among(theirs, owner as CinderColumn<typeof theirs>, [String(row[owner])]);
        const ids = found.filter(({ project_id }) => project_id === row.project_id).map(({ id }) => id);
        await writer.markGoneById(theirs, ids);
      }
    }
    for (const [name, row] of is) if (!was.has(name)) await writer.insert(theirs, where(row));
  }
}

/** Limits, by whose they are. */
const LIMITS = [
  { ours: 'quota_limit', theirs: 'quotas', owner: 'project_id' },
  { ours: 'quota_class_limit', theirs: 'quota_classes', owner: 'class_name' },
] as const;

export async function writeLimits({ cinder, writer, db }: BothSides, rows: ImportedRows): Promise<void> {
  for (const { ours, theirs, owner } of LIMITS) {
    const nameOf = (row: ExportedRow): string => JSON.stringify([row[owner], row.resource]);
    const [was, is] = [named(rows[ours], nameOf), named(await allRowsOf(db.read, ours), nameOf)];
    const where = (row: ExportedRow) => ({ [owner]: row[owner] ?? null, resource: row.resource ?? null });
    for (const [name, row] of was) if (!is.has(name)) await writer.markGone(theirs, where(row));
    for (const [name, row] of is) {
      const before = was.get(name);
      if (before?.hard_limit === row.hard_limit) continue;
      const set = { hard_limit: row.hard_limit ?? null };
      // A row without a number says nothing, and is there all the same.
      const found = await cinder.among(theirs, owner as CinderColumn<typeof theirs>, [String(row[owner])]);
      const isThere = found.some(({ resource }) => resource === row.resource);
      if (before === undefined && !isThere) await writer.insert(theirs, { ...where(row), ...set });
      else await writer.update(theirs, { ...where(row), deleted: false }, { ...set, updated_at: writer.now });
    }
  }
}

/** Disabled, why, and frozen; who gives signs of life is each side's own. */
export async function writeServices({ writer, db }: BothSides, { service = [] }: ImportedRows): Promise<void> {
  const kept = await allRowsOf(db.read, 'service');
  for (const was of service) {
    const is = kept.find(({ host, binary }) => host === was.host && binary === was.binary);
    if (is === undefined) continue;
    const set = Object.fromEntries(
      (['disabled', 'disabled_reason', 'frozen'] as const)
        .filter((name) => was[name] !== is[name])
        .map((name) => [name, is[name] ?? null]),
    );
    if (Object.keys(set).length > 0) await writer.update('services', { uuid: was.uuid }, set);
  }
}

const named = (rows: readonly object[] = [], nameOf: (row: ExportedRow) => string) =>
  new Map((rows as readonly ExportedRow[]).map((row) => [nameOf(row), row]));
