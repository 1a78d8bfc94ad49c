/** The stream of events over real connections. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { EventStream } from '../../src/api/pumice/event-stream.ts';
import type { Database } from '../../src/db/database.ts';
import { appendEvents } from '../../src/db/outbox.ts';
import { uuid } from '../../src/lib/clock.ts';
import { EventReader, type Told, until } from './event-reader.ts';
import { identityWorld, OTHER_PROJECT } from './identity-world.ts';
import { askOverSocket } from './over-socket.ts';
import { freshWorld, onBoth, PROJECT, USER, type World, type WorldOptions } from './world.ts';

async function listening(
  context: TestContext,
  options: WorldOptions = {},
): Promise<World & { readonly address: string }> {
  const world = await freshWorld(context, options);
  return { ...world, address: await world.service.api.listen({ host: '127.0.0.1', port: 0 }) };
}

function reading(context: TestContext, ...given: ConstructorParameters<typeof EventReader>): EventReader {
  const reader = new EventReader(...given);
  context.after(() => reader.close());
  return reader;
}

/** One that has had its first frame. */
async function watching(
  context: TestContext,
  ...given: ConstructorParameters<typeof EventReader>
): Promise<EventReader> {
  const reader = reading(context, ...given);
  await reader.answered;
  await until(() => reader.frames.length > 0);
  return reader;
}

const tell = (db: Database, resource: string, projectId: string, payload: object = { tenant_id: projectId }) =>
  db.write((tx) =>
    appendEvents(tx, [
      {
        messageId: uuid(),
        resource,
        eventType: 'volume.update.end',
        priority: 'INFO',
        publisherId: 'x',
        payload: JSON.stringify(payload),
        projectId: PROJECT,
        userId: USER,
        requestId: 'req-1',
      },
    ]),
  );

const of = (resource: string) => (told: Told) => told.resource === resource;

