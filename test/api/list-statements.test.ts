/**
 * A list asks the database no more often when it is long: each list is asked with ten rows of everything and with five
 * hundred, as it comes and again when all it may keep is kept, and the statements are counted.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEWEST } from '../../src/api/microversion.ts';
import { routes } from '../../src/api/routes.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertBackup } from '../../src/db/backups.ts';
import { setDefaultType } from '../../src/db/default-types.ts';
import { insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { findGroupTypeByName, insertGroupType } from '../../src/db/group-types.ts';
import { insertGroup } from '../../src/db/groups.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { insertQosSpecs } from '../../src/db/qos-specs.ts';
import { recordHeartbeat } from '../../src/db/services.ts';
import { insertSnapshot } from '../../src/db/snapshots.ts';
import type { SqliteConnection } from '../../src/db/sql/connection.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import { insertTransfer } from '../../src/db/transfers.ts';
import { insertTypeEncryption } from '../../src/db/type-encryption.ts';
import { addVolumeTypeAccess, insertVolumeType, updateVolumeType } from '../../src/db/volume-types.ts';
import { insertVolume } from '../../src/db/volumes.ts';
import { WAITING_LANE } from '../../src/engine/journal.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { newAuthKey } from '../../src/model/auth-key.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { pool } from './heartbeats.ts';
import { freshWorld, PROJECT, USER, type World } from './world.ts';

const FEW = 10;
const MANY = 500;
const SHARED_TYPE = uuid();
const SHARED_QOS = uuid();

/** Lists that are always as long as they are, and those of what lies on a backend, which no row says. */
const NO_ROWS = /^\/(extensions|resource_filters|limits|clusters|manageable_\w+|os-(volume|snapshot)-manage)(\/|$)/;
const LISTS = [
  ...routes
    .filter(({ method, path }) => method === 'GET' && !path.includes(':') && !NO_ROWS.test(path))
    .map(({ path }) => path),
  '//pumice/v1/flows?limit=2000',
  '//pumice/v1/flows?limit=2000&unended=true&resource=volume:shared',
  '/volumes/detail?all_tenants=1&with_count=True&sort=name',
  '/snapshots/detail?all_tenants=1&with_count=True&sort=name',
  '/groups/detail?list_volume=True',
  '/backups/detail?all_tenants=1&with_count=True&sort=name',
  `/types/${SHARED_TYPE}/os-volume-type-access`,
  `/qos-specs/${SHARED_QOS}/associations`,
];
/** Not lists, but as long a read. */
const SUMMARIES: readonly string[] = ['/volumes/summary'];

describe('a list asks no more of the database when it is longer', () => {
  it('whichever it is', async (context) => {
    const world = await freshWorld(context, { set: ['api.osapi_max_limit=2000'] });
    const statements = counted(world);
    const ask = async (path: string): Promise<readonly [cold: number, warm: number, length: number]> => {
      const asked = { version: `3.${NEWEST}` };
      const before = statements();
      const { body } = await world.get(path, asked);
      const between = statements();
      await world.get(path, asked);
      const list = Object.values(body).find((each) => Array.isArray(each)) as readonly unknown[] | undefined;
      return [between - before, statements() - between, list?.length ?? 0];
    };
    await world.service.db.write(async (tx) => {
      await insertVolumeType(tx, { id: SHARED_TYPE, name: 'shared', isPublic: false });
      await insertQosSpecs(tx, { id: SHARED_QOS, name: 'shared', consumer: 'both', specs: {} });
    });
    await grow(world, 0, FEW);
    const few = new Map<string, Awaited<ReturnType<typeof ask>>>();
    for (const path of LISTS) few.set(path, await ask(path));
    await grow(world, FEW, MANY);
    for (const path of LISTS) {
      const [cold = 0, warm = 0, short = 0] = few.get(path) ?? [];
      const [coldOfMany, warmOfMany, long] = await ask(path);
      if (!SUMMARIES.includes(path)) assert.ok(short >= FEW && long >= MANY, `${path} has ${short}, then ${long} rows`);
      assert.ok(cold > 0 && coldOfMany <= cold, `${path}: ${cold} statements for ${short}, ${coldOfMany} for ${long}`);
      assert.ok(warmOfMany <= warm, `${path}, asked again: ${warm} statements for ${short}, ${warmOfMany} for ${long}`);
    }
  });
});

