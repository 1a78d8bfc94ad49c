/** Snapshots. */
import { ask } from '../ask.ts';
import { type Act, atRest, type Kind, nameOf } from '../kind.ts';
import { Id, Maybe, Status, Time } from '../small.tsx';
import { createFromSnapshot } from './volume-sources.ts';

interface Snapshot {
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: string;
  /** GiB. */
  readonly size: number;
  readonly volume_id: string;
  readonly created_at: string;
  readonly group_snapshot_id: string | null;
  readonly 'os-extended-snapshot-attributes:progress'?: string;
  readonly 'os-extended-snapshot-attributes:project_id'?: string;
}

const remove: Act<Snapshot> = {
  text: 'Delete',
  danger: true,
  title: (snapshot) => `Delete ${nameOf(snapshot)}?`,
  about: () => 'What was then is gone for good. The volume stays as it is.',
  whyNot: atRest('available', 'error', 'error_deleting'),
  fields: [],
  async send(_typed, snapshot) {
    await ask('DELETE', `v3/snapshots/${snapshot.id}`);
    return { tell: `${nameOf(snapshot)} is being deleted.`, go: ['snapshots'] };
  },
};

const revert: Act<Snapshot> = {
  text: 'Revert volume',
  danger: true,
  title: (snapshot) => `Revert the volume to ${nameOf(snapshot)}?`,
  about: () =>
    'What was written since is gone for good. Only the newest snapshot will do, of a volume that nobody uses.',
  whyNot: atRest('available'),
  fields: [],
  async send(_typed, { id, volume_id: volume }) {
    await ask('POST', `v3/volumes/${volume}/action`, { revert: { snapshot_id: id } });
    return { go: ['volumes', volume] };
  },
};

export const snapshots: Kind<Snapshot> = {
  view: 'snapshots',
  title: 'Snapshots',
  word: ['snapshot', 'snapshots'],
  list: { path: 'v3/snapshots/detail', key: 'snapshots' },
  single: { path: (id) => `v3/snapshots/${id}`, key: 'snapshot' },
  statuses: ['available', 'creating', 'deleting', 'error', 'error_deleting'],
  hasNames: true,
  columns: [
    { text: 'Status', sort: 'status', cell: ({ status }) => <Status of={status} /> },
    { text: 'Size', sort: 'size', downFirst: true, number: true, cell: ({ size }) => `${size} GiB` },
    { text: 'Volume', cell: ({ volume_id: id }) => <Id view="volumes" id={id} /> },
    { text: 'Created', sort: 'created_at', downFirst: true, cell: ({ created_at: at }) => <Time at={at} /> },
  ],
  projectOf: (snapshot) => snapshot['os-extended-snapshot-attributes:project_id'],
  acts: [createFromSnapshot, revert, remove],
  hasFlows: true,
  facts: (snapshot) => [
    ['Size', `${snapshot.size} GiB`],
    ['Volume', <Id key="volume" view="volumes" id={snapshot.volume_id} />],
    ['Progress', <Maybe key="progress" text={snapshot['os-extended-snapshot-attributes:progress']} />],
    ['Created', <Time key="created" at={snapshot.created_at} long />],
    ...(snapshot.description ? ([['Description', snapshot.description]] as const) : []),
  ],
};
