/**
 * What is refused since something else is in the way: which of it is a conflict (409) and which a wrong request (400) for
 * Cinder, and so for its clients. Nova tells the two apart: of a conflict it says so, a wrong request it does not repeat.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertAttachment } from '../../src/db/attachments.ts';
import { updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import * as errors from '../../src/model/errors.ts';
import type { VolumeStatus } from '../../src/model/status.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const LATEST = '3.71';
const LUKS = { provider: 'luks', control_location: 'front-end' };
const CONNECTOR = { host: 'h', initiator: 'iqn.1993-08.org.debian:01:a' };

interface Case {
  readonly of: string;
  readonly status: 400 | 409;
  /** Of a 409: its name in the catalogue of errors. */
  readonly error?: keyof typeof errors;
  ask(world: World): Promise<Answer>;
}

const send = (world: World, method: string, path: string, body?: object): Promise<Answer> =>
  world.ask(method, path, { version: LATEST, ...(body && { body }) });

async function made(world: World, path: string, body: object): Promise<string> {
  const answer = await send(world, 'POST', path, body);
  assert.ok(answer.status < 300, answer.text);
  return (Object.values(answer.body)[0] as { readonly id: string }).id;
}

const type = (world: World, name: string, more: object = {}) =>
  made(world, '/types', { volume_type: { name, ...more } });
const groupType = (world: World, name: string) => made(world, '/group_types', { group_type: { name } });
const qosSpecs = (world: World, name: string) => made(world, '/qos-specs', { qos_specs: { name } });

async function usedType(world: World): Promise<string> {
  const volumeTypeId = await type(world, 'used');
  await world.volume({ volumeTypeId });
  return volumeTypeId;
}

/** A reservation of a server's, of a volume that has come to this status. */
async function reserved(world: World, status: VolumeStatus): Promise<{ volume: string; attachment: string }> {
  const { id: volume } = await world.volume({ host: 'node@file#file' });
  const attachment = await made(world, '/attachments', {
    attachment: { volume_uuid: volume, instance_uuid: uuid() },
  });
  await world.service.db.write((tx) => updateVolume(tx, volume, { status }));
  return { volume, attachment };
}

/** Attached to a server. */
async function used(world: World): Promise<{ volume: string; attachment: string }> {
  const { id: volume } = await world.volume({ host: 'node@file#file', status: 'in-use', attachStatus: 'attached' });
  const { id: attachment } = await world.service.db.write((tx) =>
    insertAttachment(tx, {
      id: uuid(),
      projectId: PROJECT,
      volumeId: volume,
      instanceId: uuid(),
      attachMode: 'rw',
      attachStatus: 'attached',
      connector: CONNECTOR,
    }),
  );
  return { volume, attachment };
}

const act = async (world: World, volume: string, action: string, value: object = {}) =>
  send(world, 'POST', `/volumes/${volume}/action`, { [action]: value });

const ERRORS: readonly VolumeStatus[] = ['error', 'error_extending', 'error_restoring', 'error_deleting'];

