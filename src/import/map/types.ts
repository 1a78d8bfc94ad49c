/** Volume types of Cinder's, with what is said of them: extra specs, access, encryption, default types, QoS specs. */
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { madeAt } from './made-at.ts';
import type { MapWorld } from './map-world.ts';
import { findNameOf } from './type-names.ts';
import { byOwner, valuesOf, valuesText } from './values-of.ts';
import { FoundInRow, type ImportedRow } from './verdict.ts';

export interface CinderTypes {
  /** The living ones, and those that are deleted and still used. */
  readonly types: readonly CinderRows['volume_types'][];
  readonly extraSpecs: readonly CinderRows['volume_type_extra_specs'][];
  readonly access: readonly CinderRows['volume_type_projects'][];
  readonly encryption: readonly CinderRows['encryption'][];
  readonly defaults: readonly CinderRows['default_volume_types'][];
  readonly qosSpecs: readonly CinderRows['quality_of_service_specs'][];
}

export interface MappedTypes {
  readonly rows: {
    readonly qos_specs: readonly ImportedRow<'qos_specs'>[];
    readonly volume_type: readonly ImportedRow<'volume_type'>[];
    readonly volume_type_access: readonly ImportedRow<'volume_type_access'>[];
    readonly volume_type_encryption: readonly ImportedRow<'volume_type_encryption'>[];
    readonly default_volume_type: readonly ImportedRow<'default_volume_type'>[];
  };
  readonly findings: FoundInRow['findings'];
}

export function mapTypes(of: CinderTypes, world: MapWorld): MappedTypes {
  const qos = mapQosSpecs(of.qosSpecs, world);
  const specsIds = new Set(qos.rows.map(({ id }) => id));
  const extraSpecs = byOwner(of.extraSpecs, (row) => row.volume_type_id);
  const findings = [...qos.findings];
  const types = of.types.map((row): ImportedRow<'volume_type'> => {
    const found = new FoundInRow('volume_type', row.id);
    const { name = row.id, isDeleted = false } = world.types.get(row.id) ?? {};
    findNameOf(found, row, { name, isDeleted }, 'volumes');
    const hasSpecs = row.qos_specs_id !== null && specsIds.has(row.qos_specs_id);
    if (row.qos_specs_id !== null && !hasSpecs)
      found.add(
        'qos-missing',
        `(${row.name}) has QoS specs ${row.qos_specs_id}, which are deleted`,
        'it comes in without',
      );
    const made = {
      id: row.id,
      name,
      description: row.description,
      is_public: Number(!isDeleted && row.is_public !== false),
      extra_specs: valuesText(extraSpecs.get(row.id) ?? [], 'extra spec', found),
      qos_specs_id: hasSpecs ? row.qos_specs_id : null,
      created_at: madeAt(row.created_at, [row.updated_at], world.settings.now, found),
      updated_at: row.updated_at,
    };
    findings.push(...found.findings);
    return made;
  });
  const isKnown = (id: string | null): id is string => id !== null && world.types.has(id);
  const encryption = lastOf(
    of.encryption.filter(({ volume_type_id: id }) => isKnown(id)),
    (row) => row.volume_type_id,
  );
  return {
    rows: {
      qos_specs: qos.rows,
      volume_type: types,
      volume_type_access: lastOf(
        of.access.filter(({ volume_type_id: id, project_id }) => isKnown(id) && project_id !== null),
        (row) => `${row.volume_type_id} ${row.project_id}`,
      ).map(({ volume_type_id, project_id }) => ({
        volume_type_id: volume_type_id as string,
        project_id: project_id as string,
      })),
      volume_type_encryption: encryption.map((row) => ({
        encryption_id: row.encryption_id,
        volume_type_id: row.volume_type_id,
        provider: row.provider,
        control_location: row.control_location,
        cipher: row.cipher,
        key_size: row.key_size,
        created_at: row.created_at ?? world.settings.now,
        updated_at: row.updated_at,
      })),
      default_volume_type: of.defaults
        .filter(({ volume_type_id: id }) => isKnown(id))
        .map(({ project_id, volume_type_id }) => ({ project_id, volume_type_id: volume_type_id as string })),
    },
    findings,
  };
}

/** A parent names the specs, its children say them; who consumes them is one of the children. */
function mapQosSpecs(
  rows: readonly CinderRows['quality_of_service_specs'][],
  { settings }: MapWorld,
): { readonly rows: ImportedRow<'qos_specs'>[]; readonly findings: FoundInRow['findings'] } {
  const children = byOwner(rows, (row) => row.specs_id);
  const findings: FoundInRow['findings'] = [];
  const names = new Set<string>();
  const made = rows
    .filter(({ specs_id }) => specs_id === null)
    .map((parent) => {
      const found = new FoundInRow('qos_specs', parent.id);
      const all = (children.get(parent.id) ?? []).map(({ key, value }, id) => ({ id, key, value }));
      const { consumer, ...specs } = valuesOf(all, 'spec', found);
      if (consumer === undefined)
        found.add(
          'consumer-missing',
          `(${parent.value}) do not say who consumes them`,
          'they come in as back-end, which is what Cinder makes them by default',
        );
      const wanted = parent.value ?? parent.id;
      const name = names.has(wanted) ? `${wanted} (${parent.id})` : wanted;
      if (name !== wanted)
        found.add(
          'qos-name-twice',
          `are called ${JSON.stringify(wanted)}, as others are`,
          `they come in as ${JSON.stringify(name)}`,
        );
      names.add(name);
      const row = {
        id: parent.id,
        name,
        consumer: consumer ?? 'back-end',
        specs: JSON.stringify(specs),
        created_at: madeAt(parent.created_at, [parent.updated_at], settings.now, found),
        updated_at: parent.updated_at,
      };
      findings.push(...found.findings);
      return row;
    });
  return { rows: made, findings };
}

/** One of each key, the last that is said. */
export function lastOf<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Row[] {
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}
