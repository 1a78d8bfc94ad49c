/** `POST volumes/{id}/action`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setProjectLimits } from '../../src/db/quota-limits.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { VOLUME_RESET_STATUSES } from '../../src/model/status.ts';
import type { NewVolume } from '../../src/model/volume.ts';
import { beat, pool } from './heartbeats.ts';
import { dump, freshWorld, PROJECT, type World } from './world.ts';

async function volumeAnd(world: World, given: Partial<NewVolume> = {}) {
  const { id } = await world.volume({ host: 'node@file#file', ...given });
  return {
    id,
    act: (name: string, value: unknown, version = '3.0') =>
      world.ask('POST', `/volumes/${id}/action`, { version, body: { [name]: value } }),
    show: async () => (await world.get(`/volumes/${id}`)).body.volume,
  };
}

describe('an action', () => {
  it('of a volume that is not there is not found', async (context) => {
    const world = await freshWorld(context);
    for (const id of [uuid(), 'None']) {
      const body = { 'os-set_bootable': { bootable: true } };
      assert.equal((await world.ask('POST', `/volumes/${id}/action`, { body })).status, 404);
    }
  });
});

describe('os-extend', () => {
  it('wants a size that is larger', async (context) => {
    const world = await freshWorld(context);
    const { act, show } = await volumeAnd(world, { sizeGiB: 2 });
    for (const new_size of [2, 1, 0, -1, 'x', null, 1.5])
      assert.equal((await act('os-extend', { new_size })).status, 400);
    assert.equal((await act('os-extend', {})).status, 400);
    assert.equal((await act('os-extend', { new_size: '3' })).status, 202);
    assert.equal((await show()).status, 'extending');
  });

  it('of a volume in use is allowed from 3.42 on', async (context) => {
    const world = await freshWorld(context);
    const { act } = await volumeAnd(world, { status: 'in-use' });
    assert.equal((await act('os-extend', { new_size: 2 }, '3.41')).status, 400);
    assert.equal((await act('os-extend', { new_size: 2 }, '3.42')).status, 202);
  });

  it('over the quota is 413', async (context) => {
    const world = await freshWorld(context, { set: ['quota.quota_gigabytes=2'] });
    const { act, show } = await volumeAnd(world);
    assert.equal((await act('os-extend', { new_size: 4 })).status, 413);
    assert.equal((await show()).status, 'available');
  });
});

describe('os-retype', () => {
  it('takes a type by id or name, and one of two policies or none', async (context) => {
    const world = await freshWorld(context);
    const { id: other } = await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'other' }));
    for (const request of [
      { new_type: other },
      { new_type: 'other', migration_policy: 'never' },
      { new_type: 'other', migration_policy: 'on-demand' },
    ]) {
      const { act, show } = await volumeAnd(world);
      const answer = await act('os-retype', request);
      assert.deepEqual([answer.status, answer.text], [202, '']);
      const { status, volume_type } = await show();
      assert.deepEqual([status, volume_type], ['retyping', '__DEFAULT__']);
    }
  });

  it('refuses what is no such request, and finds no type that is not there', async (context) => {
    const world = await freshWorld(context);
    await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'other' }));
    const { act, show } = await volumeAnd(world);
    for (const [request, status] of [
      [null, 400],
      [{}, 400],
      [{ new_type: null }, 400],
      [{ new_type: 'other', migration_policy: 'always' }, 400],
      [{ new_type: 'other', more: 1 }, 400],
      [{ new_type: '__DEFAULT__' }, 400],
      [{ new_type: '' }, 404],
      [{ new_type: 'nothing' }, 404],
    ] as const)
      assert.equal((await act('os-retype', request)).status, status, JSON.stringify(request));
    assert.equal((await show()).status, 'available');
  });

  it('over the quota of the new type is 413', async (context) => {
    const world = await freshWorld(context);
    await world.service.db.write(async (tx) => {
      await insertVolumeType(tx, { id: uuid(), name: 'other' });
      await setProjectLimits(tx, PROJECT, { volumes_other: 0 });
    });
    const { act, show } = await volumeAnd(world);
    const answer = await act('os-retype', { new_type: 'other' });
    assert.deepEqual([answer.status, answer.headers['retry-after']], [413, '0']);
    assert.equal((await show()).status, 'available');
  });
});

describe('os-migrate_volume', () => {
  const other = 'node@other#other';
  const act = (world: World, id: string, request: unknown, version = '3.16') =>
    world.ask('POST', `/volumes/${id}/action`, { version, body: { 'os-migrate_volume': request } });

  it('takes a host, and booleans in any words', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@other', pools: [pool('other')] });
    for (const [request, status] of [
      [{ host: other }, 'available'],
      [{ host: 'node@other', cluster: null, force_host_copy: 'True', lock_volume: 'no' }, 'available'],
      [{ host: other, force_host_copy: true, lock_volume: 'Yes' }, 'maintenance'],
    ] as const) {
      const { id, show } = await volumeAnd(world);
      const answer = await act(world, id, request);
      assert.deepEqual([answer.status, answer.text], [202, ''], answer.text);
      const shown = await show();
      const expected = { status, migration_status: 'starting', 'os-vol-mig-status-attr:migstat': 'starting' };
      assert.partialDeepStrictEqual(shown, expected);
    }
  });

  it('refuses what is no such request, and knows no clusters', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@other', pools: [pool('other')] });
    const { id, show } = await volumeAnd(world);
    for (const [request, version] of [
      [null, '3.16'],
      [{}, '3.16'],
      [{ host: null }, '3.16'],
      [{ host: '' }, '3.16'],
      [{ host: other, cluster: 'c' }, '3.16'],
      [{ cluster: 'c' }, '3.16'],
      [{ host: other, cluster: null }, '3.15'],
      [{ host: other, force_host_copy: 'perhaps' }, '3.16'],
      [{ host: other, lock_volume: 2 }, '3.16'],
      [{ host: other, more: 1 }, '3.16'],
      [{ host: 'node@file#file' }, '3.16'],
      [{ host: 'opsA@r2' }, '3.16'],
    ] as const)
      assert.equal((await act(world, id, request, version)).status, 400, JSON.stringify(request));
    assert.equal((await act(world, uuid(), { host: other })).status, 404);
    assert.equal((await show()).migration_status, null);
  });
});

describe('os-extend_volume_completion', () => {
  it('is refused in each status, for a volume that waits for nobody, and changes nothing', async (context) => {
    const world = await freshWorld(context);
    const at = (version: string, id: string, request: unknown) =>
      world.ask('POST', `/volumes/${id}/action`, { version, body: { 'os-extend_volume_completion': request } });
    for (const status of ['available', 'in-use', 'extending', 'error_extending'] as const) {
      const { id } = await volumeAnd(world, { status });
      const before = await dump(world);
      for (const request of [{}, { error: false }, { error: 'True' }]) {
        const answer = await at('3.71', id, request);
        assert.equal(answer.status, 400, JSON.stringify(request));
        assert.match(answer.body.badRequest.message, /waits for nobody to complete an extension/);
      }
      assert.deepEqual(await dump(world), before);
    }
    const { id } = await volumeAnd(world);
    assert.equal((await at('3.71', uuid(), { error: false })).status, 404);
    assert.equal((await at('3.70', id, { error: false })).status, 404);
    for (const request of [{ error: 'perhaps' }, { error: null }, { more: 1 }, null])
      assert.equal((await at('3.71', id, request)).status, 400, JSON.stringify(request));
  });
});

describe('os-migrate_volume_completion', () => {
  it('of two volumes that do not migrate keeps the new one, and changes nothing', async (context) => {
    const world = await freshWorld(context);
    const { act } = await volumeAnd(world, { migrationStatus: 'success' });
    const { id: new_volume } = await world.volume();
    const before = await dump(world);
    for (const request of [{ new_volume }, { new_volume, error: null }, { new_volume, error: 'True' }]) {
      const answer = await act('os-migrate_volume_completion', request);
      assert.deepEqual([answer.status, answer.body], [200, { save_volume_id: new_volume }]);
    }
    assert.deepEqual(await dump(world), before);
  });

  it('refuses volumes that migrate, and what is no volume', async (context) => {
    const world = await freshWorld(context);
    const { act } = await volumeAnd(world);
    const migrating = await volumeAnd(world, { migrationStatus: 'migrating' });
    const { id: new_volume } = await world.volume();
    assert.equal((await act('os-migrate_volume_completion', { new_volume: migrating.id })).status, 400);
    assert.equal((await migrating.act('os-migrate_volume_completion', { new_volume })).status, 400);
    assert.equal((await act('os-migrate_volume_completion', { new_volume: uuid() })).status, 404);
    for (const request of [{}, { new_volume: null }, { new_volume: 'x' }, { new_volume, error: 'perhaps' }, null])
      assert.equal((await act('os-migrate_volume_completion', request)).status, 400, JSON.stringify(request));
  });
});

describe('os-set_bootable and os-update_readonly_flag', () => {
  it('take a boolean in any words', async (context) => {
    const world = await freshWorld(context);
    const { act, show } = await volumeAnd(world);
    for (const [said, shown] of [
      [true, 'true'],
      ['off', 'false'],
      ['Yes', 'true'],
      ['0', 'false'],
    ] as const) {
      assert.equal((await act('os-set_bootable', { bootable: said })).status, 200);
      assert.equal((await show()).bootable, shown);
    }
    for (const said of ['perhaps', 1, null, ''])
      assert.equal((await act('os-set_bootable', { bootable: said })).status, 400);
  });

  it('show the flag among the metadata, as text', async (context) => {
    const world = await freshWorld(context);
    const { act, show } = await volumeAnd(world);
    assert.equal((await act('os-update_readonly_flag', { readonly: 'true' })).status, 202);
    assert.deepEqual((await show()).metadata, { readonly: 'True' });
    assert.equal((await act('os-update_readonly_flag', { readonly: false })).status, 202);
    assert.deepEqual((await show()).metadata, { readonly: 'False' });
  });

  it('want a volume that is not in use', async (context) => {
    const world = await freshWorld(context);
    const { act } = await volumeAnd(world, { status: 'in-use' });
    assert.equal((await act('os-update_readonly_flag', { readonly: true })).status, 400);
  });
});

describe('os-reset_status', () => {
  it('says what is true, and tells it', async (context) => {
    const world = await freshWorld(context);
    const { act, show } = await volumeAnd(world, { status: 'deleting', migrationStatus: 'migrating' });
    const request = { status: 'error', attach_status: 'detached', migration_status: 'none' };
    assert.equal((await act('os-reset_status', request)).status, 202);
    const volume = await show();
    assert.deepEqual([volume.status, volume.migration_status], ['error', null]);
    const events = await world.service.db.read.selectFrom('outbox').select('event_type').orderBy('seq').execute();
    assert.deepEqual(
      events.map(({ event_type }) => event_type),
      ['volume.reset_status.start', 'volume.reset_status.end'],
    );
  });

  it('says any status there is, in upper or lower case, but not that a free volume is in use', async (context) => {
    const world = await freshWorld(context);
    const { act, show } = await volumeAnd(world);
    const shown: Record<string, string> = { managing: 'creating', error_managing: 'error' };
    for (const status of VOLUME_RESET_STATUSES) {
      for (const said of [status, status.toUpperCase(), `${status.slice(0, 1).toUpperCase()}${status.slice(1)}`]) {
        const answer = await act('os-reset_status', { status: said });
        assert.equal(answer.status, status === 'in-use' ? 400 : 202, `${said}: ${answer.text}`);
        if (status !== 'in-use') assert.equal((await show()).status, shown[status] ?? status);
      }
    }
    assert.equal((await act('os-reset_status', { attach_status: 'Attached' })).status, 400);
    assert.equal((await act('os-reset_status', { attach_status: 'Detached' })).status, 202);
    assert.equal((await act('os-reset_status', { migration_status: 'Success' })).status, 202);
    assert.equal((await show()).migration_status, 'success');
  });

  it('wants at least one status, and one that exists', async (context) => {
    const world = await freshWorld(context);
    const { act } = await volumeAnd(world);
    for (const request of [
      {},
      { status: 'nice' },
      { status: 'deleting' },
      { status: 'unmanaging' },
      { status: '' },
      { attach_status: 'maybe' },
      { migration_status: 'x' },
      { status: null },
      { colour: 'red' },
    ]) {
      assert.equal((await act('os-reset_status', request)).status, 400, JSON.stringify(request));
    }
  });
});

describe('os-force_delete', () => {
  it('deletes from any status', async (context) => {
    const world = await freshWorld(context);
    for (const status of ['creating', 'error_deleting', 'maintenance', 'attaching'] as const) {
      const { act, show } = await volumeAnd(world, { status });
      assert.equal((await act('os-force_delete', {})).status, 202, status);
      assert.equal((await show()).status, 'deleting');
    }
  });
});

describe('the metadata of a volume’s image', () => {
  it('is shown, set and unset', async (context) => {
    const world = await freshWorld(context);
    const { act, show } = await volumeAnd(world);
    assert.deepEqual((await act('os-show_image_metadata', null)).body, { metadata: {} });
    assert.equal('volume_image_metadata' in (await show()), false);
    const set = await act('os-set_image_metadata', { metadata: { os: 'linux', arch: 'x' } });
    assert.deepEqual([set.status, set.body], [200, { metadata: { os: 'linux', arch: 'x' } }]);
    assert.deepEqual((await act('os-set_image_metadata', { metadata: { os: 'bsd' } })).body.metadata, {
      os: 'bsd',
      arch: 'x',
    });
    assert.deepEqual((await show()).volume_image_metadata, { os: 'bsd', arch: 'x' });
    assert.equal((await act('os-unset_image_metadata', { key: 'arch' })).status, 200);
    assert.equal((await act('os-unset_image_metadata', { key: 'arch' })).status, 404);
    assert.deepEqual((await act('os-show_image_metadata', {})).body, { metadata: { os: 'bsd' } });
    assert.equal((await act('os-set_image_metadata', { metadata: { os: 1 } })).status, 400);
    assert.equal((await act('os-unset_image_metadata', {})).status, 400);
  });
});

describe('os-unmanage', () => {
  it('is refused while there are snapshots', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    await world.snapshot(volume);
    const path = `/volumes/${volume.id}/action`;
    assert.equal((await world.ask('POST', path, { body: { 'os-unmanage': {} } })).status, 400);
    const { act, show } = await volumeAnd(world);
    assert.equal((await act('os-unmanage', {})).status, 202);
    assert.equal((await show()).status, 'unmanaging');
  });
});
