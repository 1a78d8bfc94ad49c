import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { type Answer, freshWorld, until, type World } from './world.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';

const post = (world: World, qos_specs: object): Promise<Answer> =>
  world.ask('POST', '/qos-specs', { body: { qos_specs } });

async function make(world: World, name: string, more: object = {}): Promise<string> {
  const answer = await post(world, { name, ...more });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.qos_specs.id;
}

async function makeType(world: World, name: string): Promise<string> {
  return (await world.ask('POST', '/types', { body: { volume_type: { name } } })).body.volume_type.id;
}

const shown = async (world: World, id: string) => (await world.get(`/qos-specs/${id}`)).body.qos_specs;
const status = async (asked: Promise<Answer>): Promise<number> => (await asked).status;

describe('QoS specs', () => {
  it('are made and shown with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    const answer = await post(world, { name: ' slow ', consumer: 'front-end', total_iops_sec: '100' });
    assert.equal(answer.status, 200);
    const { id } = answer.body.qos_specs;
    const qos_specs = { id, name: 'slow', consumer: 'front-end', specs: { total_iops_sec: '100' } };
    const links = [
      { rel: 'self', href: `http://pumice.test:8776/v3/0123456789abcdef0123456789abcdef/qos-specs/${id}` },
      { rel: 'bookmark', href: `http://pumice.test:8776/0123456789abcdef0123456789abcdef/qos-specs/${id}` },
    ];
    assert.deepEqual(answer.body, { qos_specs, links });
    assert.deepEqual((await world.get(`/qos-specs/${id}`)).body, { qos_specs, links });
    assert.deepEqual((await world.get('/qos-specs')).body, { qos_specs: [qos_specs] });
  });

  it('are for the back end unless it is said otherwise', async (context) => {
    const world = await freshWorld(context);
    assert.equal((await shown(world, await make(world, 'slow'))).consumer, 'back-end');
  });

  it('are not made without a name, for an unknown consumer, of anything but text, or twice', async (context) => {
    const world = await freshWorld(context);
    await make(world, 'slow');
    for (const wrong of [
      {},
      { name: '' },
      { name: ' ' },
      { name: 'x'.repeat(256) },
      { name: 'a', consumer: 'nobody' },
      { name: 'a', iops: 100 },
      { name: 'a', 'bad,key': 'x' },
    ])
      assert.equal(await status(post(world, wrong)), 400, JSON.stringify(wrong));
    const twice = await post(world, { name: 'slow' });
    assert.equal(twice.status, 409);
    assert.equal(twice.body.conflictingRequest.code, 409);
  });

  it('are listed in pages, by name, and by consumer', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['a', 'b', 'c']) await make(world, name, { consumer: name === 'b' ? 'both' : 'back-end' });
    const names = (answer: Answer) => answer.body.qos_specs.map(({ name }: { name: string }) => name);
    assert.deepEqual(names(await world.get('/qos-specs')), ['c', 'b', 'a']);
    assert.deepEqual(names(await world.get('/qos-specs?sort=name:asc')), ['a', 'b', 'c']);
    assert.deepEqual(names(await world.get('/qos-specs?consumer=both')), ['b']);
    assert.deepEqual(names(await world.get('/qos-specs?name=a')), ['a']);
    assert.deepEqual(names(await world.get('/qos-specs?nonsense=a')), []);
    const first = await world.get('/qos-specs?limit=2&sort=name:asc');
    const [next] = first.body.qos_specs_links;
    assert.equal(next.rel, 'next');
    assert.deepEqual(names(await world.get(`/qos-specs?${next.href.split('?')[1]}`)), ['c']);
    assert.equal(await status(world.ask('GET', `/qos-specs?marker=${NOBODY}`)), 404);
    assert.equal(await status(world.ask('GET', '/qos-specs?sort=color')), 400);
  });

  it('are given more specs, other values and another consumer, and the answer is what was asked for', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'slow', { a: '1', b: '2' });
    const put = (qos_specs: object) => world.ask('PUT', `/qos-specs/${id}`, { body: { qos_specs } });
    const answer = await put({ b: '3', c: '4', consumer: 'both' });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { qos_specs: { b: '3', c: '4', consumer: 'both' } });
    assert.deepEqual(await shown(world, id), { id, name: 'slow', consumer: 'both', specs: { a: '1', b: '3', c: '4' } });
    for (const wrong of [{}, { consumer: 'nobody' }, { name: 'fast' }, { a: 1 }])
      assert.equal(await status(put(wrong)), 400, JSON.stringify(wrong));
    const nobody = world.ask('PUT', `/qos-specs/${NOBODY}`, { body: { qos_specs: { a: '1' } } });
    assert.equal(await status(nobody), 404);
  });

  it('lose all the keys that are named, or none when one is missing', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'slow', { a: '1', b: '2', c: '3' });
    const remove = (body: object) => status(world.ask('PUT', `/qos-specs/${id}/delete_keys`, { body }));
    assert.equal(await remove({ keys: ['a', 'nothing'] }), 404);
    assert.equal(await remove({ keys: [] }), 400);
    assert.equal(await remove({}), 400);
    assert.deepEqual((await shown(world, id)).specs, { a: '1', b: '2', c: '3' });
    assert.equal(await remove({ keys: ['a', 'c'] }), 202);
    assert.deepEqual((await shown(world, id)).specs, { b: '2' });
  });

  it('are nowhere when they are not there', async (context) => {
    const world = await freshWorld(context);
    const typeId = await makeType(world, 'gold');
    const paths = ['', '/associations', '/disassociate_all'];
    paths.push(`/associate?vol_type_id=${typeId}`, `/disassociate?vol_type_id=${typeId}`);
    for (const path of paths) assert.equal(await status(world.ask('GET', `/qos-specs/${NOBODY}${path}`)), 404, path);
    assert.equal(await status(world.ask('DELETE', `/qos-specs/${NOBODY}`)), 404);
  });
});

