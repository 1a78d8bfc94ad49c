/** One batch of an import, written in one transaction: what differs, what has gone, and what waits for a row that it hangs on. */
import {
  amongIds,
  type FilledRow,
  fillNamed,
  fillRows,
  fillWhole,
  type IdSpan,
  noteGone,
  removeRivals,
} from '../../db/imported-rows.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../model/group-type.ts';
import { DEFAULT_VOLUME_TYPE } from '../../model/volume-type.ts';
import type { MappedBatch, MapStep } from '../map/mapped-batch.ts';
import type { ImportedTable, ImportRefusal } from '../map/verdict.ts';

export interface WrittenBatch {
  /** Rows that are here now, by table. */
  readonly here: Readonly<Record<string, number>>;
  readonly written: number;
  readonly removed: number;
  /** What hangs on a row that is not here yet. */
  readonly waiting: readonly ImportRefusal[];
}

/** What a batch of a step holds of its tables: a span of their ids, or of what they hang on. */
export const SPANS: { readonly [Step in MapStep]?: readonly { readonly table: ImportedTable; readonly by: string }[] } =
  {
    groups: [{ table: 'volume_group', by: 'id' }],
    volumes: [
      { table: 'volume', by: 'id' },
      { table: 'volume_attachment', by: 'volume_id' },
      { table: 'transfer', by: 'volume_id' },
    ],
    snapshots: [{ table: 'snapshot', by: 'id' }],
    group_snapshots: [{ table: 'group_snapshot', by: 'id' }],
    backups: [{ table: 'backup', by: 'id' }],
    messages: [{ table: 'message', by: 'id' }],
  };

/** What a row hangs on. */
const PARENTS = {
  snapshot: { table: 'volume', by: 'volume_id' },
  group_snapshot: { table: 'volume_group', by: 'group_id' },
} as const;

/** `isFirst`: the tables were empty before, so that nothing can have gone. */
export async function writeBatch(
  tx: Tx,
  { step, rows, after: upTo }: MappedBatch,
  after: string | null,
  isFirst: boolean,
): Promise<WrittenBatch> {
  const span: IdSpan = { after, upTo };
  const here: Record<string, number> = {};
  const waiting: ImportRefusal[] = [];
  let [written, removed] = [0, 0];
  for (const [name, all] of Object.entries(rows)) {
    const table = name as ImportedTable;
    if (SPANS[step] === undefined) {
      const whole = await fillWhole(tx, table, rowsOf(all));
      written += whole.written;
      removed += whole.removed;
      here[table] = all.length;
      continue;
    }
    const there = await withParents(tx, table, rowsOf(all), waiting);
    if (table === 'transfer') await removeRivals(tx, table, 'volume_id', there);
    written += await fillRows(tx, table, there);
    here[table] = there.length;
  }
  for (const { table, by } of isFirst ? [] : (SPANS[step] ?? [])) {
    const ids = rowsOf(rows[table] ?? []).map(({ id }) => String(id));
    await noteGone(tx, table, span, ids, by);
  }
  return { here, written, removed, waiting };
}

async function withParents(
  tx: Tx,
  table: ImportedTable,
  rows: readonly FilledRow[],
  waiting: ImportRefusal[],
): Promise<readonly FilledRow[]> {
  const parent = Object.hasOwn(PARENTS, table) ? PARENTS[table as keyof typeof PARENTS] : undefined;
  if (parent === undefined) return rows;
  const known = await amongIds(tx, parent.table, [...new Set(rows.map((row) => String(row[parent.by])))]);
  return rows.filter((row) => {
    const isKnown = known.has(String(row[parent.by]));
    if (!isKnown)
      waiting.push({
        code: 'parent-missing',
        resource: table,
        id: String(row.id),
        saw: `is of ${parent.table} ${row[parent.by]}, which is not here`,
        next: 'run the import again',
      });
    return isKnown;
  });
}

/** All of them, with what is said of them. */
export async function writeTypes(tx: Tx, { rows }: MappedBatch): Promise<WrittenBatch> {
  const here = Object.fromEntries(Object.entries(rows).map(([table, all]) => [table, all.length]));
  let written = await fillNamed(tx, 'qos_specs', named(rows.qos_specs));
  written += await fillNamed(tx, 'volume_type', named(rows.volume_type), [DEFAULT_VOLUME_TYPE]);
  written += await fillNamed(tx, 'group_type', named(rows.group_type), [CONSISTENCY_GROUP_TYPE]);
  const encryption = rowsOf(rows.volume_type_encryption ?? []);
  await removeRivals(tx, 'volume_type_encryption', 'volume_type_id', encryption);
  let removed = 0;
  for (const table of [
    'volume_type_encryption',
    'volume_type_access',
    'default_volume_type',
    'group_type_access',
  ] as const) {
    const whole = await fillWhole(tx, table, rowsOf(rows[table] ?? []));
    written += whole.written;
    removed += whole.removed;
  }
  return { here, written, removed, waiting: [] };
}

const rowsOf = (rows: readonly object[]): readonly FilledRow[] => rows as readonly FilledRow[];

const named = (rows: readonly object[] = []) =>
  rows as readonly (FilledRow & { readonly id: string; readonly name: string })[];
