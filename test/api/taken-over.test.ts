/** What a living Cinder has left in the rows is shown as Cinder shows it, and goes on working. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertBackup } from '../../src/db/backups.ts';
import { insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { undelivered } from '../../src/db/outbox.ts';
import { insertTransfer } from '../../src/db/transfers.ts';
import { updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import { makeGroup } from '../db/rows.ts';
import { dump, freshWorld, onBoth, PROJECT } from './world.ts';

const version = 'latest';
const SECRET = 'CHAP planted-user planted-password-of-a-target';

onBoth('users that nobody knows are shown as null, and told of as nobody', async (context, database) => {
  const world = await freshWorld(context, { database });
  const volume = await world.volume({ userId: null, host: 'node@file#file' });
  const snapshot = await world.snapshot(volume, { userId: null });
  const { db } = world.service;
  const group = await makeGroup(db, { userId: null, projectId: PROJECT });
  const ids = await db.write(async (tx) => {
    const { id: groupId, groupTypeId } = group;
    const of = { id: uuid(), projectId: PROJECT, userId: null, groupId, groupTypeId, status: 'available' } as const;
    const { id: groupSnapshotId } = await insertGroupSnapshot(tx, of);
    const backup = { id: uuid(), projectId: PROJECT, userId: null, volumeId: volume.id, sizeGiB: 1 } as const;
    const { id: backupId } = await insertBackup(tx, { ...backup, status: 'available' });
    return { groupId, groupSnapshotId, backupId };
  });
  const shown = async (path: string, what: string) => (await world.get(path, { version })).body[what];
  assert.equal((await shown(`/volumes/${volume.id}`, 'volume')).user_id, null);
  assert.equal((await shown('/volumes/detail', 'volumes'))[0].user_id, null);
  assert.equal((await shown(`/snapshots/${snapshot.id}`, 'snapshot')).user_id, null);
  assert.equal((await shown(`/backups/${ids.backupId}`, 'backup')).user_id, null);
  await shown(`/groups/${ids.groupId}`, 'group');
  await shown(`/group_snapshots/${ids.groupSnapshotId}`, 'group_snapshot');
  assert.equal((await shown('/volumes/detail?user_id=None', 'volumes')).length, 1);

  assert.equal((await world.ask('PUT', `/volumes/${volume.id}`, { body: { volume: { name: 'n' } } })).status, 200);
  assert.equal((await world.ask('DELETE', `/snapshots/${snapshot.id}`)).status, 202);
  const events = await undelivered(db.read, 'a sink', 0, 10);
  assert.ok(events.length >= 2);
  for (const { payload, userId } of events) assert.deepEqual([JSON.parse(payload).user_id, userId], [null, '']);
});

describe('a transfer that a Cinder has made', () => {
  for (const [scheme, hash] of [
    ['cinder', '6ebf70eef509b1a9fa29029630b1569100a3745d'],
    ['cinder', 'damaged'],
  ] as const) {
    it(`with the hash ${hash.slice(0, 7)} is ${hash === 'damaged' ? 'opened by nothing' : 'opened by its key'}`, async (context) => {
      const world = await freshWorld(context);
      const volume = await world.volume({ status: 'awaiting-transfer' });
      const kept = { salt: 'b1ec5a1d', hash, scheme };
      const of = { volumeId: volume.id, name: null, noSnapshots: false, projectId: PROJECT, kept };
      const { id } = await world.service.db.write((tx) => insertTransfer(tx, of));
      const accept = async (auth_key: string) =>
        (await world.ask('POST', `/os-volume-transfer/${id}/accept`, { body: { accept: { auth_key } } })).status;
      assert.equal(await accept('4d1c6b0e5a1f9a78'), 400);
      assert.equal(await accept('4d1c6b0e5a1f9a77'), hash === 'damaged' ? 400 : 202);
    });
  }
});

it('what opens a target of a Cinder is in no answer, event or message', async (context) => {
  const world = await freshWorld(context);
  const { db } = world.service;
  const volume = await world.volume({ host: 'node@file#file' });
  const snapshot = await world.snapshot(volume);
  await db.write(async (tx) => {
    await tx.db.updateTable('volume').set({ provider_auth: SECRET }).execute();
    await tx.db.updateTable('snapshot').set({ provider_auth: SECRET }).execute();
    await updateVolume(tx, volume.id, { name: 'changed' });
  });
  const answers = [];
  for (const path of [`/volumes/${volume.id}`, '/volumes/detail', `/snapshots/${snapshot.id}`, '/snapshots/detail'])
    answers.push((await world.get(path, { version })).text);
  answers.push(
    (await world.ask('PUT', `/volumes/${volume.id}`, { version, body: { volume: { name: 'again' } } })).text,
  );
  answers.push(
    (await world.ask('POST', `/volumes/${volume.id}/action`, { body: { 'os-extend': { new_size: 0 } } })).text,
  );
  answers.push((await world.ask('DELETE', `/volumes/${volume.id}`)).text);
  assert.ok(!answers.join('').includes('planted'));
  const rows = await dump(world);
  assert.deepEqual(
    Object.entries(rows)
      .filter(([, of]) => JSON.stringify(of).includes('planted'))
      .map(([table]) => table),
    ['snapshot', 'volume'],
  );
});
