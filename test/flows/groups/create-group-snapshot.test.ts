import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CreateGroupSnapshotRequest,
  createGroupSnapshot as command,
} from '../../../src/commands/group-snapshots/create-group-snapshot.ts';
import { deleteGroupSnapshot } from '../../../src/commands/group-snapshots/delete-group-snapshot.ts';
import { deleteGroup } from '../../../src/commands/groups/delete-group.ts';
import { updateGroup } from '../../../src/commands/groups/update-group.ts';
import { deleteSnapshot } from '../../../src/commands/snapshots/delete-snapshot.ts';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { getGroupSnapshot, listGroupSnapshots } from '../../../src/db/group-snapshots.ts';
import { updateGroupType } from '../../../src/db/group-types.ts';
import { getGroup } from '../../../src/db/groups.ts';
import { VOLUME_BINARY } from '../../../src/db/pools.ts';
import { findService, recordHeartbeat } from '../../../src/db/services.ts';
import { listSnapshots } from '../../../src/db/snapshots.ts';
import { getVolumeType } from '../../../src/db/volume-types.ts';
import { createGroupSnapshot } from '../../../src/flows/groups/create-group-snapshot.ts';
import {
  BackendFull,
  ConsistentSnapshotRefused,
  InvalidGroup,
  InvalidGroupSnapshot,
  InvalidGroupType,
  InvalidSnapshot,
  InvalidVolume,
  ResourceHeld,
  SnapshotLimitExceeded,
} from '../../../src/model/errors.ts';
import { ONE_MOMENT } from '../../../src/model/group-type.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenGroup, givenVolume, keepsMoments } from '../given.ts';
import { type Hook, refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { volumeRequest } from '../requests.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const request = (groupId: string): CreateGroupSnapshotRequest => ({ groupId, name: 'both', description: null });

/** A group of two volumes, of which one is in use. */
async function pair(site: Site, { oneMoment = false } = {}) {
  const group = await givenGroup(site);
  if (oneMoment) await keepsMoments(site, group);
  const imageMetadata = { image_id: 'i', min_disk: '0' };
  const volumes: readonly [Volume, Volume] = [
    await givenVolume(site, { groupId: group.id, bootable: true, imageMetadata }),
    await givenVolume(site, { groupId: group.id, status: 'in-use', attachStatus: 'attached' }),
  ];
  return { group, volumes, imageMetadata };
}

const taken = (options: { readonly oneMoment: boolean }) =>
  onSite(async (site) => {
    const { group, volumes, imageMetadata } = await pair(site, options);
    let id = '';
    const parts = () => listSnapshots(site.database, {});
    return {
      begin: async (desk) => {
        ({ id } = await command(desk, caller, request(group.id)));
      },
      done: async () => {
        assert.partialDeepStrictEqual(await getGroupSnapshot(site.database.read, id), {
          status: 'available',
          name: 'both',
        });
        for (const volume of volumes) {
          const part = (await parts()).find(({ volumeId }) => volumeId === volume.id);
          assert.partialDeepStrictEqual(part, {
            status: 'available',
            progress: '100%',
            name: 'both',
            groupSnapshotId: id,
            imageMetadata: volume.bootable ? imageMetadata : null,
          });
          assert.deepEqual(site.content(`alpha/snapshot-${part?.id}`, contentOf(volume).length), contentOf(volume));
        }
        assert.deepEqual(await site.events(), [
          'group_snapshot.create.start',
          ...volumes.map(() => 'snapshot.create.start'),
          'group_snapshot.create.end',
          ...volumes.map(() => 'snapshot.create.end'),
        ]);
        assert.deepEqual(await site.messages(), []);
        assert.deepEqual(await getGroup(site.database.read, group.id), group);
      },
      undone: async () => {
        assert.equal((await getGroupSnapshot(site.database.read, id)).status, 'error');
        assert.deepEqual(await parts(), []);
        assert.deepEqual(site.objects(), volumes.map((volume) => `alpha/volume-${volume.id}`).sort());
        assert.ok((await site.events()).every((event) => !event.endsWith('.end')));
        assert.equal((await site.messages()).length, 1);
        assert.deepEqual(await getGroup(site.database.read, group.id), group);
      },
    };
  });

proveFlow('create_group_snapshot, one after another', createGroupSnapshot, taken({ oneMoment: false }));
proveVariant('create_group_snapshot, in one moment', createGroupSnapshot, taken({ oneMoment: true }));
provesEveryTask(createGroupSnapshot);

/** What it was before: no part, no file, no count; and the group snapshots that say so. */
async function undoneOn(site: Site, volumes: readonly Volume[], told: readonly string[]): Promise<void> {
  assert.deepEqual(await listSnapshots(site.database, {}), []);
  assert.deepEqual(site.objects(), volumes.map(({ id }) => `alpha/volume-${id}`).sort());
  const messages = await site.database.read.selectFrom('message').select(['resource_uuid', 'event_id']).execute();
  assert.deepEqual(
    messages.map(({ resource_uuid, event_id }) => `${resource_uuid} ${event_id}`).sort(),
    [...told].sort(),
  );
  assert.deepEqual(await site.leftovers(), []);
}

describe('create_group_snapshot', () => {
  it('of which the second volume fails leaves nothing, and a message that names it', async (context) => {
    const live = await liveSite(context);
    const { group, volumes } = await pair(live.site);
    const failing = [...volumes].sort((a, b) => (a.id < b.id ? -1 : 1))[1] as Volume;
    const hook: Hook = async (proceed, [ref]) => {
      await proceed();
      if ((ref as { readonly volumeId: string }).volumeId === failing.id) throw new BackendFull('No room.');
      return {};
    };
    live.site.interpose('alpha', 'createSnapshot', hook);
    const made = await command(live.desk, caller, request(group.id));
    assert.equal(made.status, 'creating');
    assert.equal((await live.settledGroupSnapshot(made))?.status, 'error');
    await undoneOn(live.site, volumes, [
      `${failing.id} VOLUME_VOLUME_131_101`,
      `${group.id} VOLUME_VOLUME_GROUP_131_131`,
    ]);
  });

  it('in one moment that cannot be kept leaves nothing, and says why', async (context) => {
    const live = await liveSite(context);
    const { group, volumes } = await pair(live.site, { oneMoment: true });
    live.site.interpose('alpha', 'createGroupSnapshot', refuses(new ConsistentSnapshotRefused('It is attached.')));
    live.site.interpose('alpha', 'createSnapshot', refuses(new Error('Nobody may take one alone.')));
    const made = await command(live.desk, caller, request(group.id));
    assert.equal((await live.settledGroupSnapshot(made))?.status, 'error');
    await undoneOn(live.site, volumes, [`${group.id} VOLUME_VOLUME_GROUP_131_132`]);
  });

  it('keeps everybody else from the group, and its parts from a delete of their own', async (context) => {
    const live = await liveSite(context);
    const { group, volumes } = await pair(live.site);
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    live.site.interpose('alpha', 'createSnapshot', async (proceed) => {
      reached.resolve();
      await released.promise;
      return proceed();
    });
    const made = await command(live.desk, caller, request(group.id));
    await reached.promise;
    await assert.rejects(command(live.desk, caller, request(group.id)), ResourceHeld);
    await assert.rejects(
      updateGroup(live.desk, caller, group.id, { name: null, description: null, added: [], removed: [volumes[0].id] }),
      ResourceHeld,
    );
    const volumeType = (await getVolumeType(live.database.read, volumes[0].volumeTypeId)).name;
    await assert.rejects(
      createVolume(live.desk, caller, volumeRequest({ groupId: group.id, volumeType })),
      ResourceHeld,
    );
    await assert.rejects(deleteGroupSnapshot(live.desk, caller, made.id), InvalidGroupSnapshot);
    released.resolve();
    assert.equal((await live.settledGroupSnapshot(made))?.status, 'available');
    for (const { id } of await listSnapshots(live.database, {}))
      for (const force of [false, true])
        await assert.rejects(deleteSnapshot(live.desk, caller, id, { force }), InvalidSnapshot);
    await assert.rejects(deleteGroup(live.desk, caller, group.id, { withVolumes: true }), InvalidGroup);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  for (const [why, refused, given] of [
    ['an empty group', InvalidGroup, (site: Site) => givenGroup(site)],
    ['a group that is being deleted', InvalidGroup, (site: Site) => givenGroup(site, { status: 'deleting' })],
    [
      'a group whose volume is in error',
      InvalidVolume,
      async (site: Site) => {
        const { group } = await pair(site);
        await givenVolume(site, { groupId: group.id, status: 'error' });
        return group;
      },
    ],
    [
      'a group whose type demands one moment on a backend that keeps none',
      InvalidGroupType,
      async (site: Site) => {
        const { group } = await pair(site);
        await site.database.write((tx) =>
          updateGroupType(tx, group.groupTypeId, { groupSpecs: { [ONE_MOMENT]: '<is> True' } }),
        );
        const service = await findService(site.database.read, 'node@alpha', VOLUME_BINARY);
        assert.ok(service);
        const pools = service.pools.map((pool) => ({ ...pool, [ONE_MOMENT]: false }));
        await site.database.write((tx) => recordHeartbeat(tx, { ...service, pools }));
        return group;
      },
    ],
  ] as const) {
    it(`refuses ${why}, and leaves nothing`, async (context) => {
      const live = await liveSite(context);
      const group = await given(live.site);
      await assert.rejects(command(live.desk, caller, request(group.id)), refused);
      assert.deepEqual(await listGroupSnapshots(live.database, {}), []);
      assert.deepEqual(await listSnapshots(live.database, {}), []);
      assert.deepEqual(
        (await live.site.leftovers()).filter((left) => !left.includes(group.id)),
        [],
      );
    });
  }

  it('refuses what the quota has no room for at the second volume, and counts nothing', async (context) => {
    const live = await liveSite(context, { set: ['quota.quota_snapshots=1'] });
    const { group } = await pair(live.site);
    await assert.rejects(command(live.desk, caller, request(group.id)), SnapshotLimitExceeded);
    assert.deepEqual(await listGroupSnapshots(live.database, {}), []);
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
