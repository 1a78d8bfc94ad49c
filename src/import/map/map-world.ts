/**
 * What one row's verdict asks of others, read once: the types that volumes may be of, and the like. There are few of these, however many
 * volumes there are.
 */
import type { CinderDatabase, CinderValue } from '../cinder/cinder-database.ts';
import type { CinderRows } from '../cinder/cinder-tables.ts';
import type { MapSettings } from './map-settings.ts';
import { type NamedType, namesOfTypes } from './type-names.ts';

export interface MapWorld {
  readonly settings: MapSettings;
  readonly typeRows: readonly CinderRows['volume_types'][];
  readonly groupTypeRows: readonly CinderRows['group_types'][];
  /** All that come in, by id: what is deleted and still used does. */
  readonly types: ReadonlyMap<string, NamedType>;
  readonly groupTypes: ReadonlyMap<string, NamedType>;
  /** Of `--adopt-type`; null when there is none. */
  readonly adopted: string | null;
  /** `HOST@BACKEND` whose volumes are at another site now. */
  readonly failedOver: ReadonlySet<string>;
  /** Ids of deleted volumes that come back, as their snapshots live (`--revive`). */
  readonly revived: readonly string[];
}

/** Which is said to be adopted, and is not there. */
export interface NoSuchType {
  readonly noType: string;
}

export async function mapWorld(cinder: CinderDatabase, settings: MapSettings): Promise<MapWorld | NoSuchType> {
  const revived = settings.revive ? await deletedUnderSnapshots(cinder) : [];
  const typeRows = await typesOf(cinder, revived);
  const groupTypeRows = await groupTypesOf(cinder);
  const types = namesOfTypes(typeRows);
  const { adoptType } = settings;
  const adopted = [...types.values()].find(({ id, name }) => id === adoptType || name === adoptType);
  if (adoptType !== null && adopted === undefined) return { noType: adoptType };
  return {
    settings,
    typeRows,
    types,
    groupTypeRows,
    groupTypes: namesOfTypes(groupTypeRows),
    adopted: adopted?.id ?? null,
    failedOver: await failedOverHosts(cinder),
    revived: revived.map(({ id }) => id),
  };
}

/** The living ones, and those that are deleted and yet used. */
async function typesOf(
  cinder: CinderDatabase,
  revived: readonly CinderRows['volumes'][],
): Promise<CinderRows['volume_types'][]> {
  const rows: CinderRows['volume_types'][] = [];
  for await (const batch of cinder.living('volume_types')) rows.push(...batch);
  const used = [
    ...(await cinder.distinct('volumes', 'volume_type_id')),
    ...(await cinder.distinct('snapshots', 'volume_type_id')),
    ...revived.map(({ volume_type_id }) => volume_type_id),
  ];
  return [...rows, ...(await cinder.among('volume_types', 'id', others(used, rows), { evenDeleted: true }))];
}

async function groupTypesOf(cinder: CinderDatabase): Promise<CinderRows['group_types'][]> {
  const rows: CinderRows['group_types'][] = [];
  for await (const batch of cinder.living('group_types')) rows.push(...batch);
  const used = await cinder.distinct('groups', 'group_type_id');
  return [...rows, ...(await cinder.among('group_types', 'id', others(used, rows), { evenDeleted: true }))];
}

/** Ids that are used and are those of no row here. */
function others(used: readonly CinderValue[], rows: readonly { readonly id: string }[]): string[] {
  const known = new Set(rows.map(({ id }) => id));
  return [...new Set(used)].filter((id): id is string => typeof id === 'string' && !known.has(id));
}

async function failedOverHosts(cinder: CinderDatabase): Promise<ReadonlySet<string>> {
  const failedOver = new Set<string>();
  for await (const services of cinder.living('services'))
    for (const { host, cluster_name, active_backend_id } of services) {
      if (active_backend_id === null || active_backend_id === '') continue;
      for (const place of [host, cluster_name]) if (place !== null) failedOver.add(place);
    }
  return failedOver;
}

async function deletedUnderSnapshots(cinder: CinderDatabase): Promise<readonly CinderRows['volumes'][]> {
  const deleted = new Map<string, CinderRows['volumes']>();
  for await (const snapshots of cinder.living('snapshots')) {
    const ids = [...new Set(snapshots.map(({ volume_id }) => volume_id))];
    for (const volume of await cinder.among('volumes', 'id', ids, { evenDeleted: true }))
      if (volume.deleted === true) deleted.set(volume.id, volume);
  }
  return [...deleted.values()];
}
