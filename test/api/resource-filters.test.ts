import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { RESOURCE_FILTERS } from '../../src/api/filters.ts';
import { routes } from '../../src/api/routes.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import type { FreshDatabase } from '../databases.ts';
import { beat, pool } from './heartbeats.ts';
import { type IdentityWorld, identityWorld } from './identity-world.ts';
import { freshWorld, onBoth, PROJECT } from './world.ts';

describe('the filters of resources', () => {
  it('are told from 3.33 on, of all or of one', async (context) => {
    const world = await freshWorld(context);
    assert.equal((await world.ask('GET', '/resource_filters', { version: '3.32' })).status, 404);
    const at = async (query: string) =>
      (await world.get(`/resource_filters${query}`, { version: '3.33' })).body.resource_filters;
    const all = await at('');
    assert.ok(all.some(({ resource }: { resource: string }) => resource === 'volume'));
    assert.deepEqual(await at('?resource=backup'), [{ resource: 'backup', filters: ['name', 'status', 'volume_id'] }]);
    assert.deepEqual(await at('?resource=nonsense'), []);
  });

  it('are of resources that have a list here, but for those that Pumice has not', () => {
    const listed = new Set(routes.filter(({ method }) => method === 'GET').map(({ path }) => path));
    const without = Object.keys(RESOURCE_FILTERS).filter((resource) => !listed.has(LISTS[resource]?.[0] ?? ''));
    assert.deepEqual(without, ['backup', 'group', 'group_snapshot']);
  });

  onBoth('find, each of them, exactly the row that matches, for administrators and for members', async (...given) => {
    const world = await filteredWorld(...given);
    const askers = [await world.signIn('ada'), await world.signIn('bob')];
    for (const [resource, filters] of Object.entries(RESOURCE_FILTERS)) {
      const [path, ...others] = LISTS[resource] ?? [];
      if (path === undefined) continue;
      const { id: usual, by } = world.wanted[resource as keyof typeof world.wanted];
      for (const filter of filters) {
        const known = by[filter];
        assert.ok(known, `No row was made to be found by ${resource} ${filter}.`);
        const { id = usual, admin = resource === 'pool' } = known;
        for (const token of admin ? askers.slice(0, 1) : askers) {
          for (const list of [path, ...others]) {
            const asked = `${list}?${new URLSearchParams({ [filter]: known.text, with_count: 'true' })}`;
            await finds(world, token, asked, id);
            if (known.part === undefined) continue;
            await finds(world, token, `${list}?${new URLSearchParams({ [`${filter}~`]: known.part })}`, id);
          }
        }
      }
    }
  });

  onBoth('find nothing by a part of what is no text', async (...given) => {
    const world = await filteredWorld(...given);
    const token = await world.signIn('bob');
    for (const filter of ['size', 'bootable', 'metadata', 'created_at', 'consumes_quota'])
      assert.deepEqual((await world.as(token, 'GET', `/volumes?${filter}~=1`)).body, { volumes: [] }, filter);
  });
});

/** Where a resource is listed; `summary` counts instead. */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  volume: ['/volumes', '/volumes/detail', '/volumes/summary'],
  snapshot: ['/snapshots', '/snapshots/detail'],
  attachment: ['/attachments', '/attachments/detail'],
  message: ['/messages'],
  pool: ['/scheduler-stats/get_pools'],
  volume_type: ['/types'],
};

interface Wanted {
  /** Of a pool its name. */
  readonly id: string;
  readonly by: Readonly<Record<string, Known>>;
}

/** What finds it and nothing else; a part of it where the field is text. */
interface Known {
  readonly text: string;
  readonly part?: string;
  /** Of another row. */
  readonly id?: string;
  /** Others are not asked what they want. */
  readonly admin?: true;
}

async function finds(world: IdentityWorld, token: string, path: string, id: string): Promise<void> {
  // A filter of pools is any capability, so there is nothing else in their query.
  const asked = path.startsWith('/scheduler-stats') ? path.replace('&with_count=true', '') : path;
  const { status, text, body } = await world.as(token, 'GET', asked);
  assert.equal(status, 200, `GET ${path}: ${text}`);
  if (body['volume-summary'] !== undefined) return assert.equal(body['volume-summary'].total_count, 1, path);
  const [rows] = Object.values(body).filter(Array.isArray);
  const found = rows?.map((row) => row.id ?? row.name);
  assert.deepEqual(found, [id], `GET ${path} as ${token.slice(0, 8)}`);
  if ('count' in body) assert.equal(body.count, 1, path);
}

