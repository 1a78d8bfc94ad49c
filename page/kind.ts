/** A kind of resource as data: where its rows come from, what is shown of one, and what may be done with it. */
import type { ComponentChildren } from 'preact';
import type { Place } from './places.ts';

export interface Row {
  readonly id: string;
  readonly name?: string | null;
  readonly status?: string;
}

export interface Column<R extends Row> {
  readonly text: string;
  /** What the API calls it, where a list can be sorted by it. */
  readonly sort?: string;
  readonly downFirst?: true;
  readonly number?: true;
  cell(row: R): ComponentChildren;
}

export interface FieldSpec<R> {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly number?: true;
  value?(row: R): string;
  /** To choose from. */
  readonly options?: readonly (readonly [value: string, text: string])[];
  /** To choose from: the names in a list of the API, after `options`. */
  readonly from?: { readonly path: string; readonly key: string };
}

export type Typed = Readonly<Record<string, string>>;

/** What is done when the service has taken it. */
export interface Done {
  readonly go?: readonly string[];
  readonly tell?: string;
  /** Shown once, where the form was: a key, a connection. */
  readonly shown?: { readonly text: string; readonly facts: readonly (readonly [string, string])[] };
}

/** `R` is undefined for what begins with nothing. */
export interface Act<R> {
  readonly text: string;
  readonly button?: string;
  readonly danger?: true;
  readonly fields: readonly FieldSpec<R>[];
  readonly quota?: readonly string[];
  title?(row: R): string;
  about?(row: R): string;
  /** Why it cannot be done now; undefined when it can. The service decides all the same. */
  whyNot?(row: R): string | undefined;
  send(typed: Typed, row: R): Promise<Done>;
}

export interface Kind<R extends Row> {
  /** The first part of its place. */
  readonly view: string;
  readonly title: string;
  readonly word: readonly [one: string, many: string];
  /** Of the API, below `v3`; and of its answers. */
  readonly list: { readonly path: string; readonly key: string };
  readonly single: { path(id: string): string /** Null: it is the answer itself. */; readonly key: string | null };
  /** The query of a list, from that of the page's address. Default: Cinder's. */
  query?(query: Place['query']): string;
  /** What a list may be searched by. */
  readonly statuses?: readonly string[];
  readonly hasNames: boolean;
  /** Default: its name. */
  nameOf?(row: R): string;
  readonly columns: readonly Column<R>[];
  readonly starts?: readonly Act<undefined>[];
  readonly acts: readonly Act<R>[];
  facts(row: R): readonly (readonly [name: string, shown: ComponentChildren])[];
  /** Below the facts. */
  more?(row: R): ComponentChildren;
  /** Whether flows work on it: then its page has a time line. */
  readonly hasFlows?: true;
  projectOf?(row: R): string | null | undefined;
}

/** The name that somebody gave, else the beginning of the id. */
export const nameOf = ({ id, name }: Row): string => name || id.slice(0, 8);

/** For whatever is done with something at rest only. */
export const atRest =
  (...statuses: readonly string[]) =>
  ({ status = '' }: Row): string | undefined =>
    statuses.includes(status) ? undefined : `Not while it is ${status}: it must be ${statuses.join(' or ')}.`;
