import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteGroupSnapshot } from '../../../src/commands/group-snapshots/delete-group-snapshot.ts';
import { createGroupFromSource as command } from '../../../src/commands/groups/create-group-from-source.ts';
import { updateGroupSnapshot } from '../../../src/db/group-snapshots.ts';
import { getGroup, listGroups } from '../../../src/db/groups.ts';
import { updateSnapshot } from '../../../src/db/snapshots.ts';
import { listVolumes, updateVolume } from '../../../src/db/volumes.ts';
import { createGroupFromSource } from '../../../src/flows/groups/create-group-from-source.ts';
import {
  BackendFull,
  InvalidGroup,
  InvalidGroupSnapshot,
  InvalidInput,
  InvalidSnapshot,
  InvalidVolume,
  type PumiceError,
  VolumeLimitExceeded,
  VolumeSizeExceedsAvailableQuota,
} from '../../../src/model/errors.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenGroup, givenGroupSnapshot, givenVolume, keepsMoments } from '../given.ts';
import type { Hook } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

type From = 'group' | 'group snapshot';

/** A group of two volumes with a group snapshot of it. */
async function given(site: Site) {
  const group = await givenGroup(site);
  const imageMetadata = { image_id: 'i', min_disk: '0' };
  const volumes: readonly [Volume, Volume] = [
    await givenVolume(site, { groupId: group.id, bootable: true, imageMetadata }),
    await givenVolume(site, { groupId: group.id, sizeGiB: 2 }),
  ];
  const { groupSnapshot, parts } = await givenGroupSnapshot(site, group, volumes);
  for (const { id, volumeId } of parts)
    if (volumeId === volumes[0].id) await site.database.write((tx) => updateSnapshot(tx, id, { imageMetadata }));
  return { group, volumes, groupSnapshot, parts, imageMetadata };
}

const request = (from: From, is: { readonly group: { id: string }; readonly groupSnapshot: { id: string } }) => ({
  name: 'copy',
  description: null,
  groupSnapshotId: from === 'group' ? null : is.groupSnapshot.id,
  sourceGroupId: from === 'group' ? is.group.id : null,
});

