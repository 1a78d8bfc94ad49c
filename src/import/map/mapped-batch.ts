/** What a step of the import hands on: a batch of rows of ours, in an order in which what others hang on comes first. */
import type { ImportedRow, ImportedRows, ImportedTable, ImportFinding, ImportRefusal } from './verdict.ts';
import type { OnBackend } from './volumes.ts';

/** In their order. `types`, `services` and `limits` are each one batch, and the whole of their tables. */
export const MAP_STEPS = [
  'types',
  'groups',
  'volumes',
  'snapshots',
  'group_snapshots',
  'backups',
  'messages',
  'services',
  'limits',
] as const;
export type MapStep = (typeof MAP_STEPS)[number];

/** The tables that a step fills. */
export const TABLES_OF: { readonly [Step in MapStep]: readonly ImportedTable[] } = {
  types: [
    'qos_specs',
    'volume_type',
    'volume_type_access',
    'volume_type_encryption',
    'default_volume_type',
    'group_type',
    'group_type_access',
  ],
  groups: ['volume_group'],
  volumes: ['volume', 'volume_attachment', 'transfer'],
  snapshots: ['snapshot'],
  group_snapshots: ['group_snapshot'],
  backups: ['backup'],
  messages: ['message'],
  services: ['service'],
  limits: ['quota_limit', 'quota_class_limit'],
};

export interface MappedBatch {
  readonly step: MapStep;
  /** The last key that was read for it: the next batch begins after. Null where the step is one batch. */
  readonly after: string | null;
  readonly rows: ImportedRows;
  readonly findings: readonly ImportFinding[];
  readonly refusals: readonly ImportRefusal[];
}

export interface MapOptions {
  /** Goes on after this key of the step. */
  readonly after?: string;
  /** No key of the step from this one on. */
  readonly before?: string;
  /** Rows of a batch; default 500. */
  readonly limit?: number;
  /** What the backends have; nobody looked where it is not given. */
  readonly onBackend?: BackendNames;
}

/** What backends hold of what is on a host, asked by the row's place here. */
export interface BackendNames {
  volume(row: ImportedPlace): OnBackend;
  snapshot(row: ImportedPlace, snapshotId: string): OnBackend;
}

/** A volume: where Cinder says it is, and the id its name there is made from. */
export interface ImportedPlace {
  readonly place: string | null;
  readonly nameId: string;
}

/** Gathers what a batch has come to. */
export class Batch {
  readonly rows: { [T in ImportedTable]?: ImportedRow<T>[] } = {};
  readonly findings: ImportFinding[] = [];
  readonly refusals: ImportRefusal[] = [];

  row<T extends ImportedTable>(table: T, row: ImportedRow<T> | undefined): void {
    if (row === undefined) return;
    const rows = this.rows as { [table in T]?: ImportedRow<T>[] };
    rows[table] = rows[table] ?? [];
    rows[table].push(row);
  }

  /** The row of a verdict; undefined when it was refused, or left out. */
  take<T extends ImportedTable>(
    table: T,
    verdict:
      | { readonly row: ImportedRow<T> | undefined; readonly findings: readonly ImportFinding[] }
      | { readonly refused: ImportRefusal },
  ): ImportedRow<T> | undefined {
    if ('refused' in verdict) {
      this.refusals.push(verdict.refused);
      return undefined;
    }
    this.findings.push(...verdict.findings);
    this.row(table, verdict.row);
    return verdict.row;
  }
}
