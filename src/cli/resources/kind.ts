/** A kind of resource that people look at: volumes, snapshots, groups, backups. How each is listed, found and shown. */
import type { Database } from '../../db/database.ts';
import type { ListFilter, ListQuery } from '../../db/sql/list-query.ts';
import type { Json } from '../../lib/json.ts';
import type { TableColumn } from '../table.ts';

/** What all of them have. */
export interface ResourceRow {
  readonly id: string;
  readonly projectId: string;
  readonly name: string | null;
  readonly status: string;
  readonly createdAt: string;
}

/** What all of them are found by. */
export type ResourceField = 'id' | 'projectId' | 'name' | 'status' | 'host';

export interface ResourceKind<Row extends ResourceRow> {
  /** As in the resource of a flow: `volume` of `volume:ID`. */
  readonly word: string;
  readonly statuses: readonly string[];
  /** Newest first. */
  list(database: Database, query: ListQuery<ResourceField>): Promise<readonly Row[]>;
  count(database: Database, filters: readonly ListFilter<ResourceField>[]): Promise<number>;
  /** Columns of its own, and what stands in them. */
  readonly columns: readonly TableColumn[];
  cells(row: Row): readonly string[];
  /** Names and values for people; null is not shown. */
  details(database: Database, row: Row): Promise<readonly (readonly [name: string, value: string | null])[]>;
  /** For programs: the words of the API. */
  facts(row: Row): { readonly [key: string]: Json };
}

/** An id, with the name of what has one. */
export const called = ({ id, name }: Pick<ResourceRow, 'id' | 'name'>): string =>
  name === null ? id : `${id} (${name})`;