const made = (from: From) =>
  onSite(async (site) => {
    const is = await given(site);
    const { group, volumes, parts, imageMetadata } = is;
    const before = site.objects();
    const { read } = site.database;
    let id = '';
    const members = async (): Promise<readonly Volume[]> =>
      (await listVolumes(site.database, {})).filter(({ groupId }) => groupId === id);
    return {
      begin: async (desk) => {
        ({ id } = await command(desk, caller, request(from, is)));
      },
      done: async () => {
        assert.partialDeepStrictEqual(await getGroup(read, id), {
          name: 'copy',
          status: 'available',
          host: group.host,
          groupTypeId: group.groupTypeId,
          volumeTypeIds: group.volumeTypeIds,
          groupSnapshotId: from === 'group' ? null : is.groupSnapshot.id,
          sourceGroupId: from === 'group' ? group.id : null,
        });
        for (const volume of volumes) {
          const part = parts.find(({ volumeId }) => volumeId === volume.id);
          const source = from === 'group' ? { sourceVolumeId: volume.id } : { snapshotId: part?.id };
          const copy = (await members()).find((each) =>
            from === 'group' ? each.sourceVolumeId === volume.id : each.snapshotId === part?.id,
          );
          assert.partialDeepStrictEqual(copy, {
            ...source,
            status: 'available',
            name: null,
            sizeGiB: volume.sizeGiB,
            bootable: volume.bootable,
            imageMetadata: volume.bootable ? imageMetadata : null,
            volumeTypeId: volume.volumeTypeId,
          });
          const content = contentOf(from === 'group' ? volume : { id: part?.id ?? '' });
          assert.deepEqual(site.content(`alpha/volume-${copy?.id}`, content.length), content);
        }
        assert.equal((await members()).length, 2);
        assert.deepEqual(await site.events(), [
          'group.create.start',
          ...volumes.map(() => 'volume.create.start'),
          'group.create.end',
          ...volumes.map(() => 'volume.create.end'),
        ]);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        assert.equal((await getGroup(read, id)).status, 'error');
        assert.deepEqual(await members(), []);
        assert.deepEqual(site.objects(), before);
        assert.ok((await site.events()).every((event) => !event.endsWith('.end')));
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

proveFlow('create_group_from_source, a group snapshot', createGroupFromSource, made('group snapshot'));
proveVariant('create_group_from_source, a group', createGroupFromSource, made('group'));
provesEveryTask(createGroupFromSource);

describe('create_group_from_source', () => {
  for (const from of ['group', 'group snapshot'] as const) {
    it(`a ${from}, of which the second volume fails, leaves nothing but the group, and a message that names it`, async (context) => {
      const live = await liveSite(context);
      const is = await given(live.site);
      const before = live.site.objects();
      let calls = 0;
      const hook: Hook = async (proceed) => {
        await proceed();
        calls += 1;
        if (calls === 2) throw new BackendFull('No room.');
        return {};
      };
      live.site.interpose('alpha', from === 'group' ? 'createClonedVolume' : 'createVolumeFromSnapshot', hook);
      const { id } = await command(live.desk, caller, request(from, is));
      assert.equal((await live.settledGroup({ id }))?.status, 'error');
      assert.deepEqual(
        (await live.volumes()).map((volume) => volume.id).sort(),
        is.volumes.map((volume) => volume.id).sort(),
      );
      assert.deepEqual(live.site.objects(), before);
      const told = await live.database.read.selectFrom('message').select(['resource_uuid', 'event_id']).execute();
      const ofVolume = told.find(({ event_id }) => event_id === 'VOLUME_VOLUME_121_101');
      assert.ok(is.volumes.some((volume) => volume.id === ofVolume?.resource_uuid));
      assert.ok(told.some(({ resource_uuid, event_id }) => resource_uuid === id && event_id.endsWith('_121_131')));
      assert.equal(told.length, 2);
      assert.deepEqual(await live.site.leftovers(), []);
    });

    for (const [limit, refused] of [
      ['quota_volumes=3', VolumeLimitExceeded],
      ['quota_gigabytes=7', VolumeSizeExceedsAvailableQuota],
    ] as const) {
      it(`a ${from}, refuses what ${limit} has no room for at the second volume, and counts nothing`, async (context) => {
        const live = await liveSite(context, { set: [`quota.${limit}`] });
        const is = await given(live.site);
        await assert.rejects(command(live.desk, caller, request(from, is)), refused);
        assert.equal((await listGroups(live.database, {})).length, 1);
        assert.deepEqual(await live.site.leftovers(), []);
      });
    }
  }

  it('is made of one thing, and neither of none nor of two', async (context) => {
    const live = await liveSite(context);
    const is = await given(live.site);
    const both = { ...request('group', is), groupSnapshotId: is.groupSnapshot.id };
    const none = { ...both, groupSnapshotId: null, sourceGroupId: null };
    for (const wrong of [both, none]) await assert.rejects(command(live.desk, caller, wrong), InvalidInput);
  });

  it('keeps what it is made from until it is there', async (context) => {
    const live = await liveSite(context);
    const is = await given(live.site);
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    live.site.interpose('alpha', 'createVolumeFromSnapshot', async (proceed) => {
      reached.resolve();
      await released.promise;
      return proceed();
    });
    const { id } = await command(live.desk, caller, request('group snapshot', is));
    await reached.promise;
    await assert.rejects(deleteGroupSnapshot(live.desk, caller, is.groupSnapshot.id), InvalidGroupSnapshot);
    released.resolve();
    assert.equal((await live.settledGroup({ id }))?.status, 'available');
    await deleteGroupSnapshot(live.desk, caller, is.groupSnapshot.id);
    assert.equal(await live.settledGroupSnapshot(is.groupSnapshot), undefined);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  type Given = Awaited<ReturnType<typeof given>>;
  const REFUSED: readonly (readonly [
    string,
    From,
    new (...args: never[]) => PumiceError,
    (site: Site, is: Given) => Promise<unknown>,
  ])[] = [
    [
      'whose volume is in error',
      'group',
      InvalidVolume,
      ({ database }, { volumes: [, second] }) =>
        database.write((tx) => updateVolume(tx, second.id, { status: 'error' })),
    ],
    [
      'that is empty',
      'group',
      InvalidGroup,
      ({ database }, { volumes }) =>
        database.write(async (tx) => {
          for (const { id } of volumes) await updateVolume(tx, id, { groupId: null });
        }),
    ],
    [
      'in use, whose type demands one moment',
      'group',
      InvalidGroup,
      async (site, { group, volumes: [first] }) => {
        await keepsMoments(site, group);
        await site.database.write((tx) => updateVolume(tx, first.id, { status: 'in-use' }));
      },
    ],
    [
      'in error',
      'group snapshot',
      InvalidGroupSnapshot,
      ({ database }, { groupSnapshot }) =>
        database.write((tx) => updateGroupSnapshot(tx, groupSnapshot.id, { status: 'error' })),
    ],
    [
      'with a part in error',
      'group snapshot',
      InvalidSnapshot,
      ({ database }, { parts }) => database.write((tx) => updateSnapshot(tx, parts[0]?.id ?? '', { status: 'error' })),
    ],
  ];
  for (const [what, from, refused, spoil] of REFUSED) {
    it(`refuses a ${from} ${what}, and leaves nothing`, async (context) => {
      const live = await liveSite(context);
      const is = await given(live.site);
      await spoil(live.site, is);
      await assert.rejects(command(live.desk, caller, request(from, is)), refused);
      assert.equal((await listGroups(live.database, {})).length, 1);
      assert.equal((await live.volumes()).length, 2);
      assert.deepEqual(await live.site.leftovers(), []);
    });
  }
});
