import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GroupTypeNotFound } from '../../src/model/errors.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const version = '3.11';
const NOBODY = '00000000-0000-4000-8000-000000000000';

const ask = (world: World, method: string, path: string, body?: object): Promise<Answer> =>
  world.ask(method, `/group_types${path}`, { version, ...(body !== undefined && { body }) });

async function make(world: World, name: string, more: object = {}): Promise<string> {
  const answer = await ask(world, 'POST', '', { group_type: { name, ...more } });
  assert.equal(answer.status, 202, answer.text);
  return answer.body.group_type.id;
}

/** But for the one that is always there. */
const ours = ({ body }: { body: { group_types: { name: string }[] } }) =>
  body.group_types.filter(({ name }) => name !== CONSISTENCY_GROUP_TYPE);
const names = (answer: Answer): string[] => ours(answer).map(({ name }) => name);
const status = async (asked: Promise<Answer>): Promise<number> => (await asked).status;

describe('a type of groups', () => {
  it('is made and shown with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    const answer = await ask(world, 'POST', '', {
      group_type: {
        name: ' together ',
        description: ' at once ',
        is_public: 'True',
        group_specs: { k: 'v' },
      },
    });
    assert.equal(answer.status, 202);
    const { id } = answer.body.group_type;
    const group_type = { id, name: 'together', description: 'at once', is_public: true, group_specs: { k: 'v' } };
    assert.deepEqual(answer.body, { group_type });
    assert.deepEqual((await ask(world, 'GET', `/${id}`)).body, { group_type });
    assert.deepEqual(ours(await ask(world, 'GET', '')), [group_type]);
  });

  it('is not made without a name, with one that is taken, or of nonsense', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'a');
    await make(world, 'b');
    for (const wrong of [{}, { name: '' }, { name: ' ' }, { name: 'x'.repeat(256) }, { name: 'c', is_public: 'maybe' }])
      assert.equal(await status(ask(world, 'POST', '', { group_type: wrong })), 400, JSON.stringify(wrong));
    assert.equal(await status(ask(world, 'POST', '', { group_type: { name: 'a' } })), 409);
    assert.equal(await status(ask(world, 'PUT', `/${id}`, { group_type: { name: 'b' } })), 409);
  });

  it('is updated, and keeps what is not said', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'a', { description: 'd' });
    const put = (group_type: object) => ask(world, 'PUT', `/${id}`, { group_type });
    const { body } = await put({ name: 'b', is_public: false });
    assert.deepEqual(body, { group_type: { id, name: 'b', description: 'd', is_public: false, group_specs: {} } });
    for (const wrong of [{}, { name: null }, { name: ' ' }, { group_specs: {} }])
      assert.equal(await status(put(wrong)), 400, JSON.stringify(wrong));
    assert.equal(await status(ask(world, 'PUT', `/${NOBODY}`, { group_type: { name: 'c' } })), 404);
  });

  it('is gone after its deletion', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'a');
    assert.equal(await status(ask(world, 'DELETE', `/${id}`)), 202);
    assert.equal(await status(ask(world, 'GET', `/${id}`)), 404);
    assert.equal(await status(ask(world, 'DELETE', `/${id}`)), 404);
  });

  it('is found as "default" by the name in the configuration, or not at all', async (context) => {
    const none = await freshWorld(context);
    assert.equal(await status(ask(none, 'GET', '/default')), 404);
    const world = await freshWorld(context, { set: ['default_group_type=together'] });
    assert.equal(await status(ask(world, 'GET', '/default')), 404);
    const id = await make(world, 'together');
    assert.equal((await ask(world, 'GET', '/default')).body.group_type.id, id);
  });

  it('that is not public is for administrators, and so are the specs of all', async (context) => {
    const world = await freshWorld(context);
    const hidden = await make(world, 'ours', { is_public: false });
    const theirs = await make(world, 'theirs');
    assert.deepEqual(names(await ask(world, 'GET', '')), ['theirs']);
    assert.deepEqual(names(await ask(world, 'GET', '?is_public=False')), ['ours']);
    assert.deepEqual(names(await ask(world, 'GET', '?is_public=None')), ['theirs', 'ours']);
    const body = await getAsMember(world, '/group_types', { query: 'is_public=None' });
    const shown = { id: theirs, name: 'theirs', description: null, is_public: true };
    assert.deepEqual(ours({ body }), [shown]);
    const one = (id: string) => getAsMember(world, '/group_types/:id', { params: { id } });
    assert.deepEqual(await one(theirs), { group_type: shown });
    await assert.rejects(one(hidden), GroupTypeNotFound);
  });

  it('is listed in pages', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['a', 'b', 'c']) await make(world, name);
    const first = await ask(world, 'GET', '?limit=2&sort=name:asc');
    assert.deepEqual(names(first), ['a', 'b']);
    const [next] = first.body.group_type_links;
    assert.deepEqual(names(await ask(world, 'GET', `?${next.href.split('?')[1]}`)), ['c']);
    assert.equal(await status(ask(world, 'GET', `?marker=${NOBODY}`)), 404);
    assert.deepEqual(names(await ask(world, 'GET', '?name=b')), ['b']);
  });

  it('is told of', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'a');
    await ask(world, 'PUT', `/${id}`, { group_type: { name: 'b' } });
    await ask(world, 'POST', `/${id}/group_specs`, { group_specs: { k: 'v' } });
    await ask(world, 'PUT', `/${id}/group_specs/k`, { k: 'w' });
    await ask(world, 'DELETE', `/${id}/group_specs/k`);
    await ask(world, 'DELETE', `/${id}`);
    const rows = await world.service.db.read.selectFrom('outbox').select('event_type').orderBy('seq').execute();
    assert.deepEqual(
      rows.map(({ event_type }) => event_type),
      [
        'group_type.create',
        'group_type.update',
        'group_type_specs.create',
        'group_type_specs.update',
        'group_type_specs.delete',
        'group_type.delete',
      ],
    );
  });
});

