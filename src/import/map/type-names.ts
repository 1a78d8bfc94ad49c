/**
 * What types are called here, where no two may have one name. A deleted one that is still used keeps its name with its id behind it, as does
 * the second of two that are called alike.
 */

export interface NamedType {
  readonly id: string;
  /** As it is called here. */
  readonly name: string;
  readonly isDeleted: boolean;
}

interface TypeRow {
  readonly id: string;
  readonly name: string | null;
  readonly deleted: boolean | null;
}

/** The living ones first. */
export function namesOfTypes(rows: readonly TypeRow[]): ReadonlyMap<string, NamedType> {
  const taken = new Set<string>();
  const types = new Map<string, NamedType>();
  for (const { id, name, deleted } of [...rows].sort((a, b) => Number(a.deleted) - Number(b.deleted))) {
    const isDeleted = deleted === true;
    const wanted = isDeleted ? `${name ?? ''} (deleted ${id})`.trimStart() : (name ?? id);
    const free = taken.has(wanted) ? `${wanted} (${id})` : wanted;
    taken.add(free);
    types.set(id, { id, name: free, isDeleted });
  }
  return types;
}
