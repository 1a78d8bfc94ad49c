/** The names of the OpenStack exporter, and what dashboards made for it ask of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, onBoth, PROJECT, USER, type World } from '../api/world.ts';
import type { FreshDatabase } from '../databases.ts';
import { type Reading, readText, sampleOf } from './read-text.ts';

async function scrape({ service }: World): Promise<Reading> {
  const reading = readText((await service.metrics?.openstackText()) ?? '');
  assert.deepEqual(reading.complaints, []);
  return reading;
}

async function world(context: TestContext, database: FreshDatabase, set: readonly string[] = []): Promise<World> {
  const made = await freshWorld(context, { database, running: true, set: ['metrics.enabled=true', ...set] });
  await made.volume({ name: 'well', sizeGiB: 3 });
  const attached = await made.volume({ status: 'error_extending', name: 'a "bad" one', sizeGiB: 7, bootable: true });
  await made.ask('POST', '/attachments', {
    version: '3.54',
    body: { attachment: { volume_uuid: attached.id, instance_uuid: uuid() } },
  });
  await made.snapshot(attached);
  return made;
}

const labelsOf = (reading: Reading, name: string) =>
  reading.families.find((family) => family.name === name)?.samples.map(({ labels }) => labels) ?? [];

describe('the names of the OpenStack exporter', () => {
  onBoth('tell of volumes by status, services, pools and quotas', async (context, database) => {
    const made = await world(context, database);
    await made.ask('POST', '/volumes', { body: { volume: { size: 2 } } });
    const reading = await scrape(made);
    const of = (name: string, labels = {}) => sampleOf(reading, `openstack_cinder_${name}`, labels);
    assert.deepEqual([of('up'), of('volumes'), of('snapshots')], [1, 3, 1]);
    assert.equal(of('volume_status_counter', { status: 'error_extending' }), 1);
    assert.equal(of('volume_status_counter', { status: 'maintenance' }), 0);
    assert.equal(of('agent_state', { hostname: 'node@file', service: 'cinder-volume', adminState: 'enabled' }), 1);
    const pool = { name: 'node@file#file', volume_backend_name: 'file' };
    assert.ok((of('pool_capacity_total_gb', pool) ?? 0) >= (of('pool_capacity_free_gb', pool) ?? Number.NaN));
    const tenant = { tenant: PROJECT, tenant_id: PROJECT };
    assert.deepEqual([of('limits_volume_used_gb', tenant), of('limits_volume_max_gb', tenant)], [2, 1000]);
    assert.equal(of('volume_type_quota_gigabytes', { ...tenant, volume_type: '__DEFAULT__' }), -1);
    await made.ask('PUT', `/os-quota-sets/${PROJECT}`, { body: { quota_set: { gigabytes: 50 } } });
    assert.equal(sampleOf(await scrape(made), 'openstack_cinder_limits_volume_max_gb', tenant), 50);
  });

  onBoth('have series of a volume only while its status is an error', async (context, database) => {
    const reading = await scrape(await world(context, database));
    const [volume, ...others] = labelsOf(reading, 'openstack_cinder_volume_gb');
    assert.deepEqual(others, []);
    assert.partialDeepStrictEqual(volume, {
      name: 'a "bad" one',
      status: 'error_extending',
      bootable: 'true',
      tenant_id: PROJECT,
      user_id: USER,
      volume_type: '__DEFAULT__',
    });
    assert.equal(sampleOf(reading, 'openstack_cinder_volume_gb'), 7);
    assert.equal(sampleOf(reading, 'openstack_cinder_volume_status', { size: '7' }), 15);
  });

  onBoth('have statuses as the API shows them', async (context, database) => {
    const made = await world(context, database);
    await made.volume({ status: 'error_managing', name: 'taken over' });
    await made.volume({ status: 'managing' });
    const { body } = await made.get('/volumes?name=taken%20over');
    const { status } = (await made.get(`/volumes/${body.volumes[0].id}`)).body.volume;
    const reading = await scrape(made);
    assert.deepEqual(
      labelsOf(reading, 'openstack_cinder_volume_status')
        .map((labels) => labels.status)
        .toSorted(),
      ['error', 'error_extending'],
    );
    assert.equal(sampleOf(reading, 'openstack_cinder_volume_status', { status }), 9);
    const counted = (name: string) => sampleOf(reading, 'openstack_cinder_volume_status_counter', { status: name });
    assert.deepEqual([counted('error'), counted('creating'), counted('error_managing')], [1, 1, undefined]);
  });

  onBoth('have series of every volume where that is asked for', async (context, database) => {
    const made = await world(context, database, ['metrics.openstack_all_volumes=true']);
    const reading = await scrape(made);
    assert.equal(sampleOf(reading, 'openstack_cinder_volume_gb', { name: 'well' }), 3);
    assert.equal(sampleOf(reading, 'openstack_cinder_volume_status', { name: 'well' }), 1);
  });

  onBoth('are those that docs/monitoring.md lists, with its labels', async (context, database) => {
    const reading = await scrape(await world(context, database));
    const [, ours = ''] = readFileSync('docs/monitoring.md', 'utf8').split('## The names of the OpenStack exporter');
    const documented = [...ours.matchAll(/^\| `(openstack_\w+)` \| *([\w, ]*?) *(?::.*)?\|/gm)];
    assert.deepEqual(
      documented.map(([, name]) => name),
      reading.families.map(({ name }) => name),
    );
    for (const [, name = '', labels = ''] of documented) {
      const [one] = labelsOf(reading, name);
      if (one !== undefined) assert.deepEqual(Object.keys(one), labels.split(', ').filter(Boolean), name);
    }
  });

  onBoth('tell that nothing can be told while the database is silent', async (context, database) => {
    const made = await world(context, database);
    const { ownership } = made.service.db;
    const take = ownership.take.bind(ownership);
    ownership.take = () => Promise.reject(new Error('gone'));
    const reading = await scrape(made);
    ownership.take = take;
    assert.deepEqual(
      reading.families.flatMap(({ samples }) => samples.map(({ name, value }) => [name, value])),
      [['openstack_cinder_up', 0]],
    );
  });
});