/** How many statements were read with so far. */
function counted({ service }: World): () => number {
  // What is asked of the thread is counted with the rest.
  Object.assign(service.db, { search: service.db.read });
  const reader = service.db.reader as SqliteConnection;
  let statements = 0;
  for (const way of ['execute', 'statement'] as const) {
    const plain = reader[way].bind(reader) as (...args: unknown[]) => unknown;
    Object.assign(reader, {
      [way]: (...args: unknown[]) => {
        statements += 1;
        return plain(...args);
      },
    });
  }
  return () => statements;
}

/** Some more of everything that is listed. */
async function grow({ service }: World, from: number, to: number): Promise<void> {
  await service.db.write(async (tx) => {
    for (let index = from; index < to; index++) await addOneOfEach(tx, index);
  });
}

async function addOneOfEach(tx: Tx, index: number): Promise<void> {
  const type = await insertVolumeType(tx, { id: uuid(), name: `type ${index}`, extraSpecs: { key: 'value' } });
  await updateVolumeType(tx, type.id, { qosSpecsId: SHARED_QOS });
  await insertTypeEncryption(tx, {
    volumeTypeId: type.id,
    encryptionId: uuid(),
    provider: 'luks',
    controlLocation: 'front-end',
    cipher: null,
    keySize: null,
  });
  await addVolumeTypeAccess(tx, SHARED_TYPE, `project ${index}`);
  await setDefaultType(tx, { projectId: `project ${index}`, volumeTypeId: type.id });
  await insertQosSpecs(tx, { id: uuid(), name: `specs ${index}`, consumer: 'both', specs: {} });
  const groupType = await insertGroupType(tx, {
    id: uuid(),
    name: `group type ${index}`,
    description: null,
    isPublic: true,
    groupSpecs: {},
  });
  const group = await insertGroup(tx, {
    id: uuid(),
    projectId: PROJECT,
    userId: USER,
    status: 'available',
    groupTypeId: groupType.id,
    volumeTypeIds: [type.id],
  });
  const reserved = await findGroupTypeByName(tx.db, CONSISTENCY_GROUP_TYPE);
  const { id: groupId, groupTypeId } = await insertGroup(tx, { ...group, id: uuid(), groupTypeId: reserved?.id ?? '' });
  const groupSnapshot = await insertGroupSnapshot(tx, {
    id: uuid(),
    projectId: PROJECT,
    userId: USER,
    status: 'available',
    groupId: group.id,
    groupTypeId: groupType.id,
  });
  await insertGroupSnapshot(tx, { ...groupSnapshot, id: uuid(), groupId, groupTypeId });
  const host = `node@backend${index}`;
  const binary = 'cinder-volume';
  const pools = [pool('pool')];
  await recordHeartbeat(tx, { host, binary, availabilityZone: `zone ${index}`, pools, failure: null });
  const volume = await insertVolume(tx, {
    id: uuid(),
    projectId: PROJECT,
    userId: USER,
    sizeGiB: 1,
    status: 'available',
    volumeTypeId: type.id,
    host: `${host}#pool`,
    groupId: group.id,
    metadata: { [`key ${index}`]: 'value' },
    imageMetadata: { image_name: 'image' },
  });
  const of = { projectId: PROJECT, volumeId: volume.id };
  await insertAttachment(tx, { ...of, id: uuid(), attachMode: 'rw', attachStatus: 'attached', instanceId: uuid() });
  await insertTransfer(tx, { ...of, name: null, noSnapshots: false, kept: newAuthKey().kept });
  await insertSnapshot(tx, {
    ...of,
    id: uuid(),
    userId: USER,
    volumeTypeId: type.id,
    volumeSizeGiB: 1,
    status: 'available',
  });
  await tx.db
    .insertInto('flow')
    .values({
      id: `flow ${String(index).padStart(4, '0')}`,
      name: 'create_volume',
      version: 1,
      lane: WAITING_LANE,
      state: 'pending',
      input: '{}',
      owner: null,
      epoch: 0,
      seq: 0,
      claims: 0,
      resource: 'volume:shared',
      project_id: PROJECT,
      request_id: 'req-1',
      created_at: fromNow(0),
      updated_at: fromNow(0),
      ended_at: null,
    })
    .execute();
  const backup = { projectId: PROJECT, userId: USER, volumeId: volume.id, status: 'available', sizeGiB: 1 } as const;
  const { id: parentId } = await insertBackup(tx, { ...backup, id: uuid() });
  await insertBackup(tx, { ...backup, id: uuid(), parentId });
  await insertMessage(tx, {
    projectId: PROJECT,
    requestId: 'req-1',
    resourceType: 'VOLUME',
    resourceId: volume.id,
    eventId: 'VOLUME_VOLUME_001_003',
    level: 'ERROR',
    text: 'No storage backend can take it.',
    expiresAt: fromNow(3_600_000),
  });
}
