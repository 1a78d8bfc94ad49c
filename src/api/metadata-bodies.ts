/**
 * Objects of text that clients write: which keys each kind may have, and how long a value may be. Cinder's schemas, in
 * `cinder/api/validation/parameter_types.py` and `cinder/api/schemas`. The kinds differ, so none is another's.
 */
import { type TSchema, Type } from '../lib/schema.ts';
import { InvalidInput } from '../model/errors.ts';
import { CLOSED, Maybe, Nullable, Text255 } from './body.ts';
import { LONG_TEXT } from './long-text.ts';

/** Letters, digits, and some signs that people separate words with. */
export const METADATA_KEY = '^[a-zA-Z0-9\\-_:. /]{1,255}$';
/** Without blanks and slashes: a key stands in a URL. */
const SPEC_KEY = '^[a-zA-Z0-9\\-_:.]{1,255}$';

const all = <S extends TSchema>(pattern: string, value: S) => Type.Record(Type.String({ pattern }), value, CLOSED);
const one = <S extends TSchema>(pattern: string, value: S) =>
  Type.Record(Type.String({ pattern }), value, { ...CLOSED, minProperties: 1, maxProperties: 1 });

/** Metadata of volumes and of snapshots. */
export const MetadataBody = all(METADATA_KEY, Text255);
/** One key of it. */
export const MetadataItem = one(METADATA_KEY, Text255);

/** What a volume remembers of its image; a client may write back what it has read. Cinder bug 1988942. */
export const ImageMetadataBody = all(METADATA_KEY, Type.String({ format: LONG_TEXT, maxLength: 65_535 }));

/** Extra specs of a volume type, group specs of a group type. Cinder bug 1588798 is about null. */
export const SpecsBody = all(SPEC_KEY, Nullable(Text255));
export const SpecsItem = one(SPEC_KEY, Nullable(Text255));

/** The same of a type that is only being made: Cinder looks less closely at the keys, and of a group type at null. */
export const NewTypeSpecs = Maybe(all(METADATA_KEY, Nullable(Text255)));
export const NewGroupTypeSpecs = Maybe(all(METADATA_KEY, Text255));

/** Specs of quality of service; beside them in the body are their name and consumer. */
export const QosSpecsBody = Type.Record(Type.String({ pattern: METADATA_KEY }), Nullable(Text255), {
  ...CLOSED,
  minProperties: 1,
});

/** Rejects with `InvalidInput` when a body that is one key with its value has another key than the URL. */
export function checkItemKey(item: object, key: string): void {
  if (!Object.hasOwn(item, key)) throw new InvalidInput('The key in the body is not the one in the URL.');
}
