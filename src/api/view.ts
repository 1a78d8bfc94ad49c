/**
 * Views: a row as clients see it, version by version.
 *
 * The fields of a view stand once, each with the version it is shown from on. What a client is shown is made from that list,
 * and so are the *bands*: the ranges of versions in which the view is the same, and a text that was made for one version is
 * right for another (`row-cache.ts`). A value is not told the version, so it cannot depend on it.
 */
import type { Db } from '../db/sql/db.ts';
import type { Links } from './links.ts';
import type { Microversion } from './microversion.ts';
import type { NameLookup } from './names.ts';
import type { Attributes } from './policy/attributes.ts';

/** A field that is undefined is left out. One that comes again in a list replaces the value, in the same place. */
export type Field<R, V> = readonly [since: Microversion, name: string, value: (row: R, viewer: V) => unknown];

/** A value for some viewers only. */
export const only = <T>(shown: boolean, value: T): T | undefined => (shown ? value : undefined);

interface Shown<R, V> {
  readonly name: string;
  /** `"name":` */
  readonly key: string;
  readonly value: Field<R, V>[2];
}

export class Fields<R, V> {
  /** The version at which each band begins, in order. */
  readonly #begins: readonly Microversion[];
  readonly #bands: readonly (readonly Shown<R, V>[])[];

  constructor(fields: readonly Field<R, V>[]) {
    this.#begins = [...new Set(fields.map(([since]) => since))].sort((a, b) => a - b);
    this.#bands = this.#begins.map((begin) => {
      const values = new Map(fields.flatMap(([since, name, value]) => (since <= begin ? [[name, value]] : [])));
      return [...values].map(([name, value]) => ({ name, key: `${JSON.stringify(name)}:`, value }));
    });
  }

  /** Versions of one band are shown the same. */
  band(version: Microversion): number {
    return this.#begins.findLastIndex((begin) => begin <= version);
  }

  /** Pure: the same row, viewer and band, the same object. */
  show(row: R, viewer: V, version: Microversion): Readonly<Record<string, unknown>> {
    const shown: Record<string, unknown> = {};
    for (const { name, value } of this.#bands[this.band(version)] ?? []) {
      const found = value(row, viewer);
      if (found !== undefined) shown[name] = found;
    }
    return shown;
  }

  /** What `show` gives, as JSON; as fast as an object that is written out, since one with so many keys is slow to make key by key. */
  text(row: R, viewer: V, version: Microversion): string {
    let text = '';
    for (const { key, value } of this.#bands[this.band(version)] ?? []) {
      const found = value(row, viewer);
      if (found === undefined) continue;
      text += text === '' ? key : `,${key}`;
      text += found === null || typeof found === 'boolean' ? found : JSON.stringify(found);
    }
    return `{${text}}`;
  }
}

/** What a value may know beside its row. */
export interface Viewer {
  readonly isAdmin: boolean;
  readonly attributes: Attributes;
  readonly links: Links;
  readonly names: NameLookup;
}

/** A view whose texts are kept. */
export class View<R extends { readonly id: string; readonly revision: number }> extends Fields<R, Viewer> {
  /** Unlike that of any other view. */
  readonly name: string;
  readonly load: (db: Db, ids: readonly string[]) => Promise<readonly R[]>;

  constructor(name: string, load: View<R>['load'], fields: readonly Field<R, Viewer>[]) {
    super(fields);
    this.name = name;
    this.load = load;
  }
}
