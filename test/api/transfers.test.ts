import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { undelivered } from '../../src/db/outbox.ts';
import { uuid } from '../../src/lib/clock.ts';
import { TransferNotFound } from '../../src/model/errors.ts';
import { getAsMember } from './member.ts';
import { type Answer, dump, freshWorld, PROJECT, type World } from './world.ts';

const OTHER_PROJECT = 'ffffffffffffffffffffffffffffffff';
const OLD_PATH = '/os-volume-transfer';
const PATH = '/volume-transfers';
const version = '3.71';

const ids = ({ body }: Answer): string[] => body.transfers.map(({ id }: { id: string }) => id);

async function offer(world: World, given: object = {}, asked: { path?: string; version?: string } = {}) {
  const { id } = await world.volume({ host: 'node@file#file' });
  const answer = await world.ask('POST', asked.path ?? PATH, {
    version: asked.version ?? version,
    body: { transfer: { volume_id: id, name: 'mine', ...given } },
  });
  assert.equal(answer.status, 202, answer.text);
  return answer.body.transfer;
}

describe('a transfer', () => {
  for (const [path, since] of [
    [OLD_PATH, 0],
    [PATH, 55],
  ] as const) {
    it(`at ${path} is shown with the keys of its version, and its key once`, async (context) => {
      const world = await freshWorld(context);
      for (const minor of [0, 54, 55, 56, 57, 71]) {
        if (minor < since) {
          const body = { transfer: { volume_id: uuid() } };
          assert.equal((await world.ask('POST', path, { version: `3.${minor}`, body })).status, 404);
          assert.equal((await world.ask('GET', path, { version: `3.${minor}` })).status, 404);
          continue;
        }
        const asked = { path, version: `3.${minor}` };
        const { auth_key, ...made } = await offer(world, {}, asked);
        assert.match(auth_key, /^[0-9a-f]{16}$/);
        assert.match(made.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
        const summary = {
          id: made.id,
          volume_id: made.volume_id,
          name: 'mine',
          links: [
            { rel: 'self', href: `http://pumice.test:8776/v3/${PROJECT}${path}/${made.id}` },
            { rel: 'bookmark', href: `http://pumice.test:8776/${PROJECT}${path}/${made.id}` },
          ],
        };
        assert.deepEqual(made, {
          ...summary,
          created_at: made.created_at,
          ...(minor >= 55 && { no_snapshots: false }),
          ...(minor >= 57 && { source_project_id: PROJECT, destination_project_id: null, accepted: false }),
        });
        assert.deepEqual((await world.get(`${path}/${made.id}`, asked)).body, { transfer: made });
        assert.deepEqual((await world.get(path, asked)).body.transfers[0], summary);
        assert.deepEqual((await world.get(`${path}/detail`, asked)).body.transfers[0], made);
        assert.equal(JSON.stringify(await dump(world)).includes(auth_key), false);
      }
    });
  }

  it('is accepted with its key, and tells its story', async (context) => {
    const world = await freshWorld(context);
    const made = await offer(world);
    const accept = (auth_key: string) =>
      world.ask('POST', `${PATH}/${made.id}/accept`, {
        version,
        project: OTHER_PROJECT,
        body: { accept: { auth_key } },
      });
    const refused = await accept('0123456789abcdef');
    assert.equal(refused.status, 400);
    assert.equal(refused.body.badRequest.code, 400);
    const accepted = await accept(made.auth_key);
    assert.equal(accepted.status, 202);
    assert.deepEqual(Object.keys(accepted.body.transfer), ['id', 'volume_id', 'name', 'links']);
    const { volume } = (await world.get(`/volumes/${made.volume_id}`, { project: OTHER_PROJECT })).body;
    assert.partialDeepStrictEqual(volume, { status: 'available', 'os-vol-tenant-attr:tenant_id': OTHER_PROJECT });
    assert.equal((await world.ask('GET', `${PATH}/${made.id}`, { version })).status, 404);
    assert.equal((await accept(made.auth_key)).status, 404);
    const events = await undelivered(world.service.db.read, 'a sink', 0, 10);
    assert.deepEqual(
      events.map(({ eventType, projectId }) => [eventType, projectId]),
      [
        ['volume.transfer.create.start', PROJECT],
        ['volume.transfer.create.end', PROJECT],
        ['volume.transfer.accept.start', PROJECT],
        ['volume.transfer.accept.end', OTHER_PROJECT],
      ],
    );
  });

  it('is taken back', async (context) => {
    const world = await freshWorld(context);
    const { id, volume_id } = await offer(world);
    assert.equal((await world.get(`/volumes/${volume_id}`)).body.volume.status, 'awaiting-transfer');
    const answer = await world.ask('DELETE', `${PATH}/${id}`, { version });
    assert.deepEqual([answer.status, answer.text], [202, '']);
    assert.equal((await world.get(`/volumes/${volume_id}`)).body.volume.status, 'available');
    assert.equal((await world.ask('DELETE', `${PATH}/${id}`, { version })).status, 404);
  });

  it('is not made of what cannot be given', async (context) => {
    const world = await freshWorld(context);
    const make = (volume_id: string, asked = version) =>
      world.ask('POST', PATH, { version: asked, body: { transfer: { volume_id } } });
    const busy = await world.volume({ status: 'in-use' });
    assert.equal((await make(busy.id)).status, 400);
    assert.equal((await make(uuid())).status, 404);
    assert.equal((await make('nonsense')).status, 400);
    const encrypted = await world.volume({ encryptionKeyId: uuid() });
    assert.equal((await make(encrypted.id, '3.69')).status, 400);
    assert.equal((await make(encrypted.id, '3.70')).status, 202);
    const volume = await world.volume();
    await world.snapshot(volume, { status: 'creating' });
    assert.equal((await make(volume.id)).status, 400);
    const body = { transfer: { volume_id: volume.id, no_snapshots: 'true' } };
    assert.equal((await world.ask('POST', OLD_PATH, { version, body })).status, 400);
    const without = await world.ask('POST', PATH, { version: '3.55', body });
    assert.deepEqual([without.status, without.body.transfer.no_snapshots], [202, true]);
  });

  it("of another project is an administrator's to see, and nobody else's", async (context) => {
    const world = await freshWorld(context);
    const { id } = await offer(world);
    assert.deepEqual(ids(await world.get(PATH, { version, project: OTHER_PROJECT })), []);
    assert.deepEqual(ids(await world.get(`${PATH}?all_tenants=1`, { version, project: OTHER_PROJECT })), [id]);
    const asked = { project: OTHER_PROJECT, params: { id } };
    assert.deepEqual((await getAsMember(world, PATH, { ...asked, query: 'all_tenants=1' })).transfers, []);
    await assert.rejects(getAsMember(world, `${PATH}/:id`, asked), TransferNotFound);
  });
});

describe('the list of transfers', () => {
  it('is cut into pages, sorted and filtered from 3.59 on', async (context) => {
    const world = await freshWorld(context);
    const first = (await offer(world, { name: 'b' })).id;
    const second = (await offer(world, { name: 'a', no_snapshots: true })).id;
    const third = (await offer(world, { name: 'c' })).id;
    const before = await world.get(`${PATH}?limit=1&name=a&sort=nonsense`, { version: '3.58' });
    assert.deepEqual(ids(before), [third, second, first]);
    assert.deepEqual(ids(await world.get(`${OLD_PATH}?limit=1`, { version })), [third, second, first]);

    const asked = { version: '3.59' };
    const page = await world.get(`${PATH}/detail?limit=2`, asked);
    assert.deepEqual(ids(page), [third, second]);
    assert.deepEqual(page.body.transfers_links, [
      { rel: 'next', href: `http://pumice.test:8776/v3/${PROJECT}${PATH}/detail?limit=2&marker=${second}` },
    ]);
    assert.deepEqual(ids(await world.get(`${PATH}?limit=2&marker=${second}`, asked)), [first]);
    assert.deepEqual(ids(await world.get(`${PATH}?sort=name:asc`, asked)), [second, first, third]);
    assert.deepEqual(ids(await world.get(`${PATH}?name=a`, asked)), [second]);
    assert.deepEqual(ids(await world.get(`${PATH}?no_snapshots=False`, asked)), [third, first]);
    assert.deepEqual(ids(await world.get(`${PATH}?nonsense=1`, asked)), []);
    const member = await getAsMember(world, PATH, { query: 'name=a', version: 59 });
    assert.equal(member.transfers[0].id, second);
    assert.equal((await world.ask('GET', `${PATH}?marker=nobody`, asked)).status, 404);
    assert.equal((await world.ask('GET', `${PATH}?sort=nonsense`, asked)).status, 400);
  });
});
