/** Finds a resource by its id, the beginning of it, or its name. */
import type { Database } from '../../db/database.ts';
import { firstOf, LOOKED_FOR } from '../ambiguous.ts';
import { Complaint } from '../exit-codes.ts';
import { called, type ResourceKind, type ResourceRow } from './kind.ts';

/** Rejects with `Complaint` unless it is one. An id that is whole is never another's name. */
export async function findResource<Row extends ResourceRow>(
  kind: ResourceKind<Row>,
  database: Database,
  typed: string,
): Promise<Row> {
  // As a narrow table shows it.
  const id = typed.toLowerCase().replace(/…$/, '');
  const [exact] = await kind.list(database, { filters: [{ is: 'equal', field: 'id', value: id }] });
  if (exact !== undefined) return exact;
  const named = { is: 'equal', field: 'name', value: typed } as const;
  const begins = { is: 'starts-with', field: 'id', text: id } as const;
  const [one, ...others] = await kind.list(database, {
    filters: [{ is: 'any-of', filters: id === '' ? [named] : [named, begins] }],
    limit: LOOKED_FOR,
  });
  if (one === undefined)
    throw new Complaint(`There is no ${kind.word} that is called ${JSON.stringify(typed)} or whose id begins so.`);
  if (others.length === 0) return one;
  const meant = [one, ...others].map(called);
  throw new Complaint(`More than one ${kind.word} is called ${typed} or begins so: ${firstOf(meant)}.`);
}
