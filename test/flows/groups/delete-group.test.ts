import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteGroup as command } from '../../../src/commands/groups/delete-group.ts';
import { findGroup, getGroup } from '../../../src/db/groups.ts';
import { findVolume, findVolumes, getVolume } from '../../../src/db/volumes.ts';
import { deleteGroup } from '../../../src/flows/groups/delete-group.ts';
import { DriverFailed, VolumeIsBusy } from '../../../src/model/errors.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenGroup, givenVolume } from '../given.ts';
import type { Hook } from '../interposed.ts';
import { type LiveSite, liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const withVolumes = { withVolumes: true };

/** A group with members, and a volume that is in none and stays, whatever happens. */
const deleted = (members: number) =>
  onSite(async (site: Site) => {
    const group = await givenGroup(site, { status: 'error' });
    const volumes: Volume[] = [];
    for (let made = 0; made < members; made += 1)
      volumes.push(await givenVolume(site, { groupId: group.id, status: made === 0 ? 'error' : 'available' }));
    if (members > 0) volumes.push(await givenVolume(site, { groupId: group.id, host: null, status: 'error' }));
    const other = await givenVolume(site);
    const { read } = site.database;
    const ids = volumes.map(({ id }) => id);
    return {
      begin: (desk) => command(desk, caller, group.id, { withVolumes: members > 0 }),
      done: async () => {
        assert.equal(await findGroup(read, group.id), undefined);
        assert.deepEqual(await findVolumes(read, ids), []);
        assert.deepEqual(site.objects(), [`alpha/volume-${other.id}`]);
        assert.deepEqual(await site.events(), [
          'group.delete.start',
          ...volumes.map(() => 'volume.delete.start'),
          ...volumes.map(() => 'volume.delete.end'),
          'group.delete.end',
        ]);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const destroyed =
          /on_backend|forget|on_finish/.test(failure?.task ?? '') && !failure?.before && failure !== undefined;
        assert.equal((await getGroup(read, group.id)).status, 'error');
        for (const before of volumes) {
          const now = await findVolume(read, before.id);
          if (now === undefined) continue;
          assert.equal(now.status, destroyed ? 'error' : before.status);
          assert.equal(now.terminatedAt, null);
        }
        if (!destroyed) assert.equal(site.objects().length, members + 1);
        assert.ok(!(await site.events()).includes('group.delete.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

proveFlow('delete_group with its volumes', deleteGroup, deleted(2));
proveVariant('delete_group, empty', deleteGroup, deleted(0));
provesEveryTask(deleteGroup);

/** The backend refuses this one, and no other. */
function refuses(live: LiveSite, volume: Volume, error: Error | null): void {
  const hook: Hook = async (proceed, [ref]) => {
    if ((ref as { readonly id: string }).id === volume.id && error !== null) throw error;
    return proceed();
  };
  live.site.interpose('alpha', 'deleteVolume', hook);
}

describe('delete_group', () => {
  for (const error of [new DriverFailed('The disk says no.'), new VolumeIsBusy('It is mapped.')]) {
    it(`keeps the member that its backend refuses with ${error.name}, and names it; asked again, it ends`, async (context) => {
      const live = await liveSite(context);
      const group = await givenGroup(live.site);
      const [first, left, last] = [
        await givenVolume(live.site, { groupId: group.id }),
        await givenVolume(live.site, { groupId: group.id }),
        await givenVolume(live.site, { groupId: group.id }),
      ];
      refuses(live, left, error);
      await command(live.desk, caller, group.id, withVolumes);
      assert.equal((await live.settledGroup(group))?.status, 'error');
      assert.deepEqual(await findVolumes(live.database.read, [first.id, last.id]), []);
      const { status, groupId, terminatedAt } = await getVolume(live.database.read, left.id);
      assert.deepEqual([status, groupId, terminatedAt], ['error', group.id, null]);
      const told = await live.database.read.selectFrom('message').select(['resource_uuid', 'event_id']).execute();
      assert.deepEqual(told.map(({ resource_uuid }) => resource_uuid).sort(), [group.id, left.id].sort());
      assert.ok(told.some(({ event_id }) => event_id === 'VOLUME_VOLUME_GROUP_123_121'));
      assert.deepEqual(await live.site.leftovers(), []);
      refuses(live, left, null);
      await command(live.desk, caller, group.id, withVolumes);
      assert.equal(await live.settledGroup(group), undefined);
      assert.deepEqual(await live.volumes(), []);
      assert.deepEqual(await live.site.leftovers(), []);
    });
  }

  it('waits for a backend that is down, however long it takes', async (context) => {
    const live = await liveSite(context);
    const group = await givenGroup(live.site);
    await givenVolume(live.site, { groupId: group.id });
    live.site.down.add('node@alpha');
    await command(live.desk, caller, group.id, withVolumes);
    await live.heard((event) => event.is === 'task-retried' && event.tries === 2);
    assert.equal((await getGroup(live.database.read, group.id)).status, 'deleting');
    live.site.down.clear();
    assert.equal(await live.settledGroup(group), undefined);
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