describe('the stream of events', () => {
  onBoth('tells what a request changed, and what was missed', async (context, database) => {
    const { address, ask, volume } = await listening(context, { database });
    const [first, second] = [await volume(), await volume()];
    const rename = ({ id }: { readonly id: string }) =>
      ask('PUT', `/volumes/${id}`, { body: { volume: { name: 'another' } } });
    const reader = await watching(context, address);
    assert.equal(reader.status, 200);
    assert.deepEqual(reader.events, ['reset']);
    for (const [name, value] of [
      ['content-type', 'text/event-stream'],
      ['cache-control', 'no-store'],
      ['x-accel-buffering', 'no'],
    ] as const)
      assert.equal(reader.headers[name], value);
    assert.match(String(reader.headers['x-openstack-request-id']), /^req-/);
    assert.match(reader.text, /^retry: 1\d{3}\n\n/);
    const resource = `volume:${first.id}`;
    const { headers } = await rename(first);
    const { seq, created_at, ...told } = await reader.change(
      (each) => of(resource)(each) && each.event_type === 'volume.update.end',
    );
    assert.deepEqual(told, {
      is: 'event',
      resource,
      event_type: 'volume.update.end',
      priority: 'INFO',
      project_id: PROJECT,
      request_id: headers['x-openstack-request-id'],
    });
    assert.equal(typeof seq, 'number');
    assert.match(String(created_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    reader.close();
    await rename(second);
    for (const how of [
      { last: reader.last ?? '' },
      { after: reader.last ?? '' },
      { last: 'x', after: reader.last ?? '' },
    ]) {
      const again = await watching(context, address, how);
      await again.change(of(`volume:${second.id}`));
      assert.ok(!again.events.includes('reset'), JSON.stringify(how));
      assert.ok(!again.changes.some(of(resource)));
    }
    const lost = await watching(context, address, { last: '1.1.abcdef01' });
    assert.equal(lost.events[0], 'reset');
  });

  onBoth('tells how a flow gets on and that it ended', async (context, database) => {
    const { address, ask, get, service } = await listening(context, { database });
    const { body } = await ask('POST', '/volumes', { body: { volume: { size: 1 } } });
    const resource = `volume:${body.volume.id}`;
    const reader = await watching(context, address);
    const isFlow = (each: Told): boolean => each.is === 'flow' && of(resource)(each);
    const set = (fields: object) =>
      service.db.write(({ db }) => db.updateTable('flow').set(fields).where('resource', '=', resource).execute());
    const doing = { node: 'copy', since: '2026-01-31T12:00:00.000000', progress: 0.5 };
    await set({ doing: JSON.stringify(doing), state: 'running', seq: 7 });
    const { is: _, ...told } = await reader.change(isFlow);
    const { id } = told;
    const { kept_by: __, ...listed } = (await get(`//pumice/v1/flows?resource=${resource}`)).body.flows[0];
    assert.deepEqual(told, listed);
    assert.equal(listed.doing.progress, 0.5);
    await set({ doing: JSON.stringify({ ...doing, progress: 0.75 }) });
    await reader.change((each) => isFlow(each) && (each.doing as { progress: number } | null)?.progress === 0.75);
    await set({ doing: null, state: 'success', ended_at: '2026-01-31T12:00:01.000000' });
    const ended = await reader.change((each) => isFlow(each) && each.state === 'success');
    assert.deepEqual([ended.id, ended.ended_at], [id, '2026-01-31T12:00:01.000000']);
  });

  it('tells of a flow that nobody saw run', async (context) => {
    const { address, ask, service } = await listening(context);
    const reader = await watching(context, address);
    await service.engine.start();
    const { body } = await ask('POST', '/volumes', { body: { volume: { size: 1 } } });
    await reader.change((each) => each.is === 'flow' && of(`volume:${body.volume.id}`)(each) && each.ended_at !== null);
  });

  it('tells a member of the own project alone, and no words that are for operators', async (context) => {
    const world = await identityWorld(context);
    const { db } = world.service;
    const address = await world.service.api.listen({ host: '127.0.0.1', port: 0 });
    const [ada, bob, bobElsewhere] = await Promise.all(
      [await world.signIn('ada'), await world.signIn('bob'), await world.signIn('bob', 'other')].map((token) =>
        watching(context, address, { token }),
      ),
    );
    assert.ok(ada && bob && bobElsewhere);
    await tell(db, 'volume:ours', PROJECT);
    await tell(db, 'volume:theirs', OTHER_PROJECT);
    await tell(db, 'volume_type:nobodys', PROJECT, {});
    const made = await world.as(await world.signIn('bob'), 'POST', '/volumes', { volume: { size: 1 } });
    const resource = `volume:${made.body.volume.id}`;
    const doing = {
      node: 'copy',
      since: 's',
      progress: null,
      waiting: { what: 'another try', why: 'host-7: /var/x', since: 's' },
    };
    await db.write((tx) =>
      tx.db
        .updateTable('flow')
        .set({ doing: JSON.stringify(doing) })
        .where('resource', '=', resource)
        .execute(),
    );
    await tell(db, 'volume:last', PROJECT);
    await tell(db, 'volume:last', OTHER_PROJECT);
    const isWaiting = (each: Told): boolean => each.is === 'flow' && each.doing !== null;
    const waiting = (told: Told) => (told.doing as { readonly waiting: object }).waiting;
    assert.deepEqual(waiting(await ada.change(isWaiting)), doing.waiting);
    assert.deepEqual(waiting(await bob.change(isWaiting)), { ...doing.waiting, why: null });
    for (const reader of [ada, bob, bobElsewhere]) await reader.change(of('volume:last'));
    await ada.change(of('volume:theirs'));
    await ada.change(of('volume_type:nobodys'));
    const seenBy = (reader: EventReader) => new Set(reader.changes.map((each) => each.resource));
    assert.deepEqual(seenBy(bob), new Set(['volume:ours', resource, 'volume:last']));
    assert.deepEqual(seenBy(bobElsewhere), new Set(['volume:theirs', 'volume:last']));
    assert.doesNotMatch(bob.text, /host-7/);
    const late = await watching(context, address, {
      token: await world.signIn('bob', 'other'),
      after: bobElsewhere.last ?? '',
    });
    assert.doesNotMatch(late.text, /ours|nobodys/);
  });

  it('ends when the token does, at the next sign of life', async (context) => {
    const world = await identityWorld(context);
    const address = await world.service.api.listen({ host: '127.0.0.1', port: 0 });
    const [token, kept] = [await world.signIn('bob'), await world.signIn('eve')];
    context.mock.timers.enable({ apis: ['setInterval'] });
    const reader = await watching(context, address, { token });
    const other = await watching(context, address, { token: kept });
    context.mock.timers.tick(15_000);
    await until(() => reader.text.endsWith(':\n\n') && reader.frames.length === 2);
    const gone = await world.identity('DELETE', '/auth/tokens', {
      token: await world.signIn('ada'),
      headers: { 'x-subject-token': token },
    });
    assert.equal(gone.status, 204);
    context.mock.timers.tick(15_000);
    await reader.ended;
    assert.equal(
      (await askOverSocket(address, '/pumice/v1/whoami', { headers: { 'x-auth-token': token } })).status,
      401,
    );
    await tell(world.service.db, 'volume:ours', PROJECT);
    await other.change(of('volume:ours'));
  });

  it('is not begun for who does not ask for one, nor for too many of one user', async (context) => {
    const { address, get, ask } = await listening(context);
    assert.equal((await ask('GET', '//pumice/v1/events')).status, 406);
    assert.equal((await ask('GET', '//pumice/v1/events', { headers: { accept: '*/*' } })).status, 406);
    const readers = await Promise.all(Array.from({ length: 12 }, () => watching(context, address)));
    const refused = reading(context, address);
    await refused.ended;
    assert.equal(refused.status, 503);
    assert.match(String(refused.headers['content-type']), /^text\/plain/);
    assert.match(refused.text, /^Too many streams/);
    await watching(context, address, { token: `another:${PROJECT}` });
    readers[0]?.close();
    const { promise: came, resolve } = Promise.withResolvers<void>();
    for (let tries = 0; tries < 200; tries += 1) {
      const again = reading(context, address);
      await again.answered;
      if (again.status === 200) {
        resolve();
        break;
      }
      await again.ended;
      await turn();
    }
    await came;
    await get('//pumice/v1/whoami');
  });

  it('ends with the server, which does not wait for it', async (context) => {
    const { address, service } = await listening(context);
    const readers = await Promise.all(Array.from({ length: 3 }, () => watching(context, address)));
    await service.api.close();
    for (const reader of readers) await reader.ended;
    assert.ok(readers.every(({ text }) => text.endsWith('\n\n')));
  });
});

describe('a client that does not read', () => {
  /** A server that hands each request to a stream. */
  async function streaming(
    context: TestContext,
  ): Promise<{ readonly server: Server; readonly streams: EventStream[]; readonly gone: EventStream[] }> {
    const [streams, gone]: [EventStream[], EventStream[]] = [[], []];
    const server = createServer((_request, answer) => {
      const stream = new EventStream({
        projectId: null,
        open: () => answer,
        beat: () => Buffer.from(':\n\n'),
        isWelcome: async () => true,
        gone: (stream) => void gone.push(stream),
      });
      streams.push(stream);
      stream.send(Buffer.from(':\n\n'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { server, streams, gone };
  }

  it('is cut off before it costs memory, and costs the others nothing', async (context) => {
    const { server, streams, gone } = await streaming(context);
    const { port } = server.address() as AddressInfo;
    const open = async (): Promise<ReturnType<typeof connect>> => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      context.after(() => socket.destroy());
      await once(socket, 'connect');
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      return socket;
    };
    const reader = await open();
    let had = 0;
    reader.on('data', (bytes) => {
      had += bytes.length;
    });
    await until(() => streams.length === 1);
    const sleeper = await open();
    sleeper.pause();
    await until(() => streams.length === 2);
    const [quick, asleep] = streams as [EventStream, EventStream];
    const frame = Buffer.from(`data: ${'x'.repeat(30_000)}\n\n`);
    let sent = 0;
    for (const deadline = performance.now() + 30_000; gone.length === 0; sent += 1) {
      assert.ok(performance.now() < deadline, 'It is never cut off.');
      const before = had;
      quick.send(frame);
      asleep.send(frame);
      while (had < before + frame.length && performance.now() < deadline) await turn();
    }
    assert.deepEqual(gone, [asleep]);
    assert.ok(had >= sent * frame.length);
    quick.send(frame);
    await until(() => had >= (sent + 1) * frame.length);
  });
});