/** Two rows of everything, of which the second is like the first in nothing that one may filter by. */
async function filteredWorld(context: TestContext, database: FreshDatabase) {
  const world = await identityWorld(context, { database });
  const { db } = world.service;
  const old = '2020-01-02T03:04:05.000000';
  const other = await world.volume({ name: 'prod', availabilityZone: 'far' });
  const groupId = uuid();
  const volume = await world.volume({
    name: '[prod]',
    status: 'managing',
    metadata: { key: 'value' },
    bootable: true,
    migrationStatus: 'starting',
    availabilityZone: 'near',
    groupId,
    sizeGiB: 7,
    createdAt: old,
    usesQuota: false,
  });
  await world.snapshot(other, { name: 'None too' });
  const snapshot = await world.snapshot(volume, {
    name: 'None',
    status: 'error',
    metadata: { key: 'value' },
    usesQuota: false,
  });
  const instanceId = uuid();
  const [attachment] = await db.write(async (tx) => [
    await insertAttachment(tx, { ...ATTACHED, id: uuid(), volumeId: volume.id, attachStatus: 'attached', instanceId }),
    await insertAttachment(tx, { ...ATTACHED, id: uuid(), volumeId: other.id, attachStatus: 'reserved' }),
  ]);
  const message = await db.write(async (tx) => {
    await insertMessage(tx, { ...MESSAGE, resourceId: other.id });
    return insertMessage(tx, {
      ...MESSAGE,
      requestId: 'req-2',
      resourceType: 'VOLUME_SNAPSHOT',
      resourceId: snapshot.id,
      eventId: 'VOLUME_VOLUME_SNAPSHOT_009_027',
      level: 'WARNING',
    });
  });
  const type = await db.write(async (tx) => {
    await insertVolumeType(tx, { id: uuid(), name: 'plain', extraSpecs: { colour: 'grey' } });
    await insertVolumeType(tx, { id: uuid(), name: 'green', extraSpecs: { colour: 'green' } });
    return insertVolumeType(tx, { id: uuid(), name: 'fast', extraSpecs: { 'RESKEY:availability_zones': 'near' } });
  });
  const hidden = await db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'hidden', isPublic: false }));
  await db.write(({ db }) => db.updateTable('volume').set({ updated_at: LATE }).where('id', '=', volume.id).execute());
  await beat(world, { host: 'node@file', pools: [pool('[1]', { colour: 'green' }), pool('[2]', { colour: 'grey' })] });
  const wanted = {
    volume: {
      id: volume.id,
      by: {
        name: { text: '[prod]', part: '[pro' },
        status: { text: 'creating', part: 'reat' },
        metadata: { text: "{'key': 'value'}" },
        bootable: { text: 'true' },
        migration_status: { text: "['starting', 'success']", part: 'start' },
        availability_zone: { text: 'near', part: 'nea' },
        group_id: { text: groupId, part: groupId.slice(0, 13) },
        size: { text: '7' },
        created_at: { text: 'lt:2021-01-01' },
        updated_at: { text: 'gt:2039-01-01' },
        consumes_quota: { text: 'false' },
      },
    },
    snapshot: {
      id: snapshot.id,
      by: {
        name: { text: 'None' },
        status: { text: 'error', part: 'rro' },
        volume_id: { text: volume.id, part: volume.id.slice(4) },
        metadata: { text: '{"key": "value"}' },
        availability_zone: { text: 'near', part: 'ear' },
        consumes_quota: { text: 'no' },
      },
    },
    attachment: {
      id: attachment.id,
      by: {
        volume_id: { text: volume.id, part: volume.id.slice(4) },
        status: { text: 'attached', part: 'attach' },
        instance_id: { text: instanceId, part: instanceId.slice(4) },
        attach_status: { text: 'attached', part: 'attach' },
      },
    },
    message: {
      id: message,
      by: {
        resource_uuid: { text: snapshot.id, part: snapshot.id.slice(4) },
        resource_type: { text: 'VOLUME_SNAPSHOT', part: 'SNAPSHOT' },
        event_id: { text: 'VOLUME_VOLUME_SNAPSHOT_009_027', part: '_009_' },
        request_id: { text: 'req-2', part: '-2' },
        message_level: { text: 'WARNING', part: 'WARN' },
      },
    },
    pool: { id: 'node@file#[1]', by: { name: { text: 'node@file#[1]' }, volume_type: { text: 'green' } } },
    volume_type: {
      id: type.id,
      by: {
        is_public: { text: 'false', id: hidden.id, admin: true },
        extra_specs: { text: "{'RESKEY:availability_zones': 'near'}" },
      },
    },
  } satisfies Record<string, Wanted>;
  return { ...world, wanted: wanted as Record<keyof typeof wanted, Wanted> };
}

const LATE = '2040-01-01T00:00:00.000000';

const ATTACHED = { projectId: PROJECT, attachMode: 'rw' } as const;

const MESSAGE = {
  projectId: PROJECT,
  requestId: 'req-1',
  resourceType: 'VOLUME',
  eventId: 'VOLUME_VOLUME_001_003',
  level: 'ERROR',
  text: 'No storage backend can take it.',
  expiresAt: fromNow(3_600_000),
} as const;
