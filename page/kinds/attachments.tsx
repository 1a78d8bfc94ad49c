/** Attachments: volumes that are open to somebody. */
import { ask } from '../ask.ts';
import type { Act, Kind } from '../kind.ts';
import { Id, Maybe, Metadata, Status, Time } from '../small.tsx';

interface Attachment {
  readonly id: string;
  readonly status: string;
  readonly instance: string | null;
  readonly volume_id: string;
  readonly attached_at: string;
  readonly attach_mode: string | null;
  readonly connection_info: Readonly<Record<string, unknown>>;
}

const detach: Act<Attachment> = {
  text: 'Detach',
  danger: true,
  title: () => 'Detach the volume?',
  about: () => 'Whoever still writes to it is cut off: what its host has not written yet is lost.',
  fields: [],
  async send(_typed, { id, volume_id: volume }) {
    await ask('DELETE', `v3/attachments/${id}`);
    return { go: ['volumes', volume] };
  },
};

/** What opens the volume is for programs, and not left on a screen. */
const SECRET = /password|secret/;

export const attachments: Kind<Attachment> = {
  view: 'attachments',
  title: 'Attachments',
  word: ['attachment', 'attachments'],
  list: { path: 'v3/attachments/detail', key: 'attachments' },
  single: { path: (id) => `v3/attachments/${id}`, key: 'attachment' },
  statuses: ['attached', 'attaching', 'detaching', 'reserved', 'error_attaching', 'error_detaching'],
  hasNames: false,
  columns: [
    { text: 'Status', cell: ({ status }) => <Status of={status} /> },
    { text: 'Volume', cell: ({ volume_id: id }) => <Id view="volumes" id={id} /> },
    { text: 'Server', cell: ({ instance }) => <Maybe text={instance} /> },
    { text: 'Attached', cell: ({ attached_at: at }) => <Time at={at} /> },
  ],
  acts: [detach],
  hasFlows: true,
  facts: (attachment) => [
    ['Volume', <Id key="volume" view="volumes" id={attachment.volume_id} />],
    ['Server', <Maybe key="server" text={attachment.instance} />],
    ['Mode', <Maybe key="mode" text={attachment.attach_mode} />],
    ['Attached', <Time key="attached" at={attachment.attached_at} long />],
    ['Connection', <Metadata key="connection" of={connectionIn(attachment)} />],
  ],
};

const connectionIn = ({ connection_info: info }: Attachment): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(info)
      .filter(([name]) => !SECRET.test(name))
      .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
