import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const version = '3.62';
const OTHER = 'ffffffffffffffffffffffffffffffff';

async function makeType(world: World, name: string): Promise<string> {
  return (await world.ask('POST', '/types', { body: { volume_type: { name } } })).body.volume_type.id;
}

const put = (world: World, project: string, volume_type: unknown): Promise<Answer> =>
  world.ask('PUT', `/default-types/${project}`, { version, body: { default_type: { volume_type } } });

describe('the default volume type of a project', () => {
  it('is set by the name or the id of a type, shown, listed and unset', async (context) => {
    const world = await freshWorld(context);
    const [gold, silver] = [await makeType(world, 'gold'), await makeType(world, 'silver')];
    assert.equal((await world.ask('GET', `/default-types/${PROJECT}`, { version })).status, 404);
    const set = await put(world, PROJECT, 'gold');
    assert.equal(set.status, 200);
    assert.deepEqual(set.body, { default_type: { project_id: PROJECT, volume_type_id: gold } });
    assert.equal((await put(world, OTHER, gold)).status, 200);
    assert.equal((await put(world, OTHER, silver)).status, 200);
    const shown = await world.get(`/default-types/${PROJECT}`, { version });
    assert.deepEqual(shown.body, set.body);
    // The other of its two paths, without a project in front.
    const { body } = await world.get('//v3/default-types', { version });
    assert.deepEqual(body, {
      default_types: [
        { project_id: PROJECT, volume_type_id: gold },
        { project_id: OTHER, volume_type_id: silver },
      ],
    });
    for (let again = 0; again < 2; again++) {
      const unset = await world.ask('DELETE', `/default-types/${PROJECT}`, { version });
      assert.equal(unset.status, 204);
      assert.equal(unset.text, '');
    }
    assert.equal((await world.ask('GET', `/default-types/${PROJECT}`, { version })).status, 404);
  });

  it('is that of a volume for which none is asked, and of "default"', async (context) => {
    const world = await freshWorld(context);
    const gold = await makeType(world, 'gold');
    await put(world, PROJECT, 'gold');
    assert.equal((await world.get('/types/default')).body.volume_type.id, gold);
    const elsewhere = await world.get('/types/default', { project: OTHER });
    assert.equal(elsewhere.body.volume_type.name, '__DEFAULT__');
    const made = await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
    assert.equal(made.body.volume.volume_type, 'gold');
    await world.ask('DELETE', `/default-types/${PROJECT}`, { version });
    const next = await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
    assert.equal(next.body.volume.volume_type, '__DEFAULT__');
  });

  it('keeps its type from being deleted', async (context) => {
    const world = await freshWorld(context);
    const gold = await makeType(world, 'gold');
    await put(world, PROJECT, 'gold');
    const refused = await world.ask('DELETE', `/types/${gold}`);
    assert.equal(refused.status, 400);
    assert.match(refused.body.badRequest.message, /default of a project/);
    await world.ask('DELETE', `/default-types/${PROJECT}`, { version });
    assert.equal((await world.ask('DELETE', `/types/${gold}`)).status, 202);
  });

  it('must be a type, and is not there before 3.62', async (context) => {
    const world = await freshWorld(context);
    assert.equal((await put(world, PROJECT, 'nothing')).status, 404);
    for (const wrong of ['', null, 7, undefined]) assert.equal((await put(world, PROJECT, wrong)).status, 400);
    for (const [method, path] of [
      ['GET', ''],
      ['GET', `/${PROJECT}`],
      ['PUT', `/${PROJECT}`],
      ['DELETE', `/${PROJECT}`],
    ] as const)
      assert.equal((await world.ask(method, `/default-types${path}`, { version: '3.61', body: {} })).status, 404);
  });
});
