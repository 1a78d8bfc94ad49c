/** Groups of volumes. */
import { ask } from '../ask.ts';
import { type Act, atRest, type Kind, nameOf } from '../kind.ts';
import { Id, Maybe, Status, Time } from '../small.tsx';

interface Group {
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: string;
  readonly created_at: string;
  readonly group_type: string;
  readonly availability_zone: string | null;
  readonly volumes?: readonly string[];
  readonly project_id?: string | null;
}

const create: Act<undefined> = {
  text: 'Create group',
  button: 'Create',
  fields: [
    { name: 'name', label: 'Name' },
    { name: 'group_type', label: 'Type of the group', from: { path: 'v3/group_types', key: 'group_types' } },
    {
      name: 'volume_types',
      label: 'Type of its volumes',
      hint: 'Its backend must be good for it.',
      from: { path: 'v3/types', key: 'volume_types' },
    },
    { name: 'description', label: 'Description' },
  ],
  async send({ volume_types: type, ...typed }) {
    const group = { ...typed, volume_types: type === undefined ? [] : [type] };
    const made = await ask<{ readonly group: { readonly id: string } }>('POST', 'v3/groups', { group });
    return { go: ['groups', made.group.id] };
  },
};

const addVolume: Act<Group> = {
  text: 'Add volume',
  button: 'Add',
  title: (group) => `Add a volume to ${nameOf(group)}`,
  whyNot: atRest('available'),
  fields: [
    { name: 'add_volumes', label: 'Volume', hint: 'Its id. It must be on the same backend, of a type of the group.' },
  ],
  async send(typed, group) {
    await ask('PUT', `v3/groups/${group.id}`, { group: typed });
    return { tell: `${nameOf(group)} is being changed.` };
  },
};

const snapshot: Act<Group> = {
  text: 'Snapshot',
  title: (group) => `Snapshot all volumes of ${nameOf(group)}`,
  quota: ['snapshots', 'gigabytes'],
  whyNot: atRest('available'),
  fields: [{ name: 'name', label: 'Name' }],
  async send(typed, { id }) {
    await ask('POST', 'v3/group_snapshots', { group_snapshot: { ...typed, group_id: id } });
    return { go: ['group_snapshots'], tell: 'The volumes of the group are being snapshotted.' };
  },
};

const remove: Act<Group> = {
  text: 'Delete',
  danger: true,
  title: (group) => `Delete ${nameOf(group)}?`,
  whyNot: atRest('available', 'error'),
  fields: [
    {
      name: 'delete-volumes',
      label: 'Its volumes',
      options: [
        ['', 'must be gone already'],
        ['true', 'are deleted with it, for good'],
      ],
    },
  ],
  async send(typed, group) {
    const withVolumes = typed['delete-volumes'] === 'true';
    await ask('POST', `v3/groups/${group.id}/action`, { delete: { 'delete-volumes': withVolumes } });
    return { tell: `${nameOf(group)} is being deleted.`, go: ['groups'] };
  },
};

export const groups: Kind<Group> = {
  view: 'groups',
  title: 'Groups',
  word: ['group', 'groups'],
  list: { path: 'v3/groups/detail', key: 'groups' },
  single: { path: (id) => `v3/groups/${id}?list_volume=true`, key: 'group' },
  hasNames: true,
  columns: [
    { text: 'Status', sort: 'status', cell: ({ status }) => <Status of={status} /> },
    { text: 'Zone', cell: ({ availability_zone: zone }) => <Maybe text={zone} /> },
    { text: 'Created', sort: 'created_at', downFirst: true, cell: ({ created_at: at }) => <Time at={at} /> },
  ],
  projectOf: ({ project_id: id }) => id,
  starts: [create],
  acts: [snapshot, addVolume, remove],
  hasFlows: true,
  facts: (group) => [
    ['Zone', <Maybe key="zone" text={group.availability_zone} />],
    ['Created', <Time key="created" at={group.created_at} long />],
    ['Volumes', <Members key="volumes" ids={group.volumes ?? []} />],
    ...(group.description ? ([['Description', group.description]] as const) : []),
  ],
};

function Members({ ids }: { readonly ids: readonly string[] }) {
  if (ids.length === 0) return <Maybe text={null} />;
  return (
    <>
      {ids.map((id) => (
        <div key={id}>
          <Id view="volumes" id={id} />
        </div>
      ))}
    </>
  );
}
