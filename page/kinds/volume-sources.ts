/** The ways in which a volume comes to be, and what is made of one. */
import { ask } from '../ask.ts';
import { type Act, atRest, type FieldSpec, nameOf, type Row, type Typed } from '../kind.ts';

/** What is no number goes as it was typed, so that the service says what is wrong with it. */
export const sizeIn = (text: string | undefined): number | string | null =>
  text === undefined ? null : /^\d+$/.test(text) ? Number(text) : text;

interface Made {
  readonly volume: { readonly id: string };
}

const TYPES = { path: 'v3/types', key: 'volume_types' } as const;
const TYPE: FieldSpec<unknown> = {
  name: 'volume_type',
  label: 'Type',
  options: [['', 'As is usual here']],
  from: TYPES,
};
const QUOTA = ['volumes', 'gigabytes'] as const;

async function make({ size, ...typed }: Typed, more: object = {}) {
  const { volume } = await ask<Made>('POST', 'v3/volumes', { volume: { ...typed, ...more, size: sizeIn(size) } });
  return { go: ['volumes', volume.id] };
}

export const create: Act<undefined> = {
  text: 'Create volume',
  button: 'Create',
  quota: QUOTA,
  fields: [
    { name: 'name', label: 'Name' },
    { name: 'size', label: 'Size, GiB', number: true, value: () => '1' },
    TYPE,
    {
      name: 'imageRef',
      label: 'Image',
      hint: 'Its id. Without one the volume begins blank.',
    },
    { name: 'description', label: 'Description' },
  ],
  send: (typed) => make(typed),
};

interface Sized extends Row {
  readonly size: number;
}

const sized = (least: string): readonly FieldSpec<Sized>[] => [
  { name: 'name', label: 'Name' },
  { name: 'size', label: 'Size, GiB', number: true, value: ({ size }) => String(size), hint: least },
];

/** A volume with the content of a snapshot. */
export const createFromSnapshot: Act<Sized> = {
  text: 'Create volume',
  button: 'Create',
  quota: QUOTA,
  title: (snapshot) => `Create a volume from ${nameOf(snapshot)}`,
  whyNot: atRest('available'),
  fields: [...sized('At least that of the snapshot.'), TYPE],
  send: (typed, { id }) => make(typed, { snapshot_id: id }),
};

const clone: Act<Sized> = {
  text: 'Clone',
  quota: QUOTA,
  title: (volume) => `Clone ${nameOf(volume)}`,
  whyNot: atRest('available', 'in-use'),
  fields: sized('At least that of the volume.'),
  send: (typed, { id }) => make(typed, { source_volid: id }),
};

const snapshot: Act<Sized> = {
  text: 'Snapshot',
  quota: ['snapshots', 'gigabytes'],
  title: (volume) => `Snapshot of ${nameOf(volume)}`,
  whyNot: atRest('available', 'in-use'),
  fields: [
    { name: 'name', label: 'Name' },
    { name: 'description', label: 'Description' },
  ],
  async send(typed, { id }) {
    const { snapshot } = await ask<{ readonly snapshot: { readonly id: string } }>('POST', 'v3/snapshots', {
      snapshot: { ...typed, volume_id: id },
    });
    return { go: ['snapshots', snapshot.id] };
  },
};

export const acceptTransfer: Act<undefined> = {
  text: 'Accept transfer',
  button: 'Accept',
  quota: QUOTA,
  fields: [
    { name: 'id', label: 'Transfer', hint: 'Its id.' },
    { name: 'auth_key', label: 'Key', hint: 'Whoever offers the volume was told it once.' },
  ],
  async send({ id = '', auth_key: key = '' }) {
    const path = `v3/volume-transfers/${encodeURIComponent(id)}/accept`;
    const { transfer } = await ask<{ readonly transfer: { readonly volume_id: string } }>('POST', path, {
      accept: { auth_key: key },
    });
    return { go: ['volumes', transfer.volume_id] };
  },
};

export const snapshotActs = { starts: [acceptTransfer], ofVolume: [snapshot, clone] } as const;
