import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beat } from './heartbeats.ts';
import { freshWorld, PROJECT } from './world.ts';

const OTHER = 'ffffffffffffffffffffffffffffffff';

describe('the list of hosts', () => {
  it('has exactly the keys that clients expect, and says who lives and who is given anything', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node', binary: 'cinder-scheduler' });
    await beat(world, { host: 'node@file', zone: 'cellar', silentFor: 61 });
    await world.ask('PUT', '/os-services/disable', { body: { host: 'node@file', binary: 'cinder-volume' } });
    const [scheduler, volume] = (await world.get('/os-hosts')).body.hosts;
    assert.match(volume['last-update'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    assert.deepEqual(scheduler, {
      host_name: 'node',
      service: 'cinder-scheduler',
      zone: 'nova',
      'service-status': 'available',
      'service-state': 'enabled',
      'last-update': scheduler['last-update'],
    });
    assert.partialDeepStrictEqual(volume, { 'service-status': 'unavailable', 'service-state': 'disabled' });
    const cellar = (await world.get('/os-hosts?zone=cellar')).body.hosts;
    assert.deepEqual(cellar, [volume]);
  });
});

describe('a host', () => {
  it('says what each project has there, in all its pools, as text', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@file' });
    const volume = await world.volume({ host: 'node@file#one', sizeGiB: 2 });
    await world.volume({ host: 'node@file#two', sizeGiB: 3 });
    await world.volume({ host: 'node@file', sizeGiB: 4, projectId: OTHER });
    await world.volume({ host: 'node@file2#one', sizeGiB: 100 });
    await world.snapshot(volume, { volumeSizeGiB: 1 });
    const { host } = (await world.get('/os-hosts/node@file')).body;
    const row = (project: string, volumes: string, volumesGb: string, snapshots: string, snapshotsGb: string) => ({
      resource: {
        host: 'node@file',
        project,
        volume_count: volumes,
        total_volume_gb: volumesGb,
        snapshot_count: snapshots,
        total_snapshot_gb: snapshotsGb,
      },
    });
    assert.deepEqual(host, [
      row('(total)', '3', '9', '1', '1'),
      row(PROJECT, '2', '5', '1', '1'),
      row(OTHER, '1', '4', '0', '0'),
    ]);
  });

  it('that is empty has a total of nothing, and one that serves no volumes is not found', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@file' });
    await beat(world, { host: 'node', binary: 'cinder-scheduler' });
    const [total, ...others] = (await world.get('/os-hosts/node@file')).body.host;
    assert.equal(total.resource.volume_count, '0');
    assert.deepEqual(others, []);
    for (const host of ['node', 'nobody']) assert.equal((await world.ask('GET', `/os-hosts/${host}`)).status, 404);
  });

  it('is disabled and enabled', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@file' });
    const put = (host: string, status: string) => world.ask('PUT', `/os-hosts/${host}`, { body: { status } });
    const state = async () => (await world.get('/os-services')).body.services[0].status;
    assert.deepEqual((await put('node@file', 'disable')).body, { host: 'node@file', status: 'disabled' });
    assert.equal(await state(), 'disabled');
    assert.deepEqual((await put('node@file', ' Enable ')).body, { host: 'node@file', status: 'enabled' });
    assert.equal(await state(), 'enabled');
    assert.equal((await put('node@file', 'reboot')).status, 400);
    assert.equal((await put('nobody', 'enable')).status, 404);
    const unknown = await world.ask('PUT', '/os-hosts/node@file', { body: { maintenance_mode: 'enable' } });
    assert.equal(unknown.status, 400);
  });
});
