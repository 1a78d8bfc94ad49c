/**
 * The whole of a Cinder database as rows of ours, step by step and batch by batch: an import writes them, a check only counts them. What
 * others hang on comes first. Memory holds one batch with what belongs to it, and the types.
 */
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { CinderRows, CinderTable } from '../cinder/cinder-tables.ts';
import { mapAttachment } from './attachments.ts';
import { mapBackup } from './backups.ts';
import { mapGroupTypes } from './group-types.ts';
import { mapGroup, mapGroupSnapshot } from './groups.ts';
import type { MapWorld } from './map-world.ts';
import { Batch, type ImportedPlace, type MapOptions, type MappedBatch, type MapStep } from './mapped-batch.ts';
import { mapMessage } from './messages.ts';
import { mapLimits } from './quota-limits.ts';
import { mapServices } from './services.ts';
import { mapSnapshot } from './snapshots.ts';
import { mapTransfers } from './transfers.ts';
import { mapTypes } from './types.ts';
import { byOwner } from './values-of.ts';
import { mapVolume } from './volumes.ts';

/** The batches of one step. Rejects with `CinderUnreadable`. */
export function mapStep(
  cinder: CinderDatabase,
  world: MapWorld,
  step: MapStep,
  options: MapOptions = {},
): AsyncIterable<MappedBatch> {
  switch (step) {
    case 'types':
      return allTypes(cinder, world);
    case 'groups':
      return batches(cinder, 'groups', step, options, (rows, into) => groups(cinder, world, rows, into));
    case 'volumes':
      return batches(
        cinder,
        'volumes',
        step,
        options,
        (rows, into) => volumes(cinder, world, rows, into, options),
        world.revived,
      );
    case 'snapshots':
      return batches(cinder, 'snapshots', step, options, (rows, into) => snapshots(cinder, world, rows, into, options));
    case 'group_snapshots':
      return batches(cinder, 'group_snapshots', step, options, (rows, into) =>
        groupSnapshots(cinder, world, rows, into),
      );
    case 'backups':
      return batches(cinder, 'backups', step, options, (rows, into) => backups(cinder, world, rows, into));
    case 'messages':
      return batches(cinder, 'messages', step, options, async (rows, into) => {
        for (const row of rows) into.row('message', mapMessage(row, world.settings));
      });
    case 'services':
      return allServices(cinder, world);
    case 'limits':
      return allLimits(cinder);
  }
}

async function* batches<T extends CinderTable>(
  cinder: CinderDatabase,
  table: T,
  step: MapStep,
  { after, before, limit }: MapOptions,
  map: (rows: readonly (CinderRows[T] & { readonly id: string })[], into: Batch) => Promise<void>,
  also: readonly string[] = [],
): AsyncGenerator<MappedBatch> {
  const range = {
    ...(after !== undefined && { after }),
    ...(before !== undefined && { before }),
    ...(limit !== undefined && { limit }),
    ...(also.length > 0 && { also }),
  };
  for await (const found of cinder.living(table, range)) {
    const rows = found as readonly (CinderRows[T] & { readonly id: string })[];
    const into = new Batch();
    await map(rows, into);
    yield { step, after: rows.at(-1)?.id ?? null, ...into };
  }
}

async function volumes(
  cinder: CinderDatabase,
  world: MapWorld,
  rows: readonly CinderRows['volumes'][],
  into: Batch,
  { onBackend }: MapOptions,
): Promise<void> {
  const ids = rows.map(({ id }) => id);
  const of = (row: { readonly volume_id: string | null }) => row.volume_id;
  const metadata = byOwner(await cinder.among('volume_metadata', 'volume_id', ids), of);
  const adminMetadata = byOwner(await cinder.among('volume_admin_metadata', 'volume_id', ids), of);
  const imageMetadata = byOwner(await cinder.among('volume_glance_metadata', 'volume_id', ids), of);
  const attachments = byOwner(await cinder.among('volume_attachment', 'volume_id', ids), of);
  const transfers = byOwner(await cinder.among('transfers', 'volume_id', ids), of);
  for (const row of rows) {
    const [attached, offered] = [attachments.get(row.id) ?? [], transfers.get(row.id) ?? []];
    const volume = {
      row,
      metadata: metadata.get(row.id) ?? [],
      adminMetadata: adminMetadata.get(row.id) ?? [],
      imageMetadata: imageMetadata.get(row.id) ?? [],
      attachments: attached,
      isOffered: offered.length > 0,
    };
    const made = into.take('volume', mapVolume(volume, world, onBackend?.volume(placeOf(row))));
    if (made === undefined) continue;
    for (const each of attached) into.take('volume_attachment', mapAttachment(each, made.project_id, world.settings));
    into.take('transfer', mapTransfers(offered, made.project_id, world.settings));
  }
}

