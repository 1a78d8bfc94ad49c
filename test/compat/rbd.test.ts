/** A service whose only backend is a Ceph pool, asked over HTTP: what a volume goes through, and what becomes of it when the process is killed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { noRbd } from '../ceph-cluster.ts';
import { RbdSite } from './rbd-site.ts';

describe('a service on Ceph', { skip: noRbd }, () => {
  it('makes, shares, attaches, backs up and restores volumes, and leaves nothing of them in the pool', async (t) => {
    const site = await RbdSite.open(t);
    await site.begin();
    const image = await site.image('written in the image');
    const first = await site.make({ size: 1, imageRef: image });
    const snapshot = await site.api('POST', '/snapshots', { snapshot: { volume_id: first } });
    await site.rests('snapshot', snapshot.snapshot.id);
    const [larger, clone] = [
      await site.make({ size: 2, snapshot_id: snapshot.snapshot.id }),
      await site.make({ size: 1, source_volid: first }),
    ];
    for (const id of [first, larger, clone]) assert.equal(await site.begins(id, 20), 'written in the image');
    await site.api('POST', `/volumes/${clone}/action`, { 'os-extend': { new_size: 3 } });
    await site.rests('volume', clone);
    const connector = { host: 'compute', ip: '127.0.0.1', initiator: 'iqn.2004-10.test:i' };
    const { attachment } = await site.api('POST', '/attachments', { attachment: { volume_uuid: clone, connector } });
    assert.partialDeepStrictEqual(attachment.connection_info, {
      driver_volume_type: 'rbd',
      name: `${site.pool}/volume-${clone}`,
      auth_username: 'cinder',
      secret_uuid: site.ceph.fsid,
      volume_id: clone,
    });
    assert.doesNotMatch(JSON.stringify(attachment), /keyring|password/);
    await site.api('DELETE', `/attachments/${attachment.id}`);
    await site.rests('volume', clone);
    const backups: string[] = [];
    for (const incremental of [false, true]) {
      await site.write(clone, 1 << 20, incremental ? 'second' : 'first!');
      const { backup } = await site.api('POST', '/backups', { backup: { volume_id: clone, incremental } });
      await site.rests('backup', backup.id);
      backups.push(backup.id);
    }
    const { restore } = await site.api('POST', `/backups/${backups[1]}/restore`, { restore: {} });
    await site.rests('backup', backups[1] as string);
    await site.rests('volume', restore.volume_id);
    assert.equal(await site.begins(restore.volume_id, 6, 1 << 20), 'second');
    assert.equal(await site.begins(restore.volume_id, 20), 'written in the image');
    await site.write(first, 0, 'overwritten since    ');
    await site.api('POST', `/volumes/${first}/action`, { revert: { snapshot_id: snapshot.snapshot.id } });
    await site.rests('volume', first);
    assert.equal(await site.begins(first, 20), 'written in the image');
    assert.match(await site.doctor(), /All is well/);
    for (const id of backups.toReversed()) {
      await site.api('DELETE', `/backups/${id}`);
      await site.gone(`/backups/${id}`);
    }
    for (const id of [larger, clone, restore.volume_id]) await site.api('DELETE', `/volumes/${id}`);
    await site.api('DELETE', `/snapshots/${snapshot.snapshot.id}`);
    await site.gone(`/snapshots/${snapshot.snapshot.id}`);
    await site.api('DELETE', `/volumes/${first}`);
    for (const id of [first, larger, clone, restore.volume_id]) await site.gone(`/volumes/${id}`);
    await site.until('the pool is empty', async () => (await site.named()).length === 0);
    await site.end();
    await site.until(
      'no helper is left in the pool',
      async () => (await site.bytes.ask<string[]>(site.pool, 'noted', 'helper:')).length === 0,
    );
  });

  it('finishes or undoes what a killed process had in hand, each time, and the doctor finds nothing', async (t) => {
    const site = await RbdSite.open(t);
    await site.begin();
    const image = await site.image('written in the image');
    const source = await site.make({ size: 1, imageRef: image });
    const asked: string[] = [];
    for (const round of [1, 2, 3]) {
      const wanted = [{ imageRef: image }, { source_volid: source }, {}, { imageRef: image }];
      const answers = await Promise.all(
        wanted.map((more) => site.api('POST', '/volumes', { volume: { size: round, ...more } })),
      );
      asked.push(...answers.map(({ volume }) => volume.id));
      await pause(150 * round);
      await site.kill();
      await site.begin();
    }
    for (const id of asked) await site.rests('volume', id);
    for (const id of asked.filter((_, index) => index % 4 !== 2))
      assert.equal(await site.begins(id, 20), 'written in the image');
    assert.match(await site.doctor(), /All is well/);
    assert.deepEqual(await site.bytes.ask(site.pool, 'leftovers'), []);
    for (const id of [...asked, source]) await site.api('DELETE', `/volumes/${id}`);
    await pause(100);
    await site.kill();
    await site.begin();
    for (const id of [...asked, source]) await site.gone(`/volumes/${id}`);
    await site.until('the pool is empty', async () => (await site.named()).length === 0);
  });
});
