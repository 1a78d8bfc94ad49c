/**
 * The three ways to change an object of text: add to it, replace it, take a key away. The same for the metadata of volumes,
 * of snapshots and of images.
 */
import { MetadataKeyNotFound, PreconditionFailed } from '../model/errors.ts';
import type { Metadata } from '../model/volume.ts';

export type MetadataChange<Value extends string | null = string> =
  | { readonly is: 'merge'; readonly metadata: Entries<Value> }
  | { readonly is: 'replace'; readonly metadata: Entries<Value> }
  | { readonly is: 'remove'; readonly key: string };

type Entries<Value> = Readonly<Record<string, Value>>;

/** Whether the caller still has before its eyes what it changes. */
export type Unchanged = (current: Metadata) => boolean;

/** Rejects with `PreconditionFailed`, and with `MetadataKeyNotFound` for a key to be taken away that is not there. */
export function changedMetadata<Value extends string | null>(
  current: Entries<Value>,
  change: MetadataChange<Value>,
  unchanged?: (current: Entries<Value>) => boolean,
): Entries<Value> {
  if (unchanged?.(current) === false) throw new PreconditionFailed('The metadata has been changed by someone else.');
  switch (change.is) {
    case 'merge':
      return { ...current, ...change.metadata };
    case 'replace':
      return change.metadata;
    case 'remove': {
      const { [change.key]: removed, ...rest } = current;
      if (removed === undefined || !Object.hasOwn(current, change.key)) {
        throw new MetadataKeyNotFound(`Metadata has no item with key ${change.key}.`);
      }
      return rest;
    }
  }
}

/** What the change is called where it is told. */
export function verbOf(current: object, change: MetadataChange<string | null>): 'create' | 'update' | 'delete' {
  if (change.is === 'remove') return 'delete';
  return Object.keys(change.metadata).every((key) => Object.hasOwn(current, key)) ? 'update' : 'create';
}
