/** Transfers: volumes that are offered to other projects. Whoever has the key may take one, which is then no transfer any more. */
import { ask } from '../ask.ts';
import { type Act, type Kind, nameOf } from '../kind.ts';
import { Id, Time } from '../small.tsx';
import { acceptTransfer } from './volume-sources.ts';

interface Transfer {
  readonly id: string;
  readonly name: string | null;
  readonly volume_id: string;
  readonly created_at: string;
  readonly no_snapshots: boolean;
  readonly source_project_id?: string | null;
}

const remove: Act<Transfer> = {
  text: 'Withdraw',
  danger: true,
  title: (transfer) => `Withdraw ${nameOf(transfer)}?`,
  about: () => 'The volume stays here, and the key is good for nothing any more.',
  fields: [],
  async send(_typed, transfer) {
    await ask('DELETE', `v3/volume-transfers/${transfer.id}`);
    return { tell: `${nameOf(transfer)} is withdrawn.`, go: ['transfers'] };
  },
};

export const transfers: Kind<Transfer> = {
  view: 'transfers',
  title: 'Transfers',
  word: ['transfer', 'transfers'],
  list: { path: 'v3/volume-transfers/detail', key: 'transfers' },
  single: { path: (id) => `v3/volume-transfers/${id}`, key: 'transfer' },
  hasNames: true,
  columns: [
    { text: 'Volume', cell: ({ volume_id: id }) => <Id view="volumes" id={id} /> },
    { text: 'Created', sort: 'created_at', downFirst: true, cell: ({ created_at: at }) => <Time at={at} /> },
  ],
  projectOf: ({ source_project_id: id }) => id,
  starts: [acceptTransfer],
  acts: [remove],
  facts: (transfer) => [
    ['Volume', <Id key="volume" view="volumes" id={transfer.volume_id} />],
    ['Snapshots', transfer.no_snapshots ? 'stay here' : 'go with it'],
    ['Created', <Time key="created" at={transfer.created_at} long />],
  ],
};
