import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freshWorld } from './world.ts';

describe('the filters of resources', () => {
  it('are told from 3.33 on, of all or of one', async (context) => {
    const world = await freshWorld(context);
    assert.equal((await world.ask('GET', '/resource_filters', { version: '3.32' })).status, 404);
    const at = async (query: string) =>
      (await world.get(`/resource_filters${query}`, { version: '3.33' })).body.resource_filters;
    const all = await at('');
    assert.ok(all.some(({ resource }: { resource: string }) => resource === 'volume'));
    assert.deepEqual(await at('?resource=backup'), [{ resource: 'backup', filters: ['name', 'status', 'volume_id'] }]);
    assert.deepEqual(await at('?resource=nonsense'), []);
  });
});