const CASES: readonly Case[] = [
  ...ERRORS.map(
    (status): Case => ({
      of: `an attachment is updated while the volume is ${status}`,
      status: 409,
      error: 'VolumeInError',
      ask: async (world) => {
        const { attachment } = await reserved(world, status);
        return send(world, 'PUT', `/attachments/${attachment}`, { attachment: { connector: CONNECTOR } });
      },
    }),
  ),
  ...ERRORS.map(
    (status): Case => ({
      of: `an attachment is made while the volume is ${status}`,
      status: 400,
      ask: async (world) => {
        const { volume } = await reserved(world, status);
        return send(world, 'POST', '/attachments', { attachment: { volume_uuid: volume, instance_uuid: uuid() } });
      },
    }),
  ),
  {
    of: 'an attachment is updated while the volume is maintained',
    status: 400,
    ask: async (world) => {
      const { attachment } = await reserved(world, 'maintenance');
      return send(world, 'PUT', `/attachments/${attachment}`, { attachment: { connector: CONNECTOR } });
    },
  },
  {
    of: 'an attachment is made of a volume that another server has',
    status: 400,
    ask: async (world) => {
      const { volume } = await used(world);
      return send(world, 'POST', '/attachments', { attachment: { volume_uuid: volume, instance_uuid: uuid() } });
    },
  },
  {
    of: 'an attachment that is attached is connected to another host',
    status: 400,
    ask: async (world) => {
      const { attachment } = await used(world);
      return send(world, 'PUT', `/attachments/${attachment}`, { attachment: { connector: { host: 'other' } } });
    },
  },
  {
    of: 'an attachment that a server uses is deleted',
    status: 409,
    error: 'ServerUsesAttachment',
    ask: async (world) => send(world, 'DELETE', `/attachments/${(await used(world)).attachment}`),
  },
  ...['os-detach', 'os-force_detach', 'os-terminate_connection'].map(
    (action): Case => ({
      of: `${action} of a volume that a server uses`,
      status: 409,
      error: 'ServerUsesAttachment',
      ask: async (world) =>
        act(world, (await used(world)).volume, action, action === 'os-terminate_connection' ? { connector: {} } : {}),
    }),
  ),
  {
    of: 'a volume that is attached is deleted',
    status: 400,
    ask: async (world) => send(world, 'DELETE', `/volumes/${(await used(world)).volume}`),
  },
  {
    of: 'a volume with snapshots is deleted',
    status: 400,
    ask: async (world) => {
      const volume = await world.volume({ host: 'node@file#file' });
      await world.snapshot(volume);
      return send(world, 'DELETE', `/volumes/${volume.id}`);
    },
  },
  {
    of: 'a volume that is attached is transferred',
    status: 400,
    ask: async (world) =>
      send(world, 'POST', '/volume-transfers', { transfer: { volume_id: (await used(world)).volume } }),
  },
  {
    of: 'a volume that is transferred already is transferred',
    status: 400,
    ask: async (world) => {
      const { id } = await world.volume({ host: 'node@file#file' });
      const transfer = { transfer: { volume_id: id } };
      await made(world, '/volume-transfers', transfer);
      return send(world, 'POST', '/volume-transfers', transfer);
    },
  },
  {
    of: 'a transfer is accepted of a volume that does not await it any more',
    status: 400,
    ask: async (world) => {
      const { id } = await world.volume({ host: 'node@file#file' });
      const { transfer } = (await send(world, 'POST', '/volume-transfers', { transfer: { volume_id: id } })).body;
      await world.service.db.write((tx) => updateVolume(tx, id, { status: 'available' }));
      const accept = { accept: { auth_key: transfer.auth_key } };
      return send(world, 'POST', `/volume-transfers/${transfer.id}/accept`, accept);
    },
  },
  {
    of: 'a volume type is made with a name that is taken',
    status: 409,
    error: 'VolumeTypeExists',
    ask: async (world) => {
      await type(world, 'a');
      return send(world, 'POST', '/types', { volume_type: { name: 'a' } });
    },
  },
  {
    of: 'a volume type is renamed to one that is taken',
    status: 409,
    error: 'VolumeTypeExists',
    ask: async (world) => {
      await type(world, 'a');
      return send(world, 'PUT', `/types/${await type(world, 'b')}`, { volume_type: { name: 'a' } });
    },
  },
  {
    of: 'a volume type is deleted that volumes are of',
    status: 400,
    ask: async (world) => send(world, 'DELETE', `/types/${await usedType(world)}`),
  },
  {
    of: 'a volume type of volumes is given extra specs',
    status: 400,
    ask: async (world) =>
      send(world, 'POST', `/types/${await usedType(world)}/extra_specs`, { extra_specs: { a: 'b' } }),
  },
  {
    of: 'a volume type of volumes is encrypted',
    status: 400,
    ask: async (world) => send(world, 'POST', `/types/${await usedType(world)}/encryption`, { encryption: LUKS }),
  },
  {
    of: 'a volume type that is encrypted is encrypted',
    status: 400,
    ask: async (world) => {
      const path = `/types/${await type(world, 'sealed')}/encryption`;
      await send(world, 'POST', path, { encryption: LUKS });
      return send(world, 'POST', path, { encryption: LUKS });
    },
  },
  {
    of: 'a project is given access to a volume type twice',
    status: 409,
    error: 'Conflict',
    ask: async (world) => {
      const id = await type(world, 'private', { 'os-volume-type-access:is_public': false });
      const body = { addProjectAccess: { project: PROJECT } };
      await send(world, 'POST', `/types/${id}/action`, body);
      return send(world, 'POST', `/types/${id}/action`, body);
    },
  },
  {
    of: 'a project is given access to a volume type that is public',
    status: 400,
    ask: async (world) =>
      send(world, 'POST', `/types/${await type(world, 'public')}/action`, { addProjectAccess: { project: PROJECT } }),
  },
  {
    of: 'a group type is made with a name that is taken',
    status: 409,
    error: 'GroupTypeExists',
    ask: async (world) => {
      await groupType(world, 'a');
      return send(world, 'POST', '/group_types', { group_type: { name: 'a' } });
    },
  },
  {
    of: 'a group type is renamed to one that is taken',
    status: 409,
    error: 'GroupTypeExists',
    ask: async (world) => {
      await groupType(world, 'a');
      return send(world, 'PUT', `/group_types/${await groupType(world, 'b')}`, { group_type: { name: 'a' } });
    },
  },
  {
    of: 'QoS specs are made with a name that is taken',
    status: 409,
    error: 'QosSpecsExist',
    ask: async (world) => {
      await qosSpecs(world, 'a');
      return send(world, 'POST', '/qos-specs', { qos_specs: { name: 'a' } });
    },
  },
  {
    of: 'QoS specs are deleted that volume types have',
    status: 400,
    ask: async (world) => {
      const id = await qosSpecs(world, 'a');
      await send(world, 'GET', `/qos-specs/${id}/associate?vol_type_id=${await type(world, 'a')}`);
      return send(world, 'DELETE', `/qos-specs/${id}`);
    },
  },
  {
    of: 'QoS specs are given to a volume type that has others',
    status: 400,
    ask: async (world) => {
      const [one, other, typeId] = [await qosSpecs(world, 'a'), await qosSpecs(world, 'b'), await type(world, 'a')];
      await send(world, 'GET', `/qos-specs/${one}/associate?vol_type_id=${typeId}`);
      return send(world, 'GET', `/qos-specs/${other}/associate?vol_type_id=${typeId}`);
    },
  },
  {
    of: 'a flow is to be resumed that is not stuck',
    status: 409,
    error: 'FlowConflict',
    ask: async (world) => {
      const id = await beginFlow(world.service.db, 'volume:v');
      return send(world, 'POST', `//pumice/v1/flows/${id}/action`, { resume: {} });
    },
  },
];

describe('a request that something is in the way of', () => {
  for (const { of, status, ask } of CASES) {
    it(`is ${status === 409 ? 'a conflict' : 'a wrong request'} when ${of}`, async (context) => {
      const answer = await ask(await freshWorld(context));
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.body[status === 409 ? 'conflictingRequest' : 'badRequest']?.code, status, answer.text);
    });
  }

  it('is here, for each conflict that there is', () => {
    const conflicts = Object.entries(errors)
      .filter(([, made]) => made === errors.Conflict || made.prototype instanceof errors.Conflict)
      .map(([name]) => name);
    const tried = new Set(CASES.flatMap(({ error }) => error ?? []));
    assert.deepEqual(conflicts.sort(), [...tried].sort());
  });
});
