import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertTypeEncryption } from '../../src/db/type-encryption.ts';
import { uuid } from '../../src/lib/clock.ts';
import { type Answer, freshWorld, type World } from './world.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';
const LUKS = { provider: 'luks', control_location: 'front-end', cipher: 'aes-xts-plain64', key_size: 256 };

async function makeType(world: World, name = 'sealed'): Promise<string> {
  return (await world.ask('POST', '/types', { body: { volume_type: { name } } })).body.volume_type.id;
}

const post = (world: World, id: string, encryption: object): Promise<Answer> =>
  world.ask('POST', `/types/${id}/encryption`, { body: { encryption } });

async function makeEncrypted(world: World): Promise<string> {
  const id = await makeType(world);
  assert.equal((await post(world, id, LUKS)).status, 200);
  return id;
}

const status = async (asked: Promise<Answer>): Promise<number> => (await asked).status;

describe('the encryption of a volume type', () => {
  it('is nothing until it is made', async (context) => {
    const world = await freshWorld(context);
    const id = await makeType(world);
    assert.deepEqual((await world.get(`/types/${id}/encryption`)).body, {});
    assert.equal(await status(world.ask('GET', `/types/${id}/encryption/cipher`)), 404);
    assert.equal(await status(world.ask('GET', `/types/${NOBODY}/encryption`)), 404);
  });

  it('is made and shown with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    const id = await makeType(world);
    const { encryption } = (await post(world, id, { ...LUKS, key_size: '256' })).body;
    const { encryption_id } = encryption;
    assert.match(encryption_id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(encryption, { ...LUKS, volume_type_id: id, encryption_id });
    const { body } = await world.get(`/types/${id}/encryption`);
    assert.match(body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    const times = { created_at: body.created_at, updated_at: null, deleted_at: null };
    assert.deepEqual(body, { ...LUKS, volume_type_id: id, encryption_id, deleted: false, ...times });
    assert.deepEqual((await world.get(`/types/${id}/encryption/cipher`)).body, { cipher: 'aes-xts-plain64' });
    assert.equal(await status(world.ask('GET', `/types/${id}/encryption/color`)), 404);
  });

  it('is not made twice, in part, or of nonsense', async (context) => {
    const world = await freshWorld(context);
    const id = await makeEncrypted(world);
    assert.equal(await status(post(world, id, LUKS)), 400);
    const other = await makeType(world, 'other');
    for (const wrong of [
      {},
      { provider: 'luks' },
      { control_location: 'front-end' },
      { ...LUKS, control_location: 'moon' },
      { ...LUKS, provider: '' },
      { ...LUKS, key_size: -1 },
      { ...LUKS, key_size: 'long' },
      { ...LUKS, color: 'red' },
    ])
      assert.equal(await status(post(world, other, wrong)), 400, JSON.stringify(wrong));
    assert.equal(await status(post(world, NOBODY, LUKS)), 404);
    assert.equal(await status(post(world, other, { provider: 'luks', control_location: 'back-end' })), 200);
  });

  it('is changed in part, whatever stands where its id does', async (context) => {
    const world = await freshWorld(context);
    const id = await makeEncrypted(world);
    const put = (encryption: object) => world.ask('PUT', `/types/${id}/encryption/provider`, { body: { encryption } });
    const answer = await put({ cipher: null, key_size: 512 });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { encryption: { cipher: null, key_size: 512 } });
    const { body } = await world.get(`/types/${id}/encryption`);
    assert.partialDeepStrictEqual(body, { ...LUKS, cipher: null, key_size: 512 });
    assert.notEqual(body.updated_at, null);
    assert.equal(await status(put({ control_location: 'moon' })), 400);
    const bare = await makeType(world, 'bare');
    const nothing = world.ask('PUT', `/types/${bare}/encryption/provider`, { body: { encryption: { key_size: 1 } } });
    assert.equal(await status(nothing), 404);
  });

  it('is deleted, by itself or with its type', async (context) => {
    const world = await freshWorld(context);
    const id = await makeEncrypted(world);
    const remove = () => world.ask('DELETE', `/types/${id}/encryption/provider`);
    assert.equal(await status(remove()), 202);
    assert.equal(await status(remove()), 404);
    assert.deepEqual((await world.get(`/types/${id}/encryption`)).body, {});
    await post(world, id, LUKS);
    assert.equal(await status(world.ask('DELETE', `/types/${id}`)), 202);
    assert.deepEqual(await world.service.db.read.selectFrom('volume_type_encryption').selectAll().execute(), []);
  });

  it('stays as it is while there are volumes of the type', async (context) => {
    const world = await freshWorld(context);
    const [id, bare] = [await makeEncrypted(world), await makeType(world, 'bare')];
    for (const volumeTypeId of [id, bare]) await world.volume({ volumeTypeId });
    assert.equal(await status(post(world, bare, LUKS)), 400);
    const one = `/types/${id}/encryption/provider`;
    assert.equal(await status(world.ask('PUT', one, { body: { encryption: { key_size: 1 } } })), 400);
    assert.equal(await status(world.ask('DELETE', one)), 400);
  });

  it('is told of', async (context) => {
    const world = await freshWorld(context);
    const id = await makeEncrypted(world);
    await world.ask('PUT', `/types/${id}/encryption/provider`, { body: { encryption: { key_size: 512 } } });
    await world.ask('DELETE', `/types/${id}/encryption/provider`);
    const rows = await world.service.db.read.selectFrom('outbox').selectAll().orderBy('seq').execute();
    assert.deepEqual(
      rows.slice(1).map(({ event_type, payload }) => [event_type, JSON.parse(payload).key_size]),
      [
        ['volume_type_encryption.create', 256],
        ['volume_type_encryption.update', 512],
        ['volume_type_encryption.delete', 512],
      ],
    );
  });
});

