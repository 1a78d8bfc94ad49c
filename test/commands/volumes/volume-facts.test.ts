/** The commands that begin no flow: what a volume is called, what is written on it, what an administrator says of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resetVolumeStatus } from '../../../src/commands/volumes/reset-volume-status.ts';
import { setBootable } from '../../../src/commands/volumes/set-bootable.ts';
import { setReadonly } from '../../../src/commands/volumes/set-readonly.ts';
import { setVolumeImageMetadata } from '../../../src/commands/volumes/set-volume-image-metadata.ts';
import { setVolumeMetadata } from '../../../src/commands/volumes/set-volume-metadata.ts';
import { updateVolume } from '../../../src/commands/volumes/update-volume.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Caller } from '../../../src/model/caller.ts';
import { givenVolume } from '../../flows/given.ts';
import { type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { caller } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const stranger: Caller = { ...caller, isAdmin: false, projectId: 'f'.repeat(32) };
const merge = { is: 'merge', metadata: { b: '2' } } as const;

describe('what is said of a volume', () => {
  it('is refused, and leaves nothing, when the volume is not there for the caller', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site);
    const { desk } = live;
    for (const [by, which] of [
      [stranger, id],
      [caller, uuid()],
    ] as const)
      for (const say of [
        () => updateVolume(desk, by, which, { name: 'x' }),
        () => setVolumeMetadata(desk, by, which, merge),
        () => setVolumeImageMetadata(desk, by, which, merge),
        () => setBootable(desk, by, which, true),
        () => setReadonly(desk, by, which, true),
        () => resetVolumeStatus(desk, by, which, { status: 'error' }),
      ])
        await refused(live, say, { name: 'VolumeNotFound', status: 404 });
  });

  it('is refused, and leaves nothing, while the volume is in maintenance', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site, { status: 'maintenance' });
    const { desk } = live;
    for (const say of [
      () => updateVolume(desk, caller, id, { name: 'x' }),
      () => setVolumeMetadata(desk, caller, id, merge),
      () => setVolumeImageMetadata(desk, caller, id, merge),
      () => setReadonly(desk, caller, id, true),
    ])
      await refused(live, say, { name: 'InvalidVolume', status: 400 });
  });

  it('changes what it names and nothing else, and raises the revision each time', async (context) => {
    const live = await liveSite(context, resting);
    const given = await givenVolume(live.site, { name: 'old', description: 'kept', metadata: { a: '1' } });
    const { desk } = live;
    const { id } = given;
    const unchanged = await updateVolume(desk, caller, id, {});
    assert.deepEqual(unchanged, given);
    assert.partialDeepStrictEqual(await updateVolume(desk, caller, id, { name: null }), {
      name: null,
      description: 'kept',
    });
    assert.deepEqual(await setVolumeMetadata(desk, caller, id, merge), { a: '1', b: '2' });
    assert.deepEqual(await setVolumeMetadata(desk, caller, id, { is: 'remove', key: 'a' }), { b: '2' });
    assert.deepEqual(await setVolumeMetadata(desk, caller, id, { is: 'replace', metadata: { c: '3' } }), { c: '3' });
    assert.deepEqual(await setVolumeImageMetadata(desk, caller, id, merge), { b: '2' });
    await setBootable(desk, caller, id, true);
    await setReadonly(desk, caller, id, true);
    const { revision, ...rest } = await getVolume(live.database.read, id);
    assert.equal(revision, given.revision + 7);
    const expected = {
      metadata: { c: '3' },
      imageMetadata: { b: '2' },
      bootable: true,
      adminMetadata: { readonly: 'True' },
    };
    assert.partialDeepStrictEqual(rest, { ...expected, status: 'available', description: 'kept' });
  });

  it('is refused, and leaves nothing, for metadata that is not there or has changed since it was looked at', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site, { metadata: { a: '1' } });
    const take = (key: string) => setVolumeMetadata(live.desk, caller, id, { is: 'remove', key });
    for (const key of ['b', 'toString', '__proto__'])
      await refused(live, () => take(key), { name: 'MetadataKeyNotFound', status: 404 });
    const stale = () => setVolumeMetadata(live.desk, caller, id, merge, () => false);
    await refused(live, stale, { name: 'PreconditionFailed', status: 412 });
  });

  it('is what an administrator says of its status, told at both ends', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site, { status: 'error_deleting', migrationStatus: 'migrating' });
    await resetVolumeStatus(live.desk, caller, id, { status: 'available', migrationStatus: null });
    assert.partialDeepStrictEqual(await getVolume(live.database.read, id), {
      status: 'available',
      migrationStatus: null,
    });
    assert.deepEqual(await live.site.events(), ['volume.reset_status.start', 'volume.reset_status.end']);
  });
});
