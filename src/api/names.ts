/**
 * Look-up tables of names for views: a type by its id, a service by its host. The rows that hold them have no revision of their
 * own, so each state of the names is a *generation*, which is part of the key of the row cache: when a type is
 * renamed, in this process or another, the next list reads other names and finds no entry that was made with the old.
 */
import type { ViewNames } from '../db/view-names.ts';

export interface NameLookup {
  readonly generation: number;
  typeName(id: string): string | undefined;
  serviceId(host: string): string | undefined;
}

export class KnownNames {
  #text: ViewNames | undefined;
  #names: NameLookup | undefined;
  #generation = 0;

  /** The names in a text just read. */
  at(text: ViewNames): NameLookup {
    if (this.#names !== undefined && this.#text?.types === text.types && this.#text.services === text.services) {
      return this.#names;
    }
    this.#generation += 1;
    const types = mapOf(text.types);
    const services = mapOf(text.services);
    this.#text = text;
    this.#names = {
      generation: this.#generation,
      typeName: (id) => types.get(id),
      serviceId: (host) => services.get(host),
    };
    return this.#names;
  }
}

const mapOf = (json: string): ReadonlyMap<string, string> => new Map(Object.entries(JSON.parse(json)));
