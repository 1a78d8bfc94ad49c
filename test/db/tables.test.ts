/** The smaller tables: snapshots, volume types, pools, services, messages, outbox. */
import assert from 'node:assert/strict';
import { deleteMessage, findMessage, insertMessage, listMessages, pruneMessages } from '../../src/db/messages.ts';
import { appendEvents, markDelivered, pruneEvents, undelivered } from '../../src/db/outbox.ts';
import { addPoolUsage, countPoolUsage, listPoolUsage, recountPoolUsage } from '../../src/db/pool-usage.ts';
import { findService, listServices, recordHeartbeat, updateService } from '../../src/db/services.ts';
import {
  countSnapshots,
  deleteSnapshotRow,
  findSnapshot,
  listSnapshots,
  moveSnapshotStatus,
  snapshotsOf,
  updateSnapshot,
} from '../../src/db/snapshots.ts';
import {
  addVolumeTypeAccess,
  defaultVolumeType,
  deleteVolumeTypeRow,
  findVolumeTypeByName,
  insertVolumeType,
  isVolumeTypeInUse,
  listVolumeTypes,
  mayUseVolumeType,
  removeVolumeTypeAccess,
  updateVolumeType,
} from '../../src/db/volume-types.ts';
import { fromNow, now, uuid } from '../../src/lib/clock.ts';
import type { NewEvent } from '../../src/model/event.ts';
import { proveStore } from '../prove-store.ts';
import { makeSnapshot, makeVolume } from './rows.ts';

proveStore('snapshots', (test) => {
  test('a snapshot is read as it was made, changed, moved and deleted', async ({ database }) => {
    const volume = await makeVolume(database);
    const made = await makeSnapshot(database, volume, { name: 's', metadata: { k: 'v' } });
    assert.deepEqual(await findSnapshot(database.read, made.id), made);
    await database.write((tx) => updateSnapshot(tx, made.id, { progress: '50%' }));
    const move = () => database.write((tx) => moveSnapshotStatus(tx, made.id, 'delete', { set: { progress: '90%' } }));
    assert.equal(await move(), true);
    assert.equal(await move(), false);
    assert.partialDeepStrictEqual(await findSnapshot(database.read, made.id), {
      status: 'deleting',
      progress: '90%',
      revision: 3,
    });
    assert.equal(await database.write((tx) => deleteSnapshotRow(tx, made.id)), true);
    assert.equal(await database.write((tx) => deleteSnapshotRow(tx, made.id)), false);
  });

  test('snapshots are listed by volume and by metadata', async ({ database }) => {
    const [one, two] = [await makeVolume(database), await makeVolume(database)];
    const a = await makeSnapshot(database, one, { metadata: { k: 'v' } });
    const b = await makeSnapshot(database, one);
    await makeSnapshot(database, two, { metadata: { k: 'w' } });
    assert.deepEqual(
      (await snapshotsOf(database.read, one.id)).map(({ id }) => id),
      [b.id, a.id],
    );
    const withKey = await listSnapshots(database, {
      filters: [{ is: 'entry', field: 'metadata', key: 'k', value: 'v' }],
    });
    assert.deepEqual(
      withKey.map(({ id }) => id),
      [a.id],
    );
    assert.equal(await countSnapshots(database, []), 3);
  });
});

