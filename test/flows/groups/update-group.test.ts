import assert from 'node:assert/strict';
import { updateGroup as command } from '../../../src/commands/groups/update-group.ts';
import { getGroup } from '../../../src/db/groups.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { updateGroup } from '../../../src/flows/groups/update-group.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenGroup, givenVolume } from '../given.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

/** One volume leaves, another stays, two come. */
const changed = onSite(async (site) => {
  const group = await givenGroup(site);
  const leaves = await givenVolume(site, { groupId: group.id, status: 'error' });
  const stays = await givenVolume(site, { groupId: group.id });
  const come = [await givenVolume(site), await givenVolume(site, { status: 'in-use' })];
  const { read } = site.database;
  const groupsOf = async () => {
    const volumes = [leaves, stays, ...come].map(({ id }) => getVolume(read, id));
    return (await Promise.all(volumes)).map(({ groupId }) => groupId);
  };
  const added = come.map(({ id }) => id);
  return {
    begin: (desk) => command(desk, caller, group.id, { name: 'new', description: null, added, removed: [leaves.id] }),
    done: async () => {
      assert.deepEqual(await groupsOf(), [null, group.id, group.id, group.id]);
      assert.partialDeepStrictEqual(await getGroup(read, group.id), { status: 'available', name: 'new' });
      assert.deepEqual(await site.events(), [
        'group.update.start',
        ...[leaves, stays].map(() => 'volume.update.start'),
        'group.update.end',
        ...[stays, ...come].map(() => 'volume.update.end'),
      ]);
      assert.deepEqual(await site.messages(), []);
    },
    undone: async () => {
      assert.deepEqual(await groupsOf(), [group.id, group.id, null, null]);
      assert.equal((await getGroup(read, group.id)).status, 'available');
      assert.ok(!(await site.events()).some((event) => event.endsWith('.end')));
      assert.equal((await site.messages()).length, 1);
    },
  };
});

proveFlow('update_group', updateGroup, changed);
provesEveryTask(updateGroup);
