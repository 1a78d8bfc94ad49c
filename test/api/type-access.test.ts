import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, PROJECT, type World } from './world.ts';

async function makeType({ service }: World, isPublic: boolean): Promise<string> {
  const { id } = await service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold', isPublic }));
  return id;
}

describe('access to a private volume type', () => {
  it('is given once and taken once', async (context) => {
    const world = await freshWorld(context);
    const id = await makeType(world, false);
    const act = async (action: string) =>
      (await world.ask('POST', `/types/${id}/action`, { body: { [action]: { project: PROJECT } } })).status;
    const listed = async () => (await world.get(`/types/${id}/os-volume-type-access`)).body;
    assert.deepEqual(await listed(), { volume_type_access: [] });
    assert.equal(await act('addProjectAccess'), 202);
    assert.equal(await act('addProjectAccess'), 409);
    assert.deepEqual(await listed(), { volume_type_access: [{ volume_type_id: id, project_id: PROJECT }] });
    assert.equal(await act('removeProjectAccess'), 202);
    assert.equal(await act('removeProjectAccess'), 404);
    assert.deepEqual(await listed(), { volume_type_access: [] });
  });

  it('means nothing for a public one', async (context) => {
    const world = await freshWorld(context);
    const id = await makeType(world, true);
    assert.equal((await world.ask('GET', `/types/${id}/os-volume-type-access`)).status, 404);
    for (const action of ['addProjectAccess', 'removeProjectAccess']) {
      const answer = await world.ask('POST', `/types/${id}/action`, { body: { [action]: { project: PROJECT } } });
      assert.equal(answer.status, 400);
    }
  });

  it('needs a type, a project and an action that there is', async (context) => {
    const world = await freshWorld(context);
    const id = await makeType(world, false);
    const act = async (type: string, body: object) =>
      (await world.ask('POST', `/types/${type}/action`, { body })).status;
    assert.equal(await act(uuid(), { addProjectAccess: { project: PROJECT } }), 404);
    assert.equal(await act(id, { addProjectAccess: {} }), 400);
    assert.equal(await act(id, { addProjectAccess: { project: '' } }), 400);
    assert.equal(await act(id, { addProjectAccess: { project: PROJECT, more: 1 } }), 400);
    assert.equal(await act(id, { giveProjectAccess: { project: PROJECT } }), 400);
  });
});