proveStore('volume types', (test) => {
  test('one always exists, and others are made, renamed and deleted', async ({ database }) => {
    assert.equal((await defaultVolumeType(database.read)).name, '__DEFAULT__');
    const made = await database.write((tx) =>
      insertVolumeType(tx, { id: uuid(), name: 'gold', extraSpecs: { multiattach: '<is> True' } }),
    );
    assert.deepEqual(await findVolumeTypeByName(database.read, 'gold'), made);
    await database.write((tx) => updateVolumeType(tx, made.id, { name: 'silver', isPublic: false }));
    assert.partialDeepStrictEqual(await findVolumeTypeByName(database.read, 'silver'), {
      id: made.id,
      isPublic: false,
    });
    await makeVolume(database, { volumeTypeId: made.id });
    assert.equal(await isVolumeTypeInUse(database.read, made.id), true);
    await assert.rejects(database.write((tx) => deleteVolumeTypeRow(tx, made.id)));
    await database.write(({ db }) => db.deleteFrom('volume').execute());
    assert.equal(await database.write((tx) => deleteVolumeTypeRow(tx, made.id)), true);
  });

  test('a private type is seen by the projects that were given access', async ({ database }) => {
    const type = await database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold', isPublic: false }));
    const visible = async (project: string) =>
      (await listVolumeTypes(database.read, { visibleTo: project })).map(({ name }) => name);
    assert.deepEqual(await visible('p'), ['__DEFAULT__']);
    assert.equal(await database.write((tx) => addVolumeTypeAccess(tx, type.id, 'p')), true);
    assert.equal(await database.write((tx) => addVolumeTypeAccess(tx, type.id, 'p')), false);
    assert.deepEqual(await visible('p'), ['gold', '__DEFAULT__']);
    assert.deepEqual(await visible('q'), ['__DEFAULT__']);
    assert.equal(await mayUseVolumeType(database.read, type, 'p'), true);
    assert.equal(await database.write((tx) => removeVolumeTypeAccess(tx, type.id, 'p')), true);
    assert.equal(await database.write((tx) => removeVolumeTypeAccess(tx, type.id, 'p')), false);
    assert.equal(await mayUseVolumeType(database.read, type, 'p'), false);
  });
});

proveStore('pool usage', (test) => {
  test('what is added up equals a recount', async ({ database }) => {
    const volume = await makeVolume(database, { host: 'n@b#p1', sizeGiB: 4 });
    await makeVolume(database, { host: 'n@b#p2', sizeGiB: 1 });
    await makeVolume(database, { host: null, sizeGiB: 8 });
    await makeSnapshot(database, volume, { volumeSizeGiB: 3 });
    await database.write(async (tx) => {
      await addPoolUsage(tx, { pool: 'n@b#p1', allocatedGiB: 4, provisionedGiB: 4, volumes: 1 });
      await addPoolUsage(tx, { pool: 'n@b#p1', allocatedGiB: 0, provisionedGiB: 3, volumes: 0 });
      await addPoolUsage(tx, { pool: 'n@b#p2', allocatedGiB: 1, provisionedGiB: 1, volumes: 1 });
    });
    const counted = await countPoolUsage(database.read);
    assert.deepEqual(await listPoolUsage(database.read), counted);
    assert.deepEqual(counted[0], { pool: 'n@b#p1', allocatedGiB: 4, provisionedGiB: 7, volumes: 1 });
    await database.write((tx) => addPoolUsage(tx, { pool: 'n@b#p3', allocatedGiB: 9, provisionedGiB: 9, volumes: 9 }));
    await database.write(recountPoolUsage);
    assert.deepEqual(await listPoolUsage(database.read), counted);
  });
});

proveStore('services', (test) => {
  test('a heartbeat makes a service and never changes what an administrator set', async ({ database }) => {
    const beat = (failure: string | null) =>
      database.write((tx) =>
        recordHeartbeat(tx, { host: 'n@b', binary: 'cinder-volume', availabilityZone: 'nova', pools: [], failure }),
      );
    await beat(null);
    const first = await findService(database.read, 'n@b', 'cinder-volume');
    await database.write((tx) =>
      updateService(tx, 'n@b', 'cinder-volume', { disabled: true, disabledReason: 'moving' }),
    );
    await beat('no disk');
    const second = await findService(database.read, 'n@b', 'cinder-volume');
    assert.partialDeepStrictEqual(second, {
      disabled: true,
      disabledReason: 'moving',
      failure: 'no disk',
      uuid: first?.uuid,
    });
    assert.ok(first && second && second.updatedAt > first.updatedAt);
    assert.equal((await listServices(database.read, { binary: 'cinder-scheduler' })).length, 0);
    assert.equal(await database.write((tx) => updateService(tx, 'x', 'cinder-volume', { frozen: true })), false);
  });
});

