/**
 * What LVM's programs and device-mapper's print, read. A report is JSON in which every value is a text: numbers too, and an empty one
 * is what LVM does not know (the percentage of a volume that is not active) as well as "no".
 */

/** A logical volume of the group, in whatever pool or in none. */
export interface LogicalVolume {
  readonly name: string;
  readonly bytes: number;
  /** The thin pool that it is in; null when it is in none. */
  readonly pool: string | null;
  /** Which of the pool's it is; null when it is in none. */
  readonly thinId: number | null;
  readonly isActive: boolean;
  /** A program that was killed left it so, and whoever writes to it waits. */
  readonly isSuspended: boolean;
  /** Somebody has it open, a mount or a program. */
  readonly isOpen: boolean;
  readonly tags: readonly string[];
}

export interface PoolFacts {
  readonly name: string;
  readonly chunkBytes: number;
  readonly isActive: boolean;
  /** What nobody wrote reads as zeroes, and not as what a deleted volume held. */
  readonly zeroes: boolean;
  /** Empty: well. */
  readonly health: string;
}

export interface VolumesReport {
  readonly volumes: readonly LogicalVolume[];
  readonly pools: readonly PoolFacts[];
}

export interface PoolStatus {
  readonly usedBlocks: number;
  readonly blocks: number;
  /** Of 4 KiB. */
  readonly usedMetadataBlocks: number;
  readonly metadataBlocks: number;
  /** `rw`, `ro`, `out_of_data_space`; `Fail` or `Error` of one that cannot be used at all. */
  readonly mode: string;
}

type Row = Readonly<Record<string, unknown>>;

/** The size of the group's extents in bytes. Throws for what is no report of one group. */
export function parseGroup(output: string): number {
  const [row, ...others] = rowsOf(output, 'vg');
  if (row === undefined || others.length > 0) throw new TypeError('The report is not of one volume group.');
  return numberIn(row, 'vg_extent_size');
}

export function parseVolumes(output: string): VolumesReport {
  const rows = rowsOf(output, 'lv');
  const isPool = (row: Row): boolean => row.segtype === 'thin-pool';
  return {
    volumes: rows.filter((row) => !isPool(row)).map(toVolume),
    pools: rows.filter(isPool).map((row) => ({
      name: textIn(row, 'lv_name'),
      chunkBytes: numberIn(row, 'chunk_size'),
      isActive: textIn(row, 'lv_active') !== '',
      zeroes: row.zero === 'zero',
      health: textIn(row, 'lv_health_status'),
    })),
  };
}

function toVolume(row: Row): LogicalVolume {
  const pool = textIn(row, 'pool_lv');
  return {
    name: textIn(row, 'lv_name'),
    bytes: numberIn(row, 'lv_size'),
    pool: pool === '' ? null : pool,
    thinId: textIn(row, 'thin_id') === '' ? null : numberIn(row, 'thin_id'),
    isActive: textIn(row, 'lv_active') !== '',
    // Of what is not active they are unknown.
    isSuspended: row.lv_suspended === 'suspended',
    isOpen: row.lv_device_open === 'open',
    tags: textIn(row, 'lv_tags').split(',').filter(Boolean),
  };
}

/** `0 2097152 thin-pool 4 216/2048 0/16384 - rw discard_passdown error_if_no_space - 512` */
const POOL_STATUS = /^\d+ \d+ thin-pool (?:(Fail|Error)|\d+ (\d+)\/(\d+) (\d+)\/(\d+) (?:\d+|-) (\w+)( .*)?)$/;

export function parsePoolStatus(output: string): PoolStatus {
  const [, broken, usedMetadata, metadata, used, all, mode] = POOL_STATUS.exec(output.trim()) ?? [];
  if (broken !== undefined) return { usedBlocks: 0, blocks: 0, usedMetadataBlocks: 0, metadataBlocks: 0, mode: broken };
  if (mode === undefined) throw new TypeError(`"${output.trim()}" is no status of a thin pool.`);
  return {
    usedBlocks: Number(used),
    blocks: Number(all),
    usedMetadataBlocks: Number(usedMetadata),
    metadataBlocks: Number(metadata),
    mode,
  };
}

/** Bytes of the pool that a thin volume has: `0 4194304 thin 6144 6143` counts them in sectors. */
export function parseThinStatus(output: string): number {
  const sectors = /^\d+ \d+ thin (\d+) (\d+|-)$/.exec(output.trim())?.[1];
  if (sectors === undefined) throw new TypeError(`"${output.trim()}" is no status of a thin volume.`);
  return Number(sectors) * 512;
}

function rowsOf(output: string, kind: 'vg' | 'lv'): readonly Row[] {
  const report: unknown = JSON.parse(output);
  const parts = (report as { readonly report?: readonly Readonly<Record<string, unknown>>[] } | null)?.report;
  const rows = parts?.[0]?.[kind];
  if (!Array.isArray(rows)) throw new TypeError(`The report has no list of ${kind}.`);
  return rows as readonly Row[];
}

function textIn(row: Row, field: string): string {
  const value = row[field];
  if (typeof value !== 'string') throw new TypeError(`The report has no ${field}.`);
  return value;
}

function numberIn(row: Row, field: string): number {
  const text = textIn(row, field);
  if (!/^\d+$/.test(text)) throw new TypeError(`${field} is "${text}" in the report, which is no whole number.`);
  return Number(text);
}