describe('a host that a volume is attached to', () => {
  it('is told of the QoS specs that are for the front end, for the size of the volume', async (context) => {
    const world = await freshWorld(context, { running: true });
    const version = '3.27';
    const typeId = await makeType(world, 'gold');
    const specs = { total_iops_sec_per_gb: '100', read_bytes_sec: '5' };
    const front = await make(world, 'front', { consumer: 'both', ...specs });
    const back = await make(world, 'back', { consumer: 'back-end', ...specs });
    const volume = { size: 2, volume_type: 'gold' };
    const { id } = (await world.ask('POST', '/volumes', { body: { volume } })).body.volume;
    const show = () => world.get(`/volumes/${id}`);
    await until(show, ({ body }) => body.volume.status === 'available');
    const told = async () => {
      const attachment = { volume_uuid: id, connector: { host: hostname() } };
      const made = await world.ask('POST', '/attachments', { version, body: { attachment } });
      assert.equal(made.status, 200, made.text);
      await world.ask('DELETE', `/attachments/${made.body.attachment.id}`, { version });
      return made.body.attachment.connection_info.qos_specs;
    };
    assert.equal(await told(), null);
    for (const [qos, expected] of [
      [front, { total_iops_sec: '200', read_bytes_sec: '5' }],
      [back, null],
    ] as const) {
      await world.ask('GET', `/qos-specs/${qos}/associate?vol_type_id=${typeId}`);
      assert.deepEqual(await told(), expected);
      await world.ask('GET', `/qos-specs/${qos}/disassociate_all`);
    }
  });
});

describe('QoS specs and volume types', () => {
  it('are associated once, which the type shows, and taken apart', async (context) => {
    const world = await freshWorld(context);
    const [slow, fast] = [await make(world, 'slow'), await make(world, 'fast')];
    const typeId = await makeType(world, 'gold');
    const ask = (id: string, verb: string) =>
      status(world.ask('GET', `/qos-specs/${id}/${verb}?vol_type_id=${typeId}`));
    const associations = async () => (await world.get(`/qos-specs/${slow}/associations`)).body.qos_associations;
    const ofType = async () => (await world.get(`/types/${typeId}`)).body.volume_type.qos_specs_id;

    assert.equal(await ask(slow, 'associate'), 202);
    assert.equal(await ask(slow, 'associate'), 202);
    assert.equal(await ask(fast, 'associate'), 400);
    assert.deepEqual(await associations(), [{ association_type: 'volume_type', id: typeId, name: 'gold' }]);
    assert.equal(await ofType(), slow);

    assert.equal(await ask(fast, 'disassociate'), 202);
    assert.equal(await ofType(), slow);
    assert.equal(await ask(slow, 'disassociate'), 202);
    assert.deepEqual(await associations(), []);
    assert.equal(await ofType(), null);

    assert.equal(await status(world.ask('GET', `/qos-specs/${slow}/associate`)), 400);
    assert.equal(await status(world.ask('GET', `/qos-specs/${slow}/associate?vol_type_id=${NOBODY}`)), 404);
    assert.equal(await status(world.ask('GET', `/qos-specs/${slow}/disassociate?vol_type_id=${NOBODY}`)), 404);
  });

  it('are taken apart all at once', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'slow');
    for (const name of ['gold', 'silver'])
      await world.ask('GET', `/qos-specs/${id}/associate?vol_type_id=${await makeType(world, name)}`);
    assert.equal(await status(world.ask('GET', `/qos-specs/${id}/disassociate_all`)), 202);
    assert.deepEqual((await world.get(`/qos-specs/${id}/associations`)).body.qos_associations, []);
  });

  it('cannot lose the specs to a deletion unless by force', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'slow');
    const typeId = await makeType(world, 'gold');
    await world.ask('GET', `/qos-specs/${id}/associate?vol_type_id=${typeId}`);
    const refused = await world.ask('DELETE', `/qos-specs/${id}`);
    assert.equal(refused.status, 400);
    assert.match(refused.body.badRequest.message, /gold/);
    assert.equal(await status(world.ask('DELETE', `/qos-specs/${id}?force=False`)), 400);
    assert.equal(await status(world.ask('DELETE', `/qos-specs/${id}?force=maybe`)), 400);
    assert.equal(await status(world.ask('DELETE', `/qos-specs/${id}?force=True`)), 202);
    assert.equal((await world.get(`/types/${typeId}`)).body.volume_type.qos_specs_id, null);
    assert.equal(await status(world.ask('GET', `/qos-specs/${id}`)), 404);
  });

  it('are told of', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'slow', { a: '1' });
    const typeId = await makeType(world, 'gold');
    await world.ask('GET', `/qos-specs/${id}/associate?vol_type_id=${typeId}`);
    await world.ask('DELETE', `/qos-specs/${id}?force=true`);
    const rows = await world.service.db.read
      .selectFrom('outbox')
      .selectAll()
      .where('resource', '=', `qos_specs:${id}`)
      .orderBy('seq')
      .execute();
    assert.deepEqual(
      rows.map(({ event_type }) => event_type),
      ['qos_specs.create', 'qos_specs.associate', 'qos_specs.disassociate_all', 'qos_specs.delete'],
    );
    const payload = { id, name: 'slow', consumer: 'back-end', specs: { a: '1' }, type_id: typeId };
    assert.deepEqual(JSON.parse(rows[1]?.payload ?? ''), payload);
  });
});