proveStore('messages', (test) => {
  const message = {
    projectId: 'p',
    requestId: 'r',
    resourceType: 'VOLUME',
    resourceId: 'v',
    eventId: 'e',
    level: 'ERROR',
    text: 't',
  };

  test('a message is seen until it expires, then pruned', async ({ database }) => {
    const kept = await database.write((tx) => insertMessage(tx, { ...message, expiresAt: fromNow(60_000) }));
    const expired = await database.write((tx) => insertMessage(tx, { ...message, expiresAt: fromNow(-1) }));
    assert.partialDeepStrictEqual(await findMessage(database.read, kept), message);
    assert.equal(await findMessage(database.read, expired), undefined);
    assert.deepEqual(
      (await listMessages(database, {})).map(({ id }) => id),
      [kept],
    );
    assert.equal(await database.write((tx) => pruneMessages(tx, 10)), 1);
    assert.equal(await database.write((tx) => deleteMessage(tx, kept)), true);
  });
});

proveStore('the outbox', (test) => {
  const event = (messageId: string): NewEvent => ({
    messageId,
    resource: 'volume:v',
    eventType: 'volume.create.start',
    priority: 'INFO',
    publisherId: 'volume.n@b',
    payload: '{}',
    projectId: 'p',
    userId: 'u',
    requestId: 'r',
  });
  const ids = (events: readonly { readonly messageId: string }[]) => events.map(({ messageId }) => messageId);

  test('each sink gets every event in order until it says that it has it', async ({ database }) => {
    await database.write((tx) => appendEvents(tx, [event('a'), event('b'), event('c')]));
    const first = await undelivered(database.read, 'log', 0, 2);
    assert.deepEqual(ids(first), ['a', 'b']);
    for (let again = 0; again < 2; again++) {
      await database.write((tx) =>
        markDelivered(
          tx,
          'log',
          first.slice(1).map(({ seq }) => seq),
        ),
      );
    }
    assert.deepEqual(ids(await undelivered(database.read, 'log', 0, 9)), ['a', 'c']);
    assert.deepEqual(ids(await undelivered(database.read, 'log', first[0]?.seq ?? 0, 9)), ['c']);
    assert.deepEqual(ids(await undelivered(database.read, 'amqp', 0, 9)), ['a', 'b', 'c']);
  });

  test('what a sink has not had is found of some resources, and of all but some', async ({ database }) => {
    const of = (resource: string) => ({ ...event(`m-${resource}`), resource });
    await database.write((tx) => appendEvents(tx, ['a', 'b', 'c'].map(of)));
    const asked = async (resources: Parameters<typeof undelivered>[4]) =>
      ids(await undelivered(database.read, 'log', 0, 9, resources));
    assert.deepEqual(await asked({ only: ['c', 'a'] }), ['m-a', 'm-c']);
    assert.deepEqual(await asked({ except: ['c', 'a'] }), ['m-b']);
    assert.deepEqual(await asked({ except: [] }), ['m-a', 'm-b', 'm-c']);
  });

  test('what every sink has had is pruned, and nothing else', async ({ database }) => {
    await database.write((tx) => appendEvents(tx, [event('a'), event('b')]));
    const [a] = await undelivered(database.read, 'log', 0, 1);
    const prune = (sinks: readonly string[]) => database.write((tx) => pruneEvents(tx, sinks, now(), 10));
    await database.write((tx) => markDelivered(tx, 'log', [a?.seq ?? 0]));
    assert.equal(await prune(['log', 'amqp']), 0);
    assert.equal(await prune(['log']), 1);
    assert.deepEqual(ids(await undelivered(database.read, 'amqp', 0, 9)), ['b']);
    assert.equal(await prune([]), 1);
  });

  test('an event of a unit that failed was never written', async ({ database }) => {
    const unit = database.write(async (tx) => {
      await appendEvents(tx, [event('a')]);
      throw new RangeError('no');
    });
    await assert.rejects(unit, RangeError);
    assert.deepEqual(await undelivered(database.read, 'log', 0, 9), []);
  });
});
