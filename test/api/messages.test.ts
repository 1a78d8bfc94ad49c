import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertMessage, type NewMessageRow } from '../../src/db/messages.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { MessageNotFound } from '../../src/model/errors.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const OTHER_PROJECT = 'ffffffffffffffffffffffffffffffff';
const EVENT = 'VOLUME_VOLUME_001_003';

function tell({ service }: World, given: Partial<NewMessageRow> = {}): Promise<string> {
  return service.db.write((tx) =>
    insertMessage(tx, {
      projectId: PROJECT,
      requestId: 'req-1',
      resourceType: 'VOLUME',
      resourceId: uuid(),
      eventId: EVENT,
      level: 'ERROR',
      text: 'schedule the volume: No storage backend can take it.',
      expiresAt: fromNow(60_000),
      ...given,
    }),
  );
}

const ids = ({ body }: Answer): string[] => body.messages.map(({ id }: { id: string }) => id);
const version = '3.5';

describe('a message', () => {
  it('is shown from 3.3 on with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    const resourceId = uuid();
    const id = await tell(world, { resourceId });
    const path = `/messages/${id}`;
    assert.equal((await world.ask('GET', path, { version: '3.2' })).status, 404);
    const { message } = (await world.get(path, { version: '3.3' })).body;
    assert.match(message.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    assert.ok(message.guaranteed_until > message.created_at);
    assert.deepEqual(message, {
      id,
      event_id: EVENT,
      user_message: 'schedule the volume: No storage backend can take it.',
      message_level: 'ERROR',
      created_at: message.created_at,
      guaranteed_until: message.guaranteed_until,
      request_id: 'req-1',
      resource_type: 'VOLUME',
      resource_uuid: resourceId,
      links: [
        { rel: 'self', href: `http://pumice.test:8776/v3/${PROJECT}/messages/${id}` },
        { rel: 'bookmark', href: `http://pumice.test:8776/${PROJECT}/messages/${id}` },
      ],
    });
    assert.deepEqual((await world.get('/messages', { version: '3.3' })).body, { messages: [message] });
  });

  it('is deleted once', async (context) => {
    const world = await freshWorld(context);
    const path = `/messages/${await tell(world)}`;
    assert.equal((await world.ask('DELETE', path, { version: '3.2' })).status, 404);
    const answer = await world.ask('DELETE', path, { version });
    assert.equal(answer.status, 204);
    assert.equal(answer.text, '');
    assert.equal((await world.ask('DELETE', path, { version })).status, 404);
    assert.equal((await world.ask('GET', path, { version })).status, 404);
  });

  it('that has expired is nowhere', async (context) => {
    const world = await freshWorld(context);
    const id = await tell(world, { expiresAt: fromNow(-1) });
    assert.deepEqual(ids(await world.get('/messages', { version })), []);
    assert.equal((await world.ask('GET', `/messages/${id}`, { version })).status, 404);
    assert.equal((await world.ask('DELETE', `/messages/${id}`, { version })).status, 404);
  });

  it("of another project is an administrator's to see, and nobody else's", async (context) => {
    const world = await freshWorld(context);
    const id = await tell(world, { projectId: OTHER_PROJECT });
    assert.deepEqual(ids(await world.get('/messages', { version })), []);
    assert.deepEqual(ids(await world.get('/messages?all_tenants=1', { version })), [id]);
    assert.equal((await world.get(`/messages/${id}`, { version })).status, 200);
    assert.deepEqual((await getAsMember(world, '/messages', { query: 'all_tenants=1' })).messages, []);
    await assert.rejects(getAsMember(world, '/messages/:id', { params: { id } }), MessageNotFound);
  });
});

describe('the list of messages', () => {
  it('is cut into pages, sorted and filtered from 3.5 on', async (context) => {
    const world = await freshWorld(context);
    const first = await tell(world, { requestId: 'req-1' });
    const second = await tell(world, { requestId: 'req-2' });
    const third = await tell(world, { requestId: 'req-3', level: 'WARN' });

    const before = await world.get('/messages?limit=1&request_id=req-2&sort=nonsense', { version: '3.4' });
    assert.deepEqual(ids(before), [third, second, first]);
    assert.deepEqual(Object.keys(before.body), ['messages']);

    const page = await world.get('/messages?limit=2', { version });
    assert.deepEqual(ids(page), [third, second]);
    assert.deepEqual(page.body.messages_links, [
      { rel: 'next', href: `http://pumice.test:8776/v3/${PROJECT}/messages?limit=2&marker=${second}` },
    ]);
    assert.deepEqual(ids(await world.get(`/messages?limit=2&marker=${second}`, { version })), [first]);
    assert.deepEqual(ids(await world.get('/messages?limit=0', { version })), []);
    assert.deepEqual(ids(await world.get('/messages?sort=request_id:asc', { version })), [first, second, third]);
    assert.deepEqual(ids(await world.get('/messages?request_id=req-2', { version })), [second]);
    assert.deepEqual(ids(await world.get('/messages?message_level=ERROR', { version })), [second, first]);
    assert.deepEqual(ids(await world.get('/messages?nonsense=1', { version })), []);
    assert.equal((await world.ask('GET', '/messages?marker=nobody', { version })).status, 404);
    assert.equal((await world.ask('GET', '/messages?sort=nonsense', { version })).status, 400);
  });
});
