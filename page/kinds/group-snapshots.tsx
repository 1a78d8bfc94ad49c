/** Snapshots of groups: of all their volumes at once. */
import { ask } from '../ask.ts';
import { type Act, atRest, type Kind, nameOf } from '../kind.ts';
import { Id, Status, Time } from '../small.tsx';

interface GroupSnapshot {
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: string;
  readonly group_id: string;
  readonly created_at: string;
  readonly project_id?: string | null;
}

const createGroup: Act<GroupSnapshot> = {
  text: 'Make a group',
  button: 'Make',
  quota: ['volumes', 'gigabytes'],
  title: (snapshot) => `Make a group with what is in ${nameOf(snapshot)}`,
  whyNot: atRest('available'),
  fields: [{ name: 'name', label: 'Name' }],
  async send(typed, { id }) {
    const made = await ask<{ readonly group: { readonly id: string } }>('POST', 'v3/groups/action', {
      'create-from-src': { ...typed, group_snapshot_id: id },
    });
    return { go: ['groups', made.group.id] };
  },
};

const remove: Act<GroupSnapshot> = {
  text: 'Delete',
  danger: true,
  title: (snapshot) => `Delete ${nameOf(snapshot)}?`,
  about: () => 'The snapshots of all its volumes are gone for good. The volumes stay as they are.',
  whyNot: atRest('available', 'error'),
  fields: [],
  async send(_typed, snapshot) {
    await ask('DELETE', `v3/group_snapshots/${snapshot.id}`);
    return { tell: `${nameOf(snapshot)} is being deleted.`, go: ['group_snapshots'] };
  },
};

export const groupSnapshots: Kind<GroupSnapshot> = {
  view: 'group_snapshots',
  title: 'Group snapshots',
  word: ['group snapshot', 'group snapshots'],
  list: { path: 'v3/group_snapshots/detail', key: 'group_snapshots' },
  single: { path: (id) => `v3/group_snapshots/${id}`, key: 'group_snapshot' },
  statuses: ['available', 'creating', 'deleting', 'error'],
  hasNames: true,
  columns: [
    { text: 'Status', sort: 'status', cell: ({ status }) => <Status of={status} /> },
    { text: 'Group', cell: ({ group_id: id }) => <Id view="groups" id={id} /> },
    { text: 'Created', sort: 'created_at', downFirst: true, cell: ({ created_at: at }) => <Time at={at} /> },
  ],
  projectOf: ({ project_id: id }) => id,
  acts: [createGroup, remove],
  hasFlows: true,
  facts: (snapshot) => [
    ['Group', <Id key="group" view="groups" id={snapshot.group_id} />],
    ['Created', <Time key="created" at={snapshot.created_at} long />],
    ...(snapshot.description ? ([['Description', snapshot.description]] as const) : []),
  ],
};
