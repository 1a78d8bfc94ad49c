import assert from 'node:assert/strict';
import type { Database } from '../../src/db/database.ts';
import {
  deleteGroupSnapshotRow,
  findGroupSnapshot,
  groupSnapshotsOf,
  insertGroupSnapshot,
  listGroupSnapshots,
  moveGroupSnapshotStatus,
  updateGroupSnapshot,
} from '../../src/db/group-snapshots.ts';
import { deleteGroupTypeRow, findGroupTypeByName, isGroupTypeInUse } from '../../src/db/group-types.ts';
import {
  deleteGroupRow,
  findGroup,
  isOfGroup,
  listGroups,
  membersOf,
  moveGroupStatus,
  updateGroup,
} from '../../src/db/groups.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { GroupNotFound, GroupSnapshotNotFound } from '../../src/model/errors.ts';
import type { Group } from '../../src/model/group.ts';
import type { GroupSnapshot, NewGroupSnapshot } from '../../src/model/group-snapshot.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { proveStore } from '../prove-store.ts';
import { makeGroup, makeVolume } from './rows.ts';

proveStore('groups', (test) => {
  test('a group is read as it was made', async ({ database }) => {
    const type = await database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold' }));
    const made = await makeGroup(database, {
      name: 'disks',
      description: 'all',
      host: 'n@b#p',
      availabilityZone: 'nova',
      volumeTypeIds: [type.id],
      sourceGroupId: uuid(),
      groupSnapshotId: uuid(),
      replicationStatus: 'not-capable',
    });
    assert.deepEqual(await findGroup(database.read, made.id), made);
    assert.equal(await findGroup(database.read, 'nothing'), undefined);
  });

  test('each change raises the revision and stamps the row', async ({ database }) => {
    const { id, revision } = await makeGroup(database);
    const change = () => database.write((tx) => updateGroup(tx, id, { name: 'new', host: 'n@b#p' }, revision));
    assert.deepEqual([await change(), await change()], [true, false]);
    const now = await findGroup(database.read, id);
    assert.partialDeepStrictEqual(now, { name: 'new', host: 'n@b#p', revision: revision + 1 });
    assert.notEqual(now?.updatedAt, null);
    assert.equal(await database.write((tx) => updateGroup(tx, 'nothing', { name: 'x' })), false);
  });

  test('a move happens only from where it may begin, and of two at once is made by one', async ({ database }) => {
    const { id } = await makeGroup(database, { status: 'creating' });
    const move = () => database.write((tx) => moveGroupStatus(tx, id, 'delete'));
    assert.equal(await move(), false);
    await database.write((tx) => updateGroup(tx, id, { status: 'available' }));
    assert.deepEqual((await Promise.all([move(), move(), move()])).filter(Boolean), [true]);
    assert.partialDeepStrictEqual(await findGroup(database.read, id), { status: 'deleting' });
    assert.equal(await database.write((tx) => moveGroupStatus(tx, 'nothing', 'delete')), false);
  });

  test('a move that leaves the status where it is asks for it all the same', async ({ database }) => {
    const { id } = await makeGroup(database, { status: 'creating' });
    assert.equal(await database.write((tx) => moveGroupStatus(tx, id, 'add_volume')), true);
    assert.equal(await database.write((tx) => moveGroupStatus(tx, id, 'snapshot')), false);
    assert.partialDeepStrictEqual(await findGroup(database.read, id), { status: 'creating' });
  });

  test('pages leave out what a filter refuses before they are cut', async ({ database }) => {
    const one = await makeGroup(database, { name: 'one' });
    await makeGroup(database, { name: 'two' });
    await makeGroup(database, { name: 'three', projectId: 'q' });
    const found = await listGroups(database, {
      filters: [
        { is: 'equal', field: 'projectId', value: 'p' },
        { is: 'not-in', field: 'name', values: ['two'] },
      ],
      limit: 1,
    });
    assert.deepEqual(found, [one]);
    await assert.rejects(listGroups(database, { marker: 'nothing' }), GroupNotFound);
  });

  test('members are told by group, the oldest first', async ({ database }) => {
    const [a, b] = [await makeGroup(database), await makeGroup(database)];
    const first = await makeVolume(database, { groupId: a.id });
    const second = await makeVolume(database, { groupId: a.id });
    await makeVolume(database);
    assert.deepEqual(
      await membersOf(database.read, [a.id, b.id]),
      new Map<string, readonly string[]>([[a.id, [first.id, second.id]]]),
    );
    assert.deepEqual(await membersOf(database.read, []), new Map());
  });

  test('a type that a group is of, or may have volumes of, is in use', async ({ database }) => {
    const [gold, silver] = await database.write(async (tx) => [
      await insertVolumeType(tx, { id: uuid(), name: 'gold' }),
      await insertVolumeType(tx, { id: uuid(), name: 'silver' }),
    ]);
    const group = await makeGroup(database, { volumeTypeIds: [silver.id, gold.id] });
    const inUse = async () => [
      await isOfGroup(database.read, gold.id),
      await isOfGroup(database.read, silver.id),
      await isGroupTypeInUse(database.read, group.groupTypeId),
    ];
    assert.deepEqual(await inUse(), [true, true, true]);
    await assert.rejects(database.write((tx) => deleteGroupTypeRow(tx, group.groupTypeId)));
    assert.equal(await database.write((tx) => deleteGroupRow(tx, group.id)), true);
    assert.deepEqual(await inUse(), [false, false, false]);
    assert.equal(await database.write((tx) => deleteGroupRow(tx, group.id)), false);
  });

  test('the type of consistency groups is always there', async ({ database }) => {
    assert.partialDeepStrictEqual(await findGroupTypeByName(database.read, CONSISTENCY_GROUP_TYPE), {
      isPublic: true,
      groupSpecs: { consistent_group_snapshot_enabled: '<is> True' },
    });
  });
});

