/** Rows that no step of the import takes: what Cinder itself does not see, what hangs on what is gone, and kinds that are not taken over. */
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { CinderTable } from '../cinder/cinder-tables.ts';
import { FoundInRow, type ImportFinding, type ImportRefusal } from '../map/verdict.ts';
import { MAKE_GENERIC } from '../map/volumes.ts';

/** With what one row of each is called. */
const JUDGED: readonly (readonly [CinderTable, string])[] = [
  ['volumes', 'volume'],
  ['snapshots', 'snapshot'],
  ['volume_attachment', 'attachment'],
  ['volume_types', 'volume_type'],
  ['group_types', 'group_type'],
  ['groups', 'group'],
  ['group_snapshots', 'group_snapshot'],
  ['backups', 'backup'],
  ['transfers', 'transfer'],
  ['quality_of_service_specs', 'qos_specs'],
  ['encryption', 'encryption'],
  ['services', 'service'],
  ['quotas', 'quota'],
];

export interface LeftOut {
  readonly findings: readonly ImportFinding[];
  readonly refusals: readonly ImportRefusal[];
}

/** `seen`: how many rows of tables that hang on volumes came in with them. Where there are more it is looked for whose they are. */
export async function leftOut(
  cinder: CinderDatabase,
  seen: { readonly volume_attachment: number; readonly transfers: number },
): Promise<LeftOut> {
  const findings: ImportFinding[] = [];
  const refusals: ImportRefusal[] = [];
  for (const [table, resource] of JUDGED)
    for (const id of await cinder.undecided(table)) {
      const found = new FoundInRow(resource, id);
      found.add(
        'deleted-unknown',
        'does not say whether it is deleted',
        'it is left out: Cinder does not see it either',
      );
      findings.push(...found.findings);
    }
  for (const table of ['volume_attachment', 'transfers'] as const)
    if ((await cinder.count(table)) > seen[table]) findings.push(...(await withoutVolume(cinder, table)));
  for await (const entries of cinder.living('image_volume_cache_entries'))
    for (const { image_id, volume_id } of entries) {
      const found = new FoundInRow('volume', volume_id);
      found.add(
        'cached-image',
        `is kept as image ${image_id} for new volumes`,
        'it comes in as a plain volume of its project; delete it when nobody misses it',
      );
      findings.push(...found.findings);
    }
  for (const [table, resource] of [
    ['consistencygroups', 'consistency_group'],
    ['cgsnapshots', 'cgsnapshot'],
  ] as const)
    for await (const rows of cinder.living(table))
      for (const { id, name } of rows)
        refusals.push(
          new FoundInRow(resource, id).refused(
            'consistency-group',
            `(${name ?? ''}) is of the kind that Queens has done away with`,
            MAKE_GENERIC,
          ).refused,
        );
  return { findings, refusals };
}

async function withoutVolume(
  cinder: CinderDatabase,
  table: 'volume_attachment' | 'transfers',
): Promise<ImportFinding[]> {
  const findings: ImportFinding[] = [];
  for await (const rows of cinder.living(table)) {
    const volumes = await cinder.among('volumes', 'id', [...new Set(rows.map(({ volume_id }) => volume_id))]);
    const living = new Set(volumes.map(({ id }) => id));
    for (const { id, volume_id } of rows) {
      if (living.has(volume_id)) continue;
      const found = new FoundInRow(table === 'transfers' ? 'transfer' : 'attachment', id);
      found.add('volume-deleted', `is of volume ${volume_id}, which is deleted`, 'it is left out');
      findings.push(...found.findings);
    }
  }
  return findings;
}
