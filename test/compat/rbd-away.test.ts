/** A whole service while a part of its Ceph cluster is dead or frozen: requests are answered, work waits, nothing is lost, and it comes back by itself. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type CephCluster, cephForVolumes, noRbd } from '../ceph-cluster.ts';
import { RbdSite } from './rbd-site.ts';

describe('a service whose Ceph cluster falls silent', { skip: noRbd }, () => {
  let ceph: CephCluster;
  before(async () => {
    ceph = await cephForVolumes({ onDisk: true });
  });
  after(() => ceph?.remove());

  const FAULTS = [
    { what: 'OSD is killed', begin: () => ceph.kill('osd'), end: () => ceph.begin('osd') },
    { what: 'OSD is frozen', begin: () => ceph.freeze('osd'), end: () => ceph.thaw('osd') },
    { what: 'monitor is frozen', begin: () => ceph.freeze('mon'), end: () => ceph.thaw('mon') },
  ] as const;

  for (const { what, begin, end } of FAULTS) {
    it(`answers, waits, says why, and goes on by itself when the ${what}`, async (t) => {
      let isAway = false;
      t.after(() => (isAway ? end() : undefined));
      const site = await RbdSite.open(t, ceph, ['service_down_time = 6']);
      await site.begin();
      const image = await site.image('written in the image');
      const source = await site.make({ size: 1, imageRef: image });
      const [grown, doomed] = [await site.make({ size: 1 }), await site.make({ size: 1 })];
      const state = async (): Promise<string> => {
        const { services } = await site.api('GET', '/os-services?binary=cinder-volume');
        return services[0].state;
      };

      isAway = true;
      await begin();
      const { volume: clone } = await site.api('POST', '/volumes', { volume: { size: 1, source_volid: source } });
      const { volume: blank } = await site.api('POST', '/volumes', { volume: { size: 1 } });
      await site.api('POST', `/volumes/${grown}/action`, { 'os-extend': { new_size: 2 } });
      await site.api('DELETE', `/volumes/${doomed}`);
      await site.until('the backend counts as down', async () => (await state()) === 'down');
      // What needs no monitor goes on without one.
      const { volume: waiting } = await site.api('GET', `/volumes/${clone.id}`);
      assert.equal(waiting.status, 'creating');
      await site.until('it is told why', async () =>
        /does not answer/.test(JSON.stringify(await site.own(`/why/${clone.id}`))),
      );
      assert.equal((await site.api('GET', `/volumes/${source}`)).volume.status, 'available');
      for (const pid of await site.helpers()) process.kill(pid, 'SIGKILL');

      await end();
      isAway = false;
      await site.until('the backend is up', async () => (await state()) === 'up');
      for (const id of [clone.id, blank.id, grown]) await site.rests('volume', id);
      await site.gone(`/volumes/${doomed}`);
      assert.equal((await site.api('GET', `/volumes/${grown}`)).volume.size, 2);
      for (const id of [source, clone.id]) assert.equal(await site.begins(id, 20), 'written in the image');
      assert.equal((await site.helpers()).length, 1);
      // Upkeep that failed meanwhile is tried again after a pause.
      await site.until('the doctor finds all well', async () => /All is well/.test(await site.doctor()));
      assert.deepEqual(await site.bytes.ask(site.pool, 'left'), []);
      for (const id of [clone.id, blank.id, grown, source]) await site.api('DELETE', `/volumes/${id}`);
      for (const id of [clone.id, blank.id, grown, source]) await site.gone(`/volumes/${id}`);
      await site.until('the pool is empty', async () => (await site.named()).length === 0);
    });
  }
});
