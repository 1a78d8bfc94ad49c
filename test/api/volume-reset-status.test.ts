import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freshWorld } from './world.ts';

describe('os-reset_status of a volume', () => {
  it('takes null for not given, as SDKs that send all three write it', async (t) => {
    const world = await freshWorld(t);
    const { id } = await world.volume({ status: 'error' });
    const reset = async (body: object): Promise<number> =>
      (await world.ask('POST', `/volumes/${id}/action`, { body: { 'os-reset_status': body } })).status;
    const shown = async () => (await world.get(`/volumes/${id}`)).body.volume;

    assert.equal(await reset({ status: null, attach_status: 'detached', migration_status: 'error' }), 202);
    assert.partialDeepStrictEqual(await shown(), { status: 'error', migration_status: 'error' });
    assert.equal(await reset({ status: 'available', attach_status: null, migration_status: null }), 202);
    assert.partialDeepStrictEqual(await shown(), { status: 'available', migration_status: 'error' });
    assert.equal(await reset({ status: null, attach_status: null, migration_status: 'none' }), 202);
    assert.partialDeepStrictEqual(await shown(), { status: 'available', migration_status: null });
    assert.equal(await reset({ status: null, attach_status: null, migration_status: null }), 400);
    assert.equal(await reset({}), 400);
  });
});
