/**
 * What types are called here, where no two may have one name. A deleted one that is still used keeps its name with its id behind it, as does
 * the second of two that are called alike.
 */
import type { FoundInRow } from './verdict.ts';

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

/** What is found of a type that is called otherwise here, or comes in though it is deleted. `users`: what are of it. */
export function findNameOf(
  found: FoundInRow,
  { name: was }: Pick<TypeRow, 'name'>,
  { name, isDeleted }: Pick<NamedType, 'name' | 'isDeleted'>,
  users: 'volumes' | 'groups',
): void {
  if (isDeleted)
    found.add(
      'type-deleted',
      `(${was}) is deleted, and ${users} are of it`,
      `it comes in as ${JSON.stringify(name)}, for nobody`,
    );
  else if (was === null) found.add('type-nameless', 'has no name', `it comes in as ${JSON.stringify(name)}`);
  else if (name !== was)
    found.add(
      'type-name-twice',
      `is called ${JSON.stringify(was)}, as another is`,
      `it comes in as ${JSON.stringify(name)}`,
    );
}