describe('the specs of a type of groups', () => {
  it('are added, shown, changed and taken away', async (context) => {
    const world = await freshWorld(context);
    const specs = `/${await make(world, 'a', { group_specs: { k: 'v' } })}/group_specs`;
    const added = await ask(world, 'POST', specs, { group_specs: { l: 'w' } });
    assert.equal(added.status, 202);
    assert.deepEqual(added.body, { group_specs: { l: 'w' } });
    assert.deepEqual((await ask(world, 'GET', specs)).body, { group_specs: { k: 'v', l: 'w' } });
    const changed = await ask(world, 'PUT', `${specs}/k`, { k: 'x' });
    assert.equal(changed.status, 200);
    assert.deepEqual(changed.body, { k: 'x' });
    assert.deepEqual((await ask(world, 'GET', `${specs}/k`)).body, { k: 'x' });
    assert.equal(await status(ask(world, 'DELETE', `${specs}/k`)), 202);
    assert.equal(await status(ask(world, 'GET', `${specs}/k`)), 404);
    assert.equal(await status(ask(world, 'DELETE', `${specs}/k`)), 404);
    assert.equal(await status(ask(world, 'PUT', `${specs}/k`, { l: 'x' })), 400);
    assert.equal(await status(ask(world, 'POST', specs, { group_specs: { 'a,b': 'x' } })), 400);
    for (const path of [`/${NOBODY}/group_specs`, `/${NOBODY}/group_specs/k`])
      assert.equal(await status(ask(world, 'GET', path)), 404);
  });
});

describe('types of groups', () => {
  it('are not there before 3.11', async (context) => {
    const world = await freshWorld(context);
    const calls = ['GET', 'POST', 'GET /x', 'PUT /x', 'DELETE /x', 'GET /x/group_specs', 'DELETE /x/group_specs/k'];
    for (const call of calls) {
      const [method = '', path = ''] = call.split(' ');
      assert.equal(await status(world.ask(method, `/group_types${path}`, { version: '3.10', body: {} })), 404, call);
    }
  });
});

describe('a type of groups that is not public', () => {
  it('is there for projects that have access, as Cinder keeps it, and for no others', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'ours', { is_public: false });
    await make(world, 'of nobody', { is_public: false });
    await world.service.db.write(({ db }) =>
      db.insertInto('group_type_access').values({ group_type_id: id, project_id: PROJECT }).execute(),
    );
    const stranger = { project: 'ffffffffffffffffffffffffffffffff' };
    const listed = async (asked: object) =>
      (await getAsMember(world, '/group_types', asked)).group_types.map(({ name }: { name: string }) => name);
    assert.deepEqual((await listed({})).sort(), [CONSISTENCY_GROUP_TYPE, 'ours']);
    assert.deepEqual(await listed(stranger), [CONSISTENCY_GROUP_TYPE]);
    assert.equal((await getAsMember(world, '/group_types/:id', { params: { id } })).group_type.name, 'ours');
    await assert.rejects(getAsMember(world, '/group_types/:id', { ...stranger, params: { id } }), GroupTypeNotFound);
    // An administrator's public ones are those of the own project, too.
    assert.deepEqual(names(await ask(world, 'GET', '')), ['ours']);
    assert.equal(await status(ask(world, 'DELETE', `/${id}`)), 202);
    assert.deepEqual(await world.service.db.read.selectFrom('group_type_access').selectAll().execute(), []);
  });
});