describe('a volume', () => {
  it('of an encrypted type is not made, and nothing is left of it', async (context) => {
    const world = await freshWorld(context);
    await makeEncrypted(world);
    const answer = await world.ask('POST', '/volumes', { body: { volume: { size: 1, volume_type: 'sealed' } } });
    assert.equal(answer.status, 400);
    assert.match(answer.body.badRequest.message, /sealed is encrypted/);
    assert.deepEqual((await world.get('/volumes')).body.volumes, []);
    const { quota_set } = (await world.get('/os-quota-sets/0123456789abcdef0123456789abcdef?usage=true')).body;
    assert.equal(quota_set.volumes.in_use, 0);
  });

  it('that is not encrypted says nothing of encryption', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume();
    assert.deepEqual((await world.get(`/volumes/${id}/encryption`)).body, {});
    assert.equal(await status(world.ask('GET', `/volumes/${id}/encryption/provider`)), 404);
    assert.equal(await status(world.ask('GET', `/volumes/${NOBODY}/encryption`)), 404);
  });

  it('that is encrypted says how, all of it or one plain value', async (context) => {
    const world = await freshWorld(context);
    const volumeTypeId = await makeType(world);
    const { id } = await world.volume({ volumeTypeId, encryptionKeyId: NOBODY });
    const how = { encryptionId: uuid(), volumeTypeId, provider: 'luks', cipher: null, keySize: 256 };
    await world.service.db.write((tx) => insertTypeEncryption(tx, { ...how, controlLocation: 'front-end' }));
    assert.deepEqual((await world.get(`/volumes/${id}/encryption`)).body, {
      encryption_key_id: NOBODY,
      control_location: 'front-end',
      cipher: null,
      key_size: 256,
      provider: 'luks',
    });
    const plain = await world.get(`/volumes/${id}/encryption/key_size`);
    assert.equal(plain.text, '256');
    assert.match(String(plain.headers['content-type']), /^text\/plain/);
    assert.equal((await world.get(`/volumes/${id}/encryption/cipher`)).text, '');
  });
});
