/** What takes a volume elsewhere: another type, an image, a backup, another project, a server. */
import { ask } from '../ask.ts';
import { type Act, atRest, nameOf } from '../kind.ts';
import type { Volume } from './volume.ts';

const act = (volume: Volume, body: object): Promise<unknown> => ask('POST', `v3/volumes/${volume.id}/action`, body);

const retype: Act<Volume> = {
  text: 'Change type',
  button: 'Change',
  title: (volume) => `Change the type of ${nameOf(volume)}`,
  whyNot: atRest('available', 'in-use'),
  fields: [
    { name: 'new_type', label: 'New type', from: { path: 'v3/types', key: 'volume_types' } },
    {
      name: 'migration_policy',
      label: 'Where it may not stay',
      options: [
        ['never', 'Refuse'],
        ['on-demand', 'Move it to another backend'],
      ],
    },
  ],
  async send(typed, volume) {
    await act(volume, { 'os-retype': typed });
    return {};
  },
};

const upload: Act<Volume> = {
  text: 'Upload',
  title: (volume) => `Upload ${nameOf(volume)} as an image`,
  whyNot: atRest('available', 'in-use'),
  fields: [
    { name: 'image_name', label: 'Name of the image', value: (volume) => nameOf(volume) },
    { name: 'disk_format', label: 'Format', options: ['raw', 'qcow2', 'vmdk', 'vdi'].map((name) => [name, name]) },
    {
      name: 'force',
      label: 'While it is attached',
      options: [
        ['', 'Refuse'],
        ['true', 'Upload what is there'],
      ],
    },
  ],
  async send({ force, ...typed }, volume) {
    await act(volume, { 'os-volume_upload_image': { ...typed, ...(force && { force: true }) } });
    return { tell: `${nameOf(volume)} is being uploaded.` };
  },
};

const backUp: Act<Volume> = {
  text: 'Back up',
  quota: ['backups', 'backup_gigabytes'],
  title: (volume) => `Back up ${nameOf(volume)}`,
  whyNot: atRest('available', 'in-use'),
  fields: [
    { name: 'name', label: 'Name' },
    {
      name: 'incremental',
      label: 'How much',
      options: [
        ['', 'All of it'],
        ['true', 'What has changed since the last'],
      ],
    },
  ],
  async send({ incremental, ...typed }, { id, status }) {
    const backup = { ...typed, volume_id: id, incremental: incremental === 'true', force: status === 'in-use' };
    const made = await ask<{ readonly backup: { readonly id: string } }>('POST', 'v3/backups', { backup });
    return { go: ['backups', made.backup.id] };
  },
};

const transfer: Act<Volume> = {
  text: 'Transfer',
  button: 'Offer',
  title: (volume) => `Offer ${nameOf(volume)} to another project`,
  about: () => 'Whoever has the id and the key may take it.',
  whyNot: atRest('available'),
  fields: [{ name: 'name', label: 'Name of the offer' }],
  async send(typed, { id }) {
    const { transfer: made } = await ask<{ readonly transfer: { readonly id: string; readonly auth_key: string } }>(
      'POST',
      'v3/volume-transfers',
      { transfer: { ...typed, volume_id: id } },
    );
    return {
      shown: {
        text: 'Give these two to the other project. The key is shown only now.',
        facts: [
          ['Transfer', made.id],
          ['Key', made.auth_key],
        ],
      },
    };
  },
};

const attach: Act<Volume> = {
  text: 'Attach',
  title: (volume) => `Attach ${nameOf(volume)}`,
  about: () => 'Opens the volume to a host and says how it is reached. Computing services do this by themselves.',
  whyNot: atRest('available'),
  fields: [
    { name: 'host', label: 'Host', hint: 'The name of the host that opens it.' },
    { name: 'initiator', label: 'Initiator', hint: 'Its iSCSI name; empty on the same machine.' },
    {
      name: 'mode',
      label: 'For',
      options: [
        ['rw', 'reading and writing'],
        ['ro', 'reading'],
      ],
    },
  ],
  async send({ mode, ...connector }, { id }) {
    interface Attached {
      readonly attachment: { readonly id: string; readonly connection_info: Readonly<Record<string, unknown>> };
    }
    const { attachment } = await ask<Attached>('POST', 'v3/attachments', {
      attachment: { volume_uuid: id, mode, connector },
    });
    await ask('POST', `v3/attachments/${attachment.id}/action`, { 'os-complete': {} });
    const facts = Object.entries(attachment.connection_info).map(([name, value]) => [name, textOf(value)] as const);
    return { shown: { text: 'The volume is open. This is how it is reached:', facts } };
  },
};

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

export const volumeMoves = [retype, upload, backUp, transfer, attach] as const;
