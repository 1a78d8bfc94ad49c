import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freshWorld } from './world.ts';

describe('the image metadata of a volume', () => {
  it('is set, shown, merged and unset, and is no part of a volume that has none', async (t) => {
    const world = await freshWorld(t);
    const { id } = await world.volume({ status: 'available' });
    const act = async (action: string, body: object, status = 200) => {
      const answer = await world.ask('POST', `/volumes/${id}/action`, { body: { [action]: body } });
      assert.equal(answer.status, status, answer.text);
      return answer.body;
    };
    const shown = async () => (await world.get(`/volumes/${id}`)).body.volume.volume_image_metadata;

    assert.equal(await shown(), undefined);
    await act('os-set_image_metadata', { metadata: { os_distro: 'debian' } });
    const merged = { os_distro: 'debian', hw_disk_bus: 'scsi' };
    assert.deepEqual(await act('os-set_image_metadata', { metadata: { hw_disk_bus: 'scsi' } }), { metadata: merged });
    assert.deepEqual(await act('os-show_image_metadata', {}), { metadata: merged });
    assert.deepEqual(await shown(), merged);

    await act('os-unset_image_metadata', { key: 'os_distro' });
    await act('os-unset_image_metadata', { key: 'os_distro' }, 404);
    assert.deepEqual(await shown(), { hw_disk_bus: 'scsi' });
    await act('os-unset_image_metadata', { key: 'hw_disk_bus' });
    assert.equal(await shown(), undefined);
    assert.deepEqual(await act('os-show_image_metadata', {}), { metadata: {} });
  });
});
