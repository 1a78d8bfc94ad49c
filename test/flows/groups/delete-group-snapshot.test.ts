import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteGroupSnapshot as command } from '../../../src/commands/group-snapshots/delete-group-snapshot.ts';
import { findGroupSnapshot, getGroupSnapshot, updateGroupSnapshot } from '../../../src/db/group-snapshots.ts';
import { insertGroup } from '../../../src/db/groups.ts';
import { findSnapshot, getSnapshot } from '../../../src/db/snapshots.ts';
import { deleteGroupSnapshot } from '../../../src/flows/groups/delete-group-snapshot.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { DriverFailed, InvalidGroupSnapshot, SnapshotIsBusy } from '../../../src/model/errors.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenGroup, givenGroupSnapshot, givenVolume } from '../given.ts';
import type { Hook } from '../interposed.ts';
import { type LiveSite, liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

/** Of two volumes, of which one has left the group since. */
async function given(site: Site) {
  const group = await givenGroup(site);
  const volumes = [await givenVolume(site, { groupId: group.id }), await givenVolume(site)];
  return { group, volumes, ...(await givenGroupSnapshot(site, group, volumes)) };
}

proveFlow(
  'delete_group_snapshot',
  deleteGroupSnapshot,
  onSite(async (site) => {
    const { groupSnapshot, parts, volumes } = await given(site);
    const { read } = site.database;
    return {
      begin: (desk) => command(desk, caller, groupSnapshot.id),
      done: async () => {
        assert.equal(await findGroupSnapshot(read, groupSnapshot.id), undefined);
        for (const { id } of parts) assert.equal(await findSnapshot(read, id), undefined);
        assert.deepEqual(site.objects(), volumes.map(({ id }) => `alpha/volume-${id}`).sort());
        assert.deepEqual(await site.events(), [
          'group_snapshot.delete.start',
          ...parts.map(() => 'snapshot.delete.start'),
          ...parts.map(() => 'snapshot.delete.end'),
          'group_snapshot.delete.end',
        ]);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const destroyed =
          /on_backend|forget|on_finish/.test(failure?.task ?? '') && !failure?.before && failure !== undefined;
        const status = destroyed ? 'error_deleting' : 'available';
        assert.equal((await getGroupSnapshot(read, groupSnapshot.id)).status, status);
        for (const { id } of parts) assert.ok([status, undefined].includes((await findSnapshot(read, id))?.status));
        if (!destroyed) assert.equal(site.objects().length, 4);
        assert.ok(!(await site.events()).includes('group_snapshot.delete.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(deleteGroupSnapshot);

/** The backend refuses this one, and no other. */
function refuses(live: LiveSite, part: Snapshot, error: Error | null): void {
  const hook: Hook = async (proceed, [ref]) => {
    if ((ref as { readonly id: string }).id === part.id && error !== null) throw error;
    return proceed();
  };
  live.site.interpose('alpha', 'deleteSnapshot', hook);
}

describe('delete_group_snapshot', () => {
  for (const error of [new DriverFailed('The disk says no.'), new SnapshotIsBusy('It is mapped.')]) {
    it(`keeps the part that its backend refuses with ${error.name}, and names it; asked again, it ends`, async (context) => {
      const live = await liveSite(context);
      const { groupSnapshot, parts, group } = await given(live.site);
      const [gone, left] = parts as readonly [Snapshot, Snapshot];
      refuses(live, left, error);
      await command(live.desk, caller, groupSnapshot.id);
      assert.equal((await live.settledGroupSnapshot(groupSnapshot))?.status, 'error_deleting');
      assert.equal(await findSnapshot(live.database.read, gone.id), undefined);
      assert.equal((await getSnapshot(live.database.read, left.id)).status, 'error_deleting');
      const told = await live.database.read.selectFrom('message').select('resource_uuid').execute();
      assert.deepEqual(told.map(({ resource_uuid }) => resource_uuid).sort(), [group.id, left.id].sort());
      assert.deepEqual(await live.site.leftovers(), []);
      refuses(live, left, null);
      await command(live.desk, caller, groupSnapshot.id);
      assert.equal(await live.settledGroupSnapshot(groupSnapshot), undefined);
      assert.deepEqual(await live.site.leftovers(), []);
    });
  }

  it('that could not be taken is deleted at once: it has no parts', async (context) => {
    const live = await liveSite(context);
    const group = await givenGroup(live.site);
    const { groupSnapshot } = await givenGroupSnapshot(live.site, group, []);
    await live.database.write((tx) => updateGroupSnapshot(tx, groupSnapshot.id, { status: 'error' }));
    await command(live.desk, caller, groupSnapshot.id);
    assert.equal(await findGroupSnapshot(live.database.read, groupSnapshot.id), undefined);
    assert.deepEqual(await live.site.events(), ['group_snapshot.delete.start', 'group_snapshot.delete.end']);
  });

  it('is refused while a group is made from it', async (context) => {
    const live = await liveSite(context);
    const { groupSnapshot, group } = await given(live.site);
    await live.database.write((tx) =>
      insertGroup(tx, { ...group, id: uuid(), status: 'creating', groupSnapshotId: groupSnapshot.id }),
    );
    await assert.rejects(command(live.desk, caller, groupSnapshot.id), InvalidGroupSnapshot);
    assert.equal((await getGroupSnapshot(live.database.read, groupSnapshot.id)).status, 'available');
  });
});
