import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freshWorld } from './world.ts';

describe('the extensions', () => {
  it('are all there, each with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    const { extensions } = (await world.get('/extensions')).body;
    assert.equal(extensions.length, 32);
    assert.equal(new Set(extensions.map(({ alias }: { alias: string }) => alias)).size, 32);
    for (const extension of extensions) {
      const { alias, name, description, updated, links, ...rest } = extension;
      assert.deepEqual(rest, {});
      assert.deepEqual(links, []);
      assert.ok([alias, name, description].every((text) => typeof text === 'string' && text !== ''));
      assert.ok(!Number.isNaN(Date.parse(updated)));
    }
  });

  it('are found by their alias', async (context) => {
    const world = await freshWorld(context);
    const { extension } = (await world.get('/extensions/os-quota-sets')).body;
    assert.equal(extension.alias, 'os-quota-sets');
    assert.equal((await world.ask('GET', '/extensions/nonsense')).status, 404);
  });
});
