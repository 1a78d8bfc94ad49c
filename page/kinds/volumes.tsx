/** Volumes. */
import { ask } from '../ask.ts';
import { type Act, atRest, type Kind, nameOf } from '../kind.ts';
import { Id, Maybe, Metadata, Status, Time } from '../small.tsx';
import type { Volume } from './volume.ts';
import { volumeMoves } from './volume-moves.ts';
import { create, snapshotActs } from './volume-sources.ts';

const pathOf = ({ id }: Volume): string => `v3/volumes/${id}`;

const extend: Act<Volume> = {
  text: 'Extend',
  quota: ['gigabytes'],
  title: (volume) => `Extend ${nameOf(volume)}`,
  whyNot: atRest('available', 'in-use'),
  fields: [{ name: 'new_size', label: 'New size, GiB', number: true, value: ({ size }) => String(size + 1) }],
  async send({ new_size: size }, volume) {
    await ask('POST', `${pathOf(volume)}/action`, { 'os-extend': { new_size: Number(size) } });
    return {};
  },
};

const rename: Act<Volume> = {
  text: 'Rename',
  title: (volume) => `Rename ${nameOf(volume)}`,
  fields: [
    { name: 'name', label: 'Name', value: ({ name }) => name ?? '' },
    { name: 'description', label: 'Description', value: ({ description }) => description ?? '' },
  ],
  async send({ name = '', description = '' }, volume) {
    await ask('PUT', pathOf(volume), { volume: { name, description } });
    return {};
  },
};

const remove: Act<Volume> = {
  text: 'Delete',
  danger: true,
  title: (volume) => `Delete ${nameOf(volume)}?`,
  about: ({ size }) => `Its ${size} GiB are gone for good. Snapshots of it must be deleted before.`,
  fields: [],
  async send(_typed, volume) {
    await ask('DELETE', pathOf(volume));
    return { tell: `${nameOf(volume)} is being deleted.`, go: ['volumes'] };
  },
};

export const volumes: Kind<Volume> = {
  view: 'volumes',
  title: 'Volumes',
  word: ['volume', 'volumes'],
  list: { path: 'v3/volumes/detail', key: 'volumes' },
  single: { path: (id) => `v3/volumes/${id}`, key: 'volume' },
  statuses: [
    'available',
    'in-use',
    'creating',
    'deleting',
    'extending',
    'attaching',
    'retyping',
    'error',
    'error_deleting',
    'error_extending',
  ],
  hasNames: true,
  columns: [
    { text: 'Status', sort: 'status', cell: ({ status }) => <Status of={status} /> },
    { text: 'Size', sort: 'size', downFirst: true, number: true, cell: ({ size }) => `${size} GiB` },
    { text: 'Type', cell: ({ volume_type: type }) => <Maybe text={type} /> },
    { text: 'Attached to', cell: (volume) => <Maybe text={attachedTo(volume)} /> },
    { text: 'Created', sort: 'created_at', downFirst: true, cell: ({ created_at: at }) => <Time at={at} /> },
  ],
  projectOf: (volume) => volume['os-vol-tenant-attr:tenant_id'],
  starts: [create, ...snapshotActs.starts],
  acts: [...snapshotActs.ofVolume, extend, ...volumeMoves, rename, remove],
  hasFlows: true,
  facts: (volume) => [
    ['Size', `${volume.size} GiB`],
    ['Type', <Maybe key="type" text={volume.volume_type} />],
    ['Made from', <Origin key="origin" volume={volume} />],
    ['Attached to', <Maybe key="attached" text={attachedTo(volume)} />],
    ['Created', <Time key="created" at={volume.created_at} long />],
    ['Changed', <Time key="changed" at={volume.updated_at} long />],
    ['Bootable', volume.bootable === 'true' ? 'yes' : 'no'],
    ['Zone', <Maybe key="zone" text={volume.availability_zone} />],
    ...(volume['os-vol-host-attr:host'] ? ([['Where', volume['os-vol-host-attr:host']]] as const) : []),
    ...(volume.group_id ? ([['In group', <Id key="group" view="groups" id={volume.group_id} />]] as const) : []),
    ...(volume.description ? ([['Description', volume.description]] as const) : []),
    ...(Object.keys(volume.metadata).length > 0
      ? ([['Metadata', <Metadata key="metadata" of={volume.metadata} />]] as const)
      : []),
  ],
};

const attachedTo = ({ attachments }: Volume): string =>
  attachments.map(({ server_id: server, host_name: host }) => server ?? host ?? 'somewhere').join(', ');

function Origin({ volume }: { readonly volume: Volume }) {
  const { snapshot_id: snapshot, source_volid: source, volume_image_metadata: image } = volume;
  if (source)
    return (
      <>
        volume <Id view="volumes" id={source} />
      </>
    );
  if (snapshot)
    return (
      <>
        snapshot <Id view="snapshots" id={snapshot} />
      </>
    );
  return <>{image ? `image ${image.image_name ?? image.image_id ?? ''}` : 'nothing: it began blank'}</>;
}
