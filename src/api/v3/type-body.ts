/** Bodies and lists that volume types and group types have in common. */
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { CLOSED, LooseBoolean, Maybe, NotBlank255, Text255 } from '../body.ts';
import { readBoolean } from '../query.ts';

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
