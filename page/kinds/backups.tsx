/** Backups. */
import { ask } from '../ask.ts';
import { type Act, atRest, type Kind, nameOf } from '../kind.ts';
import { Id, Maybe, Status, Time } from '../small.tsx';

interface Backup {
  readonly id: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly status: string;
  /** GiB. */
  readonly size: number;
  readonly volume_id: string;
  readonly snapshot_id: string | null;
  readonly is_incremental: boolean;
  readonly has_dependent_backups: boolean;
  readonly container: string | null;
  readonly fail_reason: string | null;
  readonly created_at: string;
  readonly data_timestamp: string | null;
  readonly 'os-backup-project-attr:project_id'?: string;
}

const restore: Act<Backup> = {
  text: 'Restore',
  quota: ['volumes', 'gigabytes'],
  title: (backup) => `Restore ${nameOf(backup)}`,
  whyNot: atRest('available'),
  fields: [
    { name: 'volume_id', label: 'Into volume', hint: 'Its id; all that is in it is replaced. Empty: into a new one.' },
    { name: 'name', label: 'Name of the new one' },
  ],
  async send(typed, { id }) {
    const { restore: made } = await ask<{ readonly restore: { readonly volume_id: string } }>(
      'POST',
      `v3/backups/${id}/restore`,
      { restore: typed },
    );
    return { go: ['volumes', made.volume_id] };
  },
};

const remove: Act<Backup> = {
  text: 'Delete',
  danger: true,
  title: (backup) => `Delete ${nameOf(backup)}?`,
  about: () => 'It is gone for good, from the store too.',
  whyNot: (backup) =>
    backup.has_dependent_backups
      ? 'Others are increments of it: they must be deleted first.'
      : atRest('available', 'error')(backup),
  fields: [],
  async send(_typed, backup) {
    await ask('DELETE', `v3/backups/${backup.id}`);
    return { tell: `${nameOf(backup)} is being deleted.`, go: ['backups'] };
  },
};

export const backups: Kind<Backup> = {
  view: 'backups',
  title: 'Backups',
  word: ['backup', 'backups'],
  list: { path: 'v3/backups/detail', key: 'backups' },
  single: { path: (id) => `v3/backups/${id}`, key: 'backup' },
  statuses: ['available', 'creating', 'restoring', 'deleting', 'error'],
  hasNames: true,
  columns: [
    { text: 'Status', sort: 'status', cell: ({ status }) => <Status of={status} /> },
    { text: 'Size', sort: 'size', downFirst: true, number: true, cell: ({ size }) => `${size} GiB` },
    { text: 'Volume', cell: ({ volume_id: id }) => <Id view="volumes" id={id} /> },
    { text: 'Kind', cell: ({ is_incremental: isIncrement }) => (isIncrement ? 'increment' : 'full') },
    { text: 'Created', sort: 'created_at', downFirst: true, cell: ({ created_at: at }) => <Time at={at} /> },
  ],
  projectOf: (backup) => backup['os-backup-project-attr:project_id'],
  acts: [restore, remove],
  hasFlows: true,
  facts: (backup) => [
    ['Size', `${backup.size} GiB`],
    ['Volume', <Id key="volume" view="volumes" id={backup.volume_id} />],
    ['Kind', backup.is_incremental ? 'an increment' : 'full'],
    ['Container', <Maybe key="container" text={backup.container} />],
    ['Content of', <Time key="content" at={backup.data_timestamp} long />],
    ['Created', <Time key="created" at={backup.created_at} long />],
    ...(backup.fail_reason ? ([['Failed since', backup.fail_reason]] as const) : []),
    ...(backup.description ? ([['Description', backup.description]] as const) : []),
  ],
};
