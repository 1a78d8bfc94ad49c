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

const snapshot: Act<Group> = {
  text: 'Snapshot',
  title: (group) => `Snapshot all volumes of ${nameOf(group)}`,
  quota: ['snapshots', 'gigabytes'],
  whyNot: atRest('available'),
  fields: [{ name: 'name', label: 'Name' }],
  async send(typed, { id }) {
    await ask('POST', 'v3/group_snapshots', { group_snapshot: { ...typed, group_id: id } });
    return { go: ['snapshots'], tell: 'The volumes of the group are being snapshotted.' };
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
  acts: [snapshot, remove],
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
