/** `POST volumes/{id}/action`: the actions that give a volume another content. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, until, type World } from './world.ts';

const act = (world: World, id: string, name: string, value: unknown, version: string) =>
  world.ask('POST', `/volumes/${id}/action`, { version, body: { [name]: value } });

describe('revert', () => {
  it('is there from 3.40 on, and answers 202 without a body', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const { id: snapshot_id } = await world.snapshot(volume);
    assert.equal((await act(world, volume.id, 'revert', { snapshot_id }, '3.39')).status, 404);
    const answer = await act(world, volume.id, 'revert', { snapshot_id }, '3.40');
    assert.deepEqual([answer.status, answer.text], [202, '']);
    assert.equal((await world.get(`/volumes/${volume.id}`)).body.volume.status, 'reverting');
    assert.equal((await world.get(`/snapshots/${snapshot_id}`)).body.snapshot.status, 'restoring');
    assert.equal((await act(world, volume.id, 'revert', { snapshot_id }, '3.40')).status, 409);
  });

  it('wants the newest snapshot, by its id', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const { id: older } = await world.snapshot(volume);
    await world.snapshot(volume);
    for (const value of [{}, null, { snapshot_id: null }, { snapshot_id: 'newest' }, { snapshot_id: 3 }])
      assert.equal((await act(world, volume.id, 'revert', value, '3.71')).status, 400, JSON.stringify(value));
    const more = { snapshot_id: older, force: true };
    assert.equal((await act(world, volume.id, 'revert', more, '3.71')).status, 400);
    for (const snapshot_id of [older, uuid()]) {
      const answer = await act(world, volume.id, 'revert', { snapshot_id }, '3.71');
      assert.deepEqual([answer.status, Object.keys(answer.body)], [400, ['badRequest']]);
    }
    assert.equal((await act(world, uuid(), 'revert', { snapshot_id: older }, '3.71')).status, 404);
    assert.equal((await world.get(`/volumes/${volume.id}`)).body.volume.status, 'available');
  });

  it('takes a volume back, and both are available again', async (context) => {
    const world = await freshWorld(context, { running: true });
    const version = '3.71';
    const { id } = (await world.ask('POST', '/volumes', { version, body: { volume: { size: 1 } } })).body.volume;
    const isAvailable = (kind: 'volume' | 'snapshot', of: string) =>
      until(
        () => world.get(`/${kind}s/${of}`, { version }),
        ({ body }) => body[kind].status === 'available',
      );
    await isAvailable('volume', id);
    const asked = await world.ask('POST', '/snapshots', { version, body: { snapshot: { volume_id: id } } });
    const snapshot_id = asked.body.snapshot.id;
    await isAvailable('snapshot', snapshot_id);
    assert.equal((await act(world, id, 'revert', { snapshot_id }, version)).status, 202);
    await isAvailable('volume', id);
    await isAvailable('snapshot', snapshot_id);
    assert.equal((await act(world, id, 'revert', { snapshot_id }, version)).status, 202);
  });
});
