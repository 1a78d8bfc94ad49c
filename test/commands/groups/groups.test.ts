/** What is refused of groups and of their volumes, leaving nothing, and what two who ask at once get. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteGroup } from '../../../src/commands/groups/delete-group.ts';
import { resetGroupStatus } from '../../../src/commands/groups/reset-group-status.ts';
import { type UpdateGroupRequest, updateGroup } from '../../../src/commands/groups/update-group.ts';
import { createSnapshot } from '../../../src/commands/snapshots/create-snapshot.ts';
import { createTransfer } from '../../../src/commands/transfers/create-transfer.ts';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { extendVolume } from '../../../src/commands/volumes/extend-volume.ts';
import { unmanageVolume } from '../../../src/commands/volumes/unmanage-volume.ts';
import { insertGroupSnapshot } from '../../../src/db/group-snapshots.ts';
import { getGroup, updateGroup as updateRow } from '../../../src/db/groups.ts';
import { insertVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Group } from '../../../src/model/group.ts';
import { GROUP_STATUSES } from '../../../src/model/group-status.ts';
import { givenAttachment, givenGroup, givenSnapshot, givenVolume } from '../../flows/given.ts';
import { type LiveSite, liveSite } from '../../flows/live-site.ts';
import { snapshotRequest, volumeRequest } from '../../flows/requests.ts';
import { caller } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting = { running: false };
const invalid = (name: string, message: RegExp) => ({ name, status: 400, message });
const stranger = { ...caller, isAdmin: false, projectId: 'ffffffffffffffffffffffffffffffff' };
const withVolumes = { withVolumes: true };

const update =
  (live: LiveSite, { id }: Group, request: Partial<UpdateGroupRequest>) =>
  () =>
    updateGroup(live.desk, caller, id, { name: null, description: null, added: [], removed: [], ...request });
const volumeOf = (groupId: string, more: object = {}) => volumeRequest({ groupId, volumeType: '__DEFAULT__', ...more });

describe('a volume for a group', () => {
  it('is made on the backend of the group, and is its member from the beginning', async (context) => {
    const live = await liveSite(context);
    const group = await givenGroup(live.site, { host: 'node@beta#beta' });
    const volume = await createVolume(live.desk, caller, volumeOf(group.id));
    assert.equal(volume.groupId, group.id);
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'available', host: 'node@beta#beta' });
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('is refused, and leaves nothing, when the group takes it not', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site);
    const make = (request: object) => () => createVolume(live.desk, caller, volumeOf(group.id, request));
    await refused(live, make({ volumeType: null }), invalid('InvalidInput', /with a volume type/));
    await refused(live, make({ groupId: uuid() }), { name: 'GroupNotFound', status: 404 });
    await live.database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold' }));
    await refused(live, make({ volumeType: 'gold' }), invalid('InvalidInput', /takes no volumes of type gold/));
    const far = await givenVolume(live.site, { host: 'node@beta#beta' });
    await refused(live, make({ sourceVolumeId: far.id }), invalid('InvalidInput', /not on the backend/));
    const foreign = () => createVolume(live.desk, stranger, volumeOf(group.id));
    await refused(live, foreign, { name: 'GroupNotFound', status: 404 });
    const ofOther = () => createVolume(live.desk, { ...stranger, isAdmin: true }, volumeOf(group.id));
    await refused(live, ofOther, { name: 'GroupNotFound', status: 404 });
    const nowhere = await givenGroup(live.site, { host: null });
    await refused(live, make({ groupId: nowhere.id }), invalid('InvalidGroup', /on no backend/));
    for (const status of GROUP_STATUSES) {
      await live.database.write((tx) => updateRow(tx, group.id, { status }));
      if (status === 'available' || status === 'creating') await make({})();
      else await refused(live, make({}), invalid('InvalidGroup', /must be available or creating to be given a volume/));
    }
  });

  it('is refused while the group is busy', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site);
    const volume = await givenVolume(live.site);
    await update(live, group, { added: [volume.id] })();
    await live.database.write((tx) => updateRow(tx, group.id, { status: 'available' }));
    const make = () => createVolume(live.desk, caller, volumeOf(group.id));
    await refused(live, make, invalid('ResourceHeld', /is in use by update group/));
  });
});

describe('a member of a group', () => {
  it('cannot leave it by another door, and may grow, be copied and be snapshotted', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site);
    const { id } = await givenVolume(live.site, { groupId: group.id });
    const { desk } = live;
    const inGroup = invalid('InvalidVolume', /is in group .*remove it from the group/);
    for (const force of [false, true])
      await refused(live, () => deleteVolume(desk, caller, id, { cascade: force, force }), inGroup);
    await refused(live, () => unmanageVolume(desk, caller, id), inGroup);
    const offer = { volumeId: id, name: null, noSnapshots: false, encryptedAllowed: false };
    await refused(live, () => createTransfer(desk, caller, offer), inGroup);
    await createVolume(desk, caller, volumeRequest({ sourceVolumeId: id }));
    await createSnapshot(desk, caller, snapshotRequest(id));
    await extendVolume(desk, caller, id, 2, { inUseAllowed: false });
  });
});

describe('an update of a group', () => {
  it('of its name alone is done at once, and of what it is called already is refused', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site, { name: 'a' });
    await update(live, group, { name: 'b', description: '' })();
    const { name, description, status } = await getGroup(live.database.read, group.id);
    assert.deepEqual([name, description, status], ['b', '', 'available']);
    for (const same of [{}, { name: 'b' }, { description: '' }])
      await refused(live, update(live, group, same), invalid('InvalidGroup', /Nothing new/));
  });

  it('takes a volume that is said twice once, and a member that is to be added for none', async (context) => {
    const live = await liveSite(context);
    const group = await givenGroup(live.site);
    const [member, volume] = [await givenVolume(live.site, { groupId: group.id }), await givenVolume(live.site)];
    await refused(live, update(live, group, { added: [member.id] }), invalid('InvalidGroup', /Nothing new/));
    await update(live, group, { added: [volume.id, member.id, volume.id] })();
    assert.equal((await live.settledGroup(group))?.status, 'available');
    assert.equal((await getVolume(live.database.read, volume.id)).groupId, group.id);
    await update(live, group, { removed: [volume.id, volume.id] })();
    await live.settledGroup(group);
    assert.equal((await getVolume(live.database.read, volume.id)).groupId, null);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('is refused, and changes nothing, when one of its volumes cannot come or go', async (context) => {
    const live = await liveSite(context, resting);
    const [group, other] = [await givenGroup(live.site), await givenGroup(live.site)];
    const good = await givenVolume(live.site);
    const no = async (request: Partial<UpdateGroupRequest>, message: RegExp) =>
      refused(live, update(live, group, { name: 'new', ...request }), invalid('InvalidVolume', message));
    const added = async (given: Parameters<typeof givenVolume>[1], message: RegExp) =>
      no({ added: [good.id, (await givenVolume(live.site, given)).id] }, message);
    await no({ added: [good.id], removed: [good.id] }, /at once/);
    await no({ added: [uuid()] }, /could not be found/);
    await no({ removed: [good.id] }, /it is not in it/);
    await added({ projectId: 'f'.repeat(32) }, /could not be found/);
    await added({ groupId: other.id }, /in another group/);
    await added({ host: 'node@beta#beta' }, /on another backend/);
    await added({ migrationStatus: 'migrating' }, /being migrated/);
    await added({ status: 'error' }, /must be available or in-use to be added/);
    const gold = await live.database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold' }));
    await added({ volumeTypeId: gold.id }, /no volumes of its type/);
    const extending = await givenVolume(live.site, { groupId: group.id, status: 'extending' });
    await no({ removed: [extending.id] }, /must be .* to be removed/);
    await live.database.write((tx) => updateRow(tx, group.id, { status: 'error' }));
    await refused(
      live,
      update(live, group, { name: 'new' }),
      invalid('InvalidGroup', /must be available to be updated/),
    );
  });

  it('is refused for a volume that a flow has for itself, and waits for nobody who copies one', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site);
    const [copied, grows] = [await givenVolume(live.site), await givenVolume(live.site)];
    await createVolume(live.desk, caller, volumeRequest({ sourceVolumeId: copied.id }));
    await extendVolume(live.desk, caller, grows.id, 2, { inUseAllowed: false });
    await refused(
      live,
      update(live, group, { added: [grows.id] }),
      invalid('InvalidVolume', /must be available or in-use/),
    );
    await update(live, group, { added: [copied.id] })();
    assert.equal((await live.flowOf(`group:${group.id}`)).lane, 'control');
    await refused(live, update(live, group, { name: 'new' }), invalid('InvalidGroup', /it is updating/));
    const deleted = () => deleteGroup(live.desk, caller, group.id, withVolumes);
    await refused(live, deleted, invalid('InvalidGroup', /it is updating/));
    const reset = () => resetGroupStatus(live.desk, caller, group.id, 'error');
    await refused(live, reset, invalid('ResourceHeld', /is in use by update group/));
  });
});

describe('the delete of a group', () => {
  it('is refused, and leaves nothing, when its volumes or its snapshots are in the way', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site);
    await givenVolume(live.site, { groupId: group.id });
    const no = (message: RegExp, name = 'InvalidGroup', options = withVolumes) =>
      refused(live, () => deleteGroup(live.desk, caller, group.id, options), invalid(name, message));
    await no(/has 1 volumes; remove them first, or ask for delete-volumes/, 'InvalidGroup', { withVolumes: false });
    const foreign = () => deleteGroup(live.desk, stranger, group.id, withVolumes);
    await refused(live, foreign, { name: 'GroupNotFound', status: 404 });
    const member = (given: object) => givenVolume(live.site, { groupId: group.id, ...given });
    const out = ({ id }: { readonly id: string }) =>
      live.database.write(({ db }) => db.updateTable('volume').set({ group_id: null }).where('id', '=', id).execute());
    const attached = await member({ attachStatus: 'attached', status: 'in-use' });
    await no(/is attached; detach it first/);
    await out(attached);
    const reserved = await member({});
    await givenAttachment(live.site, reserved, { connector: { host: 'h' }, connectionInfo: null });
    await no(/neither attached nor connected/, 'InvalidVolume');
    await out(reserved);
    const origin = await member({});
    await givenSnapshot(live.site, origin);
    await no(/has snapshots; delete them first/);
    await out(origin);
    const migrating = await member({ migrationStatus: 'migrating' });
    await no(/is being migrated/);
    await out(migrating);
    const busy = await member({ status: 'extending' });
    await no(/must be available, |must be available or error/, 'InvalidVolume');
    await out(busy);
    const { id: groupId, groupTypeId, projectId, userId } = group;
    await live.database.write((tx) =>
      insertGroupSnapshot(tx, { id: uuid(), projectId, userId, groupId, groupTypeId, status: 'available' }),
    );
    await no(/has group snapshots; delete them first/);
  });

  it('waits for whoever copies a member, and a second one is refused meanwhile', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site);
    const member = await givenVolume(live.site, { groupId: group.id });
    await createVolume(live.desk, caller, volumeRequest({ sourceVolumeId: member.id }));
    const deleted = () => deleteGroup(live.desk, caller, group.id, withVolumes);
    await deleted();
    assert.equal((await live.flowOf(`group:${group.id}`)).lane, 'holds');
    assert.equal((await getVolume(live.database.read, member.id)).status, 'deleting');
    await refused(live, deleted, invalid('InvalidGroup', /it is deleting/));
    const make = () => createVolume(live.desk, caller, volumeOf(group.id));
    await refused(live, make, invalid('InvalidGroup', /it is deleting/));
  });

  it('of one that never came to a backend needs no flow', async (context) => {
    const live = await liveSite(context, resting);
    const group = await givenGroup(live.site, { host: null, status: 'error' });
    await deleteGroup(live.desk, caller, group.id, { withVolumes: false });
    assert.deepEqual(await live.site.events(), ['group.delete.start', 'group.delete.end']);
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
