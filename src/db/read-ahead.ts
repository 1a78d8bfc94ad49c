/** Rows that a unit is likely to ask for: read before the units of its transaction run, those of all of them by one statement. */
import { snapshotRows } from './snapshots.ts';
import type { ReadAhead } from './sql/tx.ts';
import { volumeRows } from './volumes.ts';

const ROWS = { volume: volumeRows, snapshot: snapshotRows } as const;

/** `resource`: `volume:<id>`. Nothing for what is kept in no cache. */
export function readAhead(resource: string): readonly ReadAhead[] {
  const [kind, id] = resource.split(':');
  if (id === undefined || !(kind === 'volume' || kind === 'snapshot')) return [];
  return [{ rows: ROWS[kind], id }];
}
