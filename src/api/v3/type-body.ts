/** What types of volumes and types of groups have in common in their bodies and lists. */
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { CLOSED, LooseBoolean, Maybe, MetadataKey, NotBlank255, Nullable, Text255 } from '../body.ts';
import { readBoolean } from '../query.ts';

/** Specs of a type that is made; a null is none. */
export const SpecsWish = Maybe(Type.Record(MetadataKey, Nullable(Text255), CLOSED));

export function specsIn(wish: Readonly<Record<string, string | null>> | null | undefined): Record<string, string> {
  const specs = Object.entries(wish ?? {});
  return Object.fromEntries(specs.filter((entry): entry is [string, string] => entry[1] !== null));
}

export const TypeUpdate = Type.Object(
  { name: Maybe(NotBlank255), description: Maybe(Text255), is_public: Maybe(LooseBoolean) },
  CLOSED,
);

export interface TypePatch {
  readonly name?: string;
  readonly description?: string;
  readonly isPublic?: boolean;
}

interface Update {
  readonly name?: string | null;
  readonly description?: string | null;
  readonly is_public?: boolean | string | null;
}

/** Rejects with `InvalidInput` when nothing would change. */
export function typePatch({ name, description, is_public: isPublic }: Update): TypePatch {
  const patch: TypePatch = {
    ...(name != null && { name: name.trim() }),
    ...(description != null && { description: description.trim() }),
    ...(isPublic != null && { isPublic: readBoolean(isPublic, 'is_public') }),
  };
  if (Object.keys(patch).length === 0)
    throw new InvalidInput('Specify the name, the description, is_public or a combination of them.');
  return patch;
}

export const TYPE_SORT_KEYS = {
  id: 'id',
  name: 'name',
  description: 'description',
  is_public: 'isPublic',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
} as const;