proveStore('group snapshots', (test) => {
  test('a group snapshot is read as it was made, changed, moved and deleted', async ({ database }) => {
    const made = await makeGroupSnapshot(database, await makeGroup(database), { name: 's', description: 'd' });
    assert.deepEqual(await findGroupSnapshot(database.read, made.id), made);
    await database.write((tx) => updateGroupSnapshot(tx, made.id, { status: 'available' }, made.revision));
    const move = () => database.write((tx) => moveGroupSnapshotStatus(tx, made.id, 'delete'));
    assert.deepEqual([await move(), await move()], [true, false]);
    assert.partialDeepStrictEqual(await findGroupSnapshot(database.read, made.id), { status: 'deleting', revision: 3 });
    assert.equal(await database.write((tx) => deleteGroupSnapshotRow(tx, made.id)), true);
    assert.equal(await database.write((tx) => deleteGroupSnapshotRow(tx, made.id)), false);
  });

  test('those of a group are told the newest first, and listed by status', async ({ database }) => {
    const [one, two] = [await makeGroup(database), await makeGroup(database)];
    const a = await makeGroupSnapshot(database, one, { status: 'error' });
    const b = await makeGroupSnapshot(database, one);
    await makeGroupSnapshot(database, two);
    assert.deepEqual(await groupSnapshotsOf(database.read, one.id), [b, a]);
    const failed = await listGroupSnapshots(database, { filters: [{ is: 'equal', field: 'status', value: 'error' }] });
    assert.deepEqual(failed, [a]);
    await assert.rejects(listGroupSnapshots(database, { marker: 'nothing' }), GroupSnapshotNotFound);
  });

  test('a group goes with its snapshot in one transaction, and not without', async ({ database }) => {
    const group = await makeGroup(database);
    const made = await makeGroupSnapshot(database, group);
    await assert.rejects(database.write((tx) => deleteGroupRow(tx, group.id)));
    await database.write(async (tx) => {
      await deleteGroupRow(tx, group.id);
      await deleteGroupSnapshotRow(tx, made.id);
    });
    assert.equal(await findGroup(database.read, group.id), undefined);
  });
});

async function makeGroupSnapshot(
  database: Database,
  { id: groupId, groupTypeId, projectId, userId }: Group,
  given: Partial<NewGroupSnapshot> = {},
): Promise<GroupSnapshot> {
  const base: NewGroupSnapshot = { id: uuid(), projectId, userId, groupId, groupTypeId, status: 'creating' };
  return database.write((tx) => insertGroupSnapshot(tx, { ...base, ...given }));
}
