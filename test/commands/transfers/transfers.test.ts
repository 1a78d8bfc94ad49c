import assert from 'node:assert/strict';
import { acceptTransfer } from '../../../src/commands/transfers/accept-transfer.ts';
import { createTransfer } from '../../../src/commands/transfers/create-transfer.ts';
import { deleteTransfer } from '../../../src/commands/transfers/delete-transfer.ts';
import { insertAttachment } from '../../../src/db/attachments.ts';
import type { Database } from '../../../src/db/database.ts';
import { insertGroupSnapshot } from '../../../src/db/group-snapshots.ts';
import { setProjectLimits } from '../../../src/db/quota-limits.ts';
import { countUsage, recountUsage } from '../../../src/db/quota-recount.ts';
import { quotaUsage } from '../../../src/db/quotas.ts';
import { getSnapshot, updateSnapshot } from '../../../src/db/snapshots.ts';
import { listTransfers } from '../../../src/db/transfers.ts';
import { deleteVolumeRow, getVolume, updateVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { parseConfig } from '../../../src/lib/config/read-config.ts';
import type { Caller } from '../../../src/model/caller.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { makeGroup, makeSnapshot, makeVolume } from '../../db/rows.ts';
import { proveStore } from '../../prove-store.ts';

const config = parseConfig({ directory: '/nowhere', set: [] });
const RECOUNT = { snapshotGigabytes: true };

const member = (projectId: string): Caller => ({
  userId: `user of ${projectId}`,
  projectId,
  roles: ['member'],
  isAdmin: false,
  serviceRoles: [],
  requestId: 'req-1',
});
const donor = member('donor');
const acceptor = member('acceptor');

interface Given {
  readonly volume: Volume;
  readonly snapshot: Snapshot;
  readonly id: string;
  readonly authKey: string;
}

/** A volume of 2 GiB with a snapshot, counted, offered by its project. */
async function offered(db: Database, { noSnapshots = false, by = donor } = {}): Promise<Given> {
  const { projectId, userId } = by;
  const volume = await makeVolume(db, { projectId, userId, sizeGiB: 2, host: 'node@file#file' });
  const snapshot = await makeSnapshot(db, volume);
  await db.write((tx) => recountUsage(tx, projectId, RECOUNT));
  const request = { volumeId: volume.id, name: null, noSnapshots, encryptedAllowed: false };
  const { transfer, authKey } = await createTransfer({ db }, by, request);
  return { volume, snapshot, id: transfer.id, authKey };
}

const accept = (db: Database, caller: Caller, { id, authKey }: Pick<Given, 'id' | 'authKey'>) =>
  acceptTransfer({ db, config }, caller, id, authKey);

/** What is counted of the projects is what their rows add up to. */
async function countsAreRight(db: Database): Promise<void> {
  for (const project of ['donor', 'acceptor']) {
    const counted = await countUsage(db.read, project, RECOUNT);
    for (const [resource, usage] of Object.entries(await quotaUsage(db.read, project)))
      assert.deepEqual(usage, counted[resource] ?? { inUse: 0, reserved: 0 }, `${resource} of ${project}`);
  }
}

async function inUse(db: Database, project: string): Promise<Readonly<Record<string, number>>> {
  const usage = await quotaUsage(db.read, project);
  return Object.fromEntries(
    Object.entries(usage)
      .filter(([, { inUse }]) => inUse !== 0)
      .map(([resource, { inUse }]) => [resource, inUse]),
  );
}

const ALL = {
  volumes: 1,
  volumes___DEFAULT__: 1,
  gigabytes: 4,
  gigabytes___DEFAULT__: 4,
  snapshots: 1,
  snapshots___DEFAULT__: 1,
};

proveStore('a transfer', (test) => {
  test('that is accepted takes volume, snapshots and quota to the other project', async ({ database }) => {
    const given = await offered(database);
    const waiting = await getVolume(database.read, given.volume.id);
    assert.partialDeepStrictEqual(waiting, { status: 'awaiting-transfer', projectId: 'donor' });
    assert.deepEqual(await inUse(database, 'donor'), ALL);
    await accept(database, acceptor, given);
    const taken = { projectId: 'acceptor', userId: 'user of acceptor', status: 'available' } as const;
    assert.partialDeepStrictEqual(await getVolume(database.read, given.volume.id), taken);
    assert.partialDeepStrictEqual(await getSnapshot(database.read, given.snapshot.id), taken);
    assert.deepEqual(await inUse(database, 'donor'), {});
    assert.deepEqual(await inUse(database, 'acceptor'), ALL);
    await countsAreRight(database);
    await assert.rejects(accept(database, acceptor, given), { name: 'TransferNotFound' });
  });

  test('leaves the snapshots where they are when that was asked for', async ({ database }) => {
    const given = await offered(database, { noSnapshots: true });
    await accept(database, acceptor, given);
    assert.equal((await getVolume(database.read, given.volume.id)).projectId, 'acceptor');
    assert.equal((await getSnapshot(database.read, given.snapshot.id)).projectId, 'donor');
    await countsAreRight(database);
  });

  test('leaves where they are, or is refused, snapshots that are parts of a group snapshot', async ({ database }) => {
    const { id: groupId, groupTypeId } = await makeGroup(database);
    const given = { id: uuid(), projectId: 'donor', userId: 'u', status: 'available', groupId, groupTypeId } as const;
    const { id: groupSnapshotId } = await database.write((tx) => insertGroupSnapshot(tx, given));
    const volume = await makeVolume(database, { projectId: 'donor' });
    await makeSnapshot(database, volume, { projectId: 'donor', groupSnapshotId });
    const offer = (noSnapshots: boolean) =>
      createTransfer({ db: database }, donor, {
        volumeId: volume.id,
        name: null,
        noSnapshots,
        encryptedAllowed: false,
      });
    await assert.rejects(offer(false), { name: 'InvalidSnapshot', message: /group snapshot/ });
    assert.equal((await getVolume(database.read, volume.id)).status, 'available');
    await offer(true);
  });

  test('is accepted once, by whoever comes first', async ({ database, open }) => {
    const other = await open();
    for (let round = 0; round < 3; round++) {
      const given = await offered(database);
      const outcomes = await Promise.allSettled([
        accept(database, acceptor, given),
        accept(other, member('third'), given),
        accept(database, acceptor, given),
      ]);
      const won = outcomes.filter(({ status }) => status === 'fulfilled');
      assert.equal(won.length, 1, JSON.stringify(outcomes));
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') assert.equal(outcome.reason.name, 'TransferNotFound');
    }
    await countsAreRight(database);
  });

  test('of a volume that somebody reaches is not accepted', async ({ database }) => {
    const given = await offered(database);
    const reached = {
      id: uuid(),
      projectId: 'donor',
      volumeId: given.volume.id,
      attachMode: 'rw',
      attachStatus: 'attached',
      connector: { host: 'h' },
    } as const;
    await database.write((tx) => insertAttachment(tx, reached));
    await assert.rejects(accept(database, acceptor, given), { name: 'InvalidVolume' });
    assert.equal((await getVolume(database.read, given.volume.id)).projectId, 'donor');
    await countsAreRight(database);
  });

  test('waits for none that goes the other way', async ({ database, open }) => {
    const other = await open();
    const there = [];
    const back = [];
    for (let each = 0; each < 4; each++) {
      there.push(await offered(database));
      back.push(await offered(database, { by: acceptor }));
    }
    await Promise.all([
      ...there.map((given) => accept(database, acceptor, given)),
      ...back.map((given) => accept(other, donor, given)),
    ]);
    await countsAreRight(database);
  });

  test('into a quota that is just large enough is accepted, into a smaller one not', async ({ database }) => {
    const given = await offered(database);
    for (const [resource, most] of Object.entries(ALL)) {
      await database.write((tx) => setProjectLimits(tx, 'acceptor', { [resource]: most - 1 }));
      await assert.rejects(accept(database, acceptor, given), { status: 413, message: /exceeded/ });
      await database.write((tx) => setProjectLimits(tx, 'acceptor', { [resource]: most }));
    }
    assert.deepEqual(await inUse(database, 'acceptor'), {});
    assert.partialDeepStrictEqual(await getVolume(database.read, given.volume.id), {
      status: 'awaiting-transfer',
      projectId: 'donor',
    });
    await accept(database, acceptor, given);
    await countsAreRight(database);
  });

  test('within a project needs no more quota than there is', async ({ database }) => {
    const given = await offered(database);
    await database.write((tx) => setProjectLimits(tx, 'donor', { ...ALL }));
    await accept(database, { ...donor, userId: 'another user' }, given);
    assert.partialDeepStrictEqual(await getVolume(database.read, given.volume.id), {
      projectId: 'donor',
      userId: 'another user',
      status: 'available',
    });
    assert.deepEqual(await inUse(database, 'donor'), ALL);
  });

  test('opens only to its own key', async ({ database }) => {
    const given = await offered(database);
    const { authKey } = await offered(database);
    for (const key of [authKey, `${given.authKey}0`, given.authKey.slice(1), '']) {
      const refusal = { name: 'InvalidAuthKey', status: 400 };
      await assert.rejects(accept(database, acceptor, { id: given.id, authKey: key }), refusal);
    }
    await accept(database, acceptor, given);
  });

  test('goes with its volume, and gives away none that is being deleted', async ({ database }) => {
    const given = await offered(database, { noSnapshots: true });
    await database.write((tx) => updateVolume(tx, given.volume.id, { status: 'deleting' }));
    await assert.rejects(accept(database, acceptor, given), { name: 'InvalidVolume', message: /it is deleting/ });
    await countsAreRight(database);
    await database.write(async (tx) => {
      await tx.db.deleteFrom('snapshot').execute();
      await deleteVolumeRow(tx, given.volume.id);
    });
    await assert.rejects(accept(database, acceptor, given), { name: 'TransferNotFound' });
    assert.deepEqual(await listTransfers(database, {}), []);
  });

  test('does not go while something works on a snapshot of it', async ({ database }) => {
    const given = await offered(database);
    await database.write((tx) => updateSnapshot(tx, given.snapshot.id, { status: 'deleting' }));
    await assert.rejects(accept(database, acceptor, given), { name: 'InvalidSnapshot', message: /it is deleting/ });
    assert.equal((await getVolume(database.read, given.volume.id)).projectId, 'donor');
    await countsAreRight(database);
  });

  test('that is taken back leaves the volume as it was; one that became void is replaced', async ({ database }) => {
    const db = database;
    const given = await offered(db);
    await assert.rejects(deleteTransfer({ db }, acceptor, given.id), { name: 'TransferNotFound' });
    await deleteTransfer({ db }, donor, given.id);
    assert.equal((await getVolume(db.read, given.volume.id)).status, 'available');
    await assert.rejects(deleteTransfer({ db }, donor, given.id), { name: 'TransferNotFound' });

    const request = { volumeId: given.volume.id, name: null, noSnapshots: false, encryptedAllowed: false };
    const before = await createTransfer({ db }, donor, request);
    await db.write((tx) => updateVolume(tx, given.volume.id, { status: 'available' }));
    const after = await createTransfer({ db }, donor, request);
    const stale = { id: before.transfer.id, authKey: before.authKey };
    await assert.rejects(accept(db, acceptor, stale), { name: 'TransferNotFound' });
    await accept(db, acceptor, { id: after.transfer.id, authKey: after.authKey });
  });
});
