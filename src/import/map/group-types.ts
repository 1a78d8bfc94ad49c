/** Group types of Cinder's, with their specs and who may use them. */
import type { CinderRows } from '../cinder/cinder-tables.ts';
import { madeAt } from './made-at.ts';
import type { MapWorld } from './map-world.ts';
import { findNameOf } from './type-names.ts';
import { lastOf } from './types.ts';
import { byOwner, valuesText } from './values-of.ts';
import { FoundInRow, type ImportedRow } from './verdict.ts';

export interface CinderGroupTypes {
  /** The living ones, and those that are deleted and still used. */
  readonly types: readonly CinderRows['group_types'][];
  readonly specs: readonly CinderRows['group_type_specs'][];
  readonly access: readonly CinderRows['group_type_projects'][];
}

export interface MappedGroupTypes {
  readonly rows: {
    readonly group_type: readonly ImportedRow<'group_type'>[];
    readonly group_type_access: readonly ImportedRow<'group_type_access'>[];
  };
  readonly findings: FoundInRow['findings'];
}

export function mapGroupTypes({ types, specs, access }: CinderGroupTypes, world: MapWorld): MappedGroupTypes {
  const specsOf = byOwner(specs, (row) => row.group_type_id);
  const findings: FoundInRow['findings'] = [];
  const rows = types.map((row) => {
    const found = new FoundInRow('group_type', row.id);
    const { name = row.id, isDeleted = false } = world.groupTypes.get(row.id) ?? {};
    findNameOf(found, row, { name, isDeleted }, 'groups');
    const made = {
      id: row.id,
      name,
      description: row.description,
      is_public: Number(!isDeleted && row.is_public !== false),
      group_specs: valuesText(specsOf.get(row.id) ?? [], 'spec', found),
      created_at: madeAt(row.created_at, [row.updated_at], world.settings.now, found),
      updated_at: row.updated_at,
    };
    findings.push(...found.findings);
    return made;
  });
  const allowed = access.flatMap(({ group_type_id, project_id }) =>
    group_type_id !== null && project_id !== null && world.groupTypes.has(group_type_id)
      ? [{ group_type_id, project_id }]
      : [],
  );
  return {
    rows: { group_type: rows, group_type_access: lastOf(allowed, (row) => `${row.group_type_id} ${row.project_id}`) },
    findings,
  };
}
