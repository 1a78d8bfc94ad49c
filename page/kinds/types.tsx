/** Types of volumes, and what they ask of a backend. */
import { ask } from '../ask.ts';
import { type Act, type Kind, nameOf } from '../kind.ts';
import { Maybe, Metadata } from '../small.tsx';

interface VolumeType {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly is_public: boolean;
  readonly extra_specs?: Readonly<Record<string, string>>;
}

const create: Act<undefined> = {
  text: 'Create type',
  button: 'Create',
  fields: [
    { name: 'name', label: 'Name' },
    { name: 'description', label: 'Description' },
    { name: 'volume_backend_name', label: 'Backend', hint: 'Its name; empty: any of them.' },
  ],
  async send({ volume_backend_name: backend, ...typed }) {
    const specs = backend === undefined ? {} : { volume_backend_name: backend };
    const { volume_type: made } = await ask<{ readonly volume_type: VolumeType }>('POST', 'v3/types', {
      volume_type: { ...typed, extra_specs: specs },
    });
    return { go: ['types', made.id] };
  },
};

const remove: Act<VolumeType> = {
  text: 'Delete',
  danger: true,
  title: (type) => `Delete ${nameOf(type)}?`,
  about: () => 'No volume may be of it.',
  fields: [],
  async send(_typed, { id }) {
    await ask('DELETE', `v3/types/${id}`);
    return { go: ['types'] };
  },
};

export const types: Kind<VolumeType> = {
  view: 'types',
  title: 'Types',
  word: ['type', 'types'],
  list: { path: 'v3/types', key: 'volume_types' },
  single: { path: (id) => `v3/types/${id}`, key: 'volume_type' },
  hasNames: true,
  columns: [
    { text: 'For', cell: ({ is_public: isPublic }) => (isPublic ? 'everybody' : 'some projects') },
    { text: 'Description', cell: ({ description }) => <Maybe text={description} /> },
  ],
  starts: [create],
  acts: [remove],
  facts: (type) => [
    ['For', type.is_public ? 'everybody' : 'some projects'],
    ['Description', <Maybe key="description" text={type.description} />],
    ['Asks of a backend', <Metadata key="specs" of={type.extra_specs ?? {}} />],
  ],
};
