/** A transfer that waits, of a volume that comes in. Its key goes on opening it: the hash is kept with how it is made. */
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { madeAt } from './made-at.ts';
import type { MapSettings } from './map-settings.ts';
import { FoundInRow, type ImportedRow } from './verdict.ts';

/** Those that were accepted are deleted, and not read. Of a volume that has several the newest counts: it has one here. */
export function mapTransfers(
  rows: readonly CinderRows['transfers'][],
  projectId: string,
  { now }: Pick<MapSettings, 'now'>,
): { readonly row: ImportedRow<'transfer'> | undefined; readonly findings: FoundInRow['findings'] } {
  const findings: FoundInRow['findings'] = [];
  let kept: ImportedRow<'transfer'> | undefined;
  for (const row of [...rows].sort((a, b) => ((a.created_at ?? '') < (b.created_at ?? '') ? -1 : 1))) {
    const found = new FoundInRow('transfer', row.id);
    if (row.salt === null || row.crypt_hash === null || !/^[0-9a-f]{40}$/.test(row.crypt_hash))
      found.add(
        'key-missing',
        `of volume ${row.volume_id} has no key that could be given`,
        'it is left out; its owner makes a new one',
      );
    else {
      if (kept !== undefined)
        found.add(
          'transfer-twice',
          `of volume ${row.volume_id} is newer than ${kept.id}`,
          'this one comes in, the other is left out',
        );
      kept = {
        id: row.id,
        volume_id: row.volume_id,
        name: row.display_name,
        no_snapshots: Number(row.no_snapshots === true),
        source_project_id: row.source_project_id ?? projectId,
        salt: row.salt,
        key_hash: row.crypt_hash,
        scheme: 'cinder',
        created_at: madeAt(row.created_at, [row.updated_at], now, found),
      };
    }
    findings.push(...found.findings);
  }
  return { row: kept, findings };
}