const placeOf = ({ id, _name_id, host, cluster_name }: CinderRows['volumes']): ImportedPlace => ({
  place: cluster_name ?? host,
  nameId: _name_id ?? id,
});

async function snapshots(
  cinder: CinderDatabase,
  world: MapWorld,
  rows: readonly CinderRows['snapshots'][],
  into: Batch,
  { onBackend }: MapOptions,
): Promise<void> {
  const ids = rows.map(({ id }) => id);
  const of = (row: { readonly snapshot_id: string | null }) => row.snapshot_id;
  const volumeIds = [...new Set(rows.map(({ volume_id }) => volume_id))];
  const found = await cinder.among('volumes', 'id', volumeIds, { evenDeleted: true });
  const volumes = new Map(found.map((volume) => [volume.id, volume]));
  const metadata = byOwner(await cinder.among('snapshot_metadata', 'snapshot_id', ids), of);
  const imageMetadata = byOwner(await cinder.among('volume_glance_metadata', 'snapshot_id', ids), of);
  for (const row of rows) {
    const volume = volumes.get(row.volume_id);
    const snapshot = {
      row,
      volume,
      metadata: metadata.get(row.id) ?? [],
      imageMetadata: imageMetadata.get(row.id) ?? [],
    };
    const there = volume && onBackend?.snapshot(placeOf(volume), row.id);
    into.take('snapshot', mapSnapshot(snapshot, world, there));
  }
}

async function groups(
  cinder: CinderDatabase,
  world: MapWorld,
  rows: readonly CinderRows['groups'][],
  into: Batch,
): Promise<void> {
  const ids = rows.map(({ id }) => id);
  const types = byOwner(await cinder.among('group_volume_type_mapping', 'group_id', ids), (row) => row.group_id);
  for (const row of rows) {
    const typeIds = (types.get(row.id) ?? []).map(({ volume_type_id }) => volume_type_id);
    into.take('volume_group', mapGroup({ row, typeIds }, world));
  }
}

async function groupSnapshots(
  cinder: CinderDatabase,
  world: MapWorld,
  rows: readonly CinderRows['group_snapshots'][],
  into: Batch,
): Promise<void> {
  const found = await cinder.among('groups', 'id', [...new Set(rows.map(({ group_id }) => group_id))]);
  const groupsOf = new Map(found.map((group) => [group.id, group]));
  for (const row of rows)
    into.take('group_snapshot', mapGroupSnapshot({ row, group: groupsOf.get(row.group_id) }, world));
}

async function backups(
  cinder: CinderDatabase,
  world: MapWorld,
  rows: readonly CinderRows['backups'][],
  into: Batch,
): Promise<void> {
  const ids = rows.map(({ id }) => id);
  const metadata = byOwner(await cinder.among('backup_metadata', 'backup_id', ids), (row) => row.backup_id);
  for (const row of rows) into.take('backup', mapBackup({ row, metadata: metadata.get(row.id) ?? [] }, world.settings));
}

async function* allTypes(cinder: CinderDatabase, world: MapWorld): AsyncGenerator<MappedBatch> {
  const volumeTypes = mapTypes(
    {
      types: world.typeRows,
      extraSpecs: await all(cinder, 'volume_type_extra_specs'),
      access: await all(cinder, 'volume_type_projects'),
      encryption: await all(cinder, 'encryption'),
      defaults: await all(cinder, 'default_volume_types'),
      qosSpecs: await all(cinder, 'quality_of_service_specs'),
    },
    world,
  );
  const groupTypes = mapGroupTypes(
    {
      types: world.groupTypeRows,
      specs: await all(cinder, 'group_type_specs'),
      access: await all(cinder, 'group_type_projects'),
    },
    world,
  );
  yield {
    step: 'types',
    after: null,
    rows: { ...volumeTypes.rows, ...groupTypes.rows },
    findings: [...volumeTypes.findings, ...groupTypes.findings],
    refusals: [],
  };
}

async function* allServices(cinder: CinderDatabase, { settings }: MapWorld): AsyncGenerator<MappedBatch> {
  const service = mapServices(await all(cinder, 'services'), settings);
  yield { step: 'services', after: null, rows: { service }, findings: [], refusals: [] };
}

async function* allLimits(cinder: CinderDatabase): AsyncGenerator<MappedBatch> {
  const { rows, findings } = mapLimits(await all(cinder, 'quotas'), await all(cinder, 'quota_classes'));
  yield { step: 'limits', after: null, rows, findings, refusals: [] };
}

/** Of a table that has few. */
async function all<T extends CinderTable>(cinder: CinderDatabase, table: T): Promise<CinderRows[T][]> {
  const rows: CinderRows[T][] = [];
  for await (const batch of cinder.living(table)) rows.push(...batch);
  return rows;
}
