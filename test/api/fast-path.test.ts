/**
 * What takes the fast path, and what does not. That both ways end at the same answer is shown in `row-cache.test.ts`.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RequestAdmission } from '../../src/api/admission.ts';
import { type Authenticate, callerOf } from '../../src/api/caller.ts';
import { fastPath } from '../../src/api/fast-path.ts';
import { Policy } from '../../src/api/policy/policy.ts';
import { RateLimit } from '../../src/api/rate-limit.ts';
import { RequestsInFlight } from '../../src/api/requests-in-flight.ts';
import { type AnswerKey, ResponseCache } from '../../src/api/response-cache.ts';
import { buildApi } from '../../src/api/server.ts';
import { byToken } from '../../src/api/token-authentication.ts';
import { ConnectionLost, type PostgresqlConnection } from '../../src/db/sql/connection.ts';
import { createLog, type Log, silentLog } from '../../src/lib/logging.ts';
import { Unauthorized } from '../../src/model/token.ts';
import { httpServer } from '../clients/http-server.ts';
import { type FreshDatabase, freshPostgresql } from '../databases.ts';
import { askOverSocket, type SocketAsked } from './over-socket.ts';
import { freshWorld, onBoth, PROJECT, USER, type World } from './world.ts';

const URL = '/v3/p/volumes';
const LONG = 418;

interface Deps {
  readonly admit?: Authenticate;
  readonly rate?: RateLimit;
  readonly log?: Log;
  /** Default: a fresh one on SQLite. */
  readonly database?: FreshDatabase;
}

/** A server on which one answer is cached, for version 3.7; all else is answered 418, by the route. */
async function server(context: TestContext, { admit = callerOf, rate, log = silentLog, database }: Deps = {}) {
  const world = await freshWorld(context, database && { database });
  const answers = new ResponseCache(world.service.db, new Policy());
  const caller = callerOf({ 'x-auth-token': `${USER}:${PROJECT}` }, 'req-1') ?? assert.fail();
  const asking: AnswerKey = { caller, version: 7, host: 'pumice.test:8776' };
  const keep = async (): Promise<void> => answers.keep(URL, asking, await answers.mark(), Buffer.from('{"kept":true}'));
  await keep();
  const requests = new RequestsInFlight();
  const admission = new RequestAdmission({ authenticate: admit, rate, requests, log });
  const listener = fastPath({ answers, admission }, (_request, response) => void response.writeHead(LONG).end());
  const address = await httpServer(context, listener);
  const ask = (asked: SocketAsked = {}, path = URL) => askOverSocket(address, path, { version: '3.7', ...asked });
  return { world, address, requests, ask, keep };
}

describe('the fast path', () => {
  onBoth('is taken by a request whose answer is kept, with an id of its own each time', async (context, database) => {
    const { ask } = await server(context, { database });
    const [one, two] = [await ask(), await ask()];
    assert.deepEqual([one.status, one.text, two.text], [200, '{"kept":true}', '{"kept":true}']);
    assert.match(one.headers['x-openstack-request-id'] as string, /^req-[0-9a-f-]{36}$/);
    assert.equal(one.headers['x-compute-request-id'], one.headers['x-openstack-request-id']);
    assert.notEqual(one.headers['x-openstack-request-id'], two.headers['x-openstack-request-id']);
    assert.equal(one.headers['openstack-api-version'], 'volume 3.7');
    assert.equal(one.headers['content-type'], 'application/json');
  });

  onBoth('is shut when anybody has committed, and open when it was answered again', async (context, database) => {
    const { world, ask, keep } = await server(context, { database });
    await world.volume();
    assert.equal((await ask()).status, LONG);
    await keep();
    assert.equal((await ask()).status, 200);
  });

  for (const [what, asked, path] of [
    ['another URL', {}, `${URL}?limit=1`],
    ['another method', { method: 'HEAD' }, URL],
    ['another version', { version: '3.8' }, URL],
    ['a version there is not', { version: '3.99' }, URL],
    ['no token', { headers: { 'x-auth-token': '' } }, URL],
    ['another project', { headers: { 'x-auth-token': `${USER}:other` } }, URL],
    ['another name of the server', { headers: { host: 'other.test' } }, URL],
    ['a body', { headers: { 'content-length': '0' } }, URL],
  ] as const) {
    it(`is not for a request with ${what}`, async (context) => {
      const { ask } = await server(context);
      assert.equal((await ask(asked, path)).status, LONG);
      assert.equal((await ask()).status, 200);
    });
  }

  it('is not for a request that a token’s access rules do not name, though its answer is kept', async (context) => {
    const names = (path: string, method = 'GET') =>
      byToken({
        source: {
          token: () => ({
            userId: USER,
            projectId: PROJECT,
            roles: ['admin'],
            system: false,
            accessRules: [{ service: 'volumev3', method, path }],
          }),
        },
        policy: new Policy(),
        serviceRoles: [],
        serviceRolesRequired: true,
        serviceType: 'volumev3',
        challenge: () => '',
      });
    let admit = names('/v3/**');
    const { ask } = await server(context, { admit: (...asked) => admit(...asked) });
    assert.equal((await ask()).status, 200);
    for (const other of [names('/v3/*/snapshots'), names('/v3/**', 'POST')]) {
      admit = other;
      assert.equal((await ask()).status, LONG);
    }
    admit = names(URL);
    assert.equal((await ask()).status, 200);
  });

  it('is not for a token that is refused, nor for one that has to be asked about', async (context) => {
    const refuse: Authenticate = () => {
      throw new Unauthorized();
    };
    for (const admit of [refuse, async () => callerOf({}, ''), () => Promise.reject(new Unauthorized())]) {
      const { ask } = await server(context, { admit });
      assert.equal((await ask()).status, LONG);
    }
  });

  it('counts what it answers, and is not for a project that has asked too often', async (context) => {
    const { ask } = await server(context, { rate: new RateLimit(1, 2) });
    const statuses = [await ask(), await ask(), await ask()].map(({ status }) => status);
    assert.deepEqual(statuses, [200, 200, LONG]);
  });

  it('logs what it answers, while every request is logged', async (context) => {
    const lines: string[] = [];
    const log = createLog({ level: 'debug', to: { write: (line) => lines.push(line) } });
    const { ask } = await server(context, { log });
    const { status, headers } = await ask();
    assert.equal(status, 200);
    const { msg, request_id, method, url, status: told } = JSON.parse(lines[0] ?? '{}');
    assert.deepEqual(
      { msg, request_id, method, url, told },
      { msg: 'request answered', request_id: headers['x-openstack-request-id'], method: 'GET', url: URL, told: 200 },
    );
  });

  it('hands over what it has begun: whoever is answered elsewhere is asked and counted once, under one id', async (context) => {
    const world = await freshWorld(context, { set: ['api.rate_limit_per_minute=1', 'api.rate_limit_burst=3'] });
    const ids: string[] = [];
    const admit: Authenticate = (headers, id) => {
      ids.push(id);
      return headers.host === 'asks.test' ? Promise.resolve(callerOf(headers, id)) : callerOf(headers, id);
    };
    const { desk } = world.service;
    const requests = new RequestsInFlight();
    const api = buildApi({ desk, log: silentLog, admit, requests });
    context.after(() => api.close());
    const address = await api.listen({ host: '127.0.0.1', port: 0 });
    const path = `/v3/${PROJECT}/volumes`;
    const answers = [
      await askOverSocket(address, path),
      await askOverSocket(address, path, { headers: { host: 'other.test' } }),
      await askOverSocket(address, path, { headers: { host: 'asks.test' } }),
      await askOverSocket(address, path),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 413],
    );
    assert.deepEqual(
      ids,
      answers.map(({ headers }) => headers['x-openstack-request-id']),
    );
    while (requests.list().length > 0) await setImmediate();
  });

  it('forgets a client that goes while PostgreSQL is asked', async (context) => {
    const made = await freshPostgresql();
    if ('missing' in made) return context.skip(`PostgreSQL: ${made.missing}`);
    const { world, address, requests, ask } = await server(context, { database: made });
    const reader = world.service.db.reader as PostgresqlConnection;
    const { promise, resolve } = Promise.withResolvers<unknown[]>();
    const held = context.mock.method(reader, 'prepared', () => promise);
    const { hostname, port } = new globalThis.URL(address);
    const socket = connect(Number(port), hostname);
    socket.write(`GET ${URL} HTTP/1.1\r\nhost: pumice.test:8776\r\nx-auth-token: ${USER}:${PROJECT}\r\n\r\n`);
    while (requests.list().length === 0) await setImmediate();
    socket.destroy();
    while (requests.list().length > 0) await setImmediate();
    held.mock.restore();
    resolve([{ version: 'another' }]);
    assert.equal((await ask()).status, 200);
  });

  it('hands over the request when PostgreSQL tells no snapshot, and says so there', async (context) => {
    const made = await freshPostgresql();
    if ('missing' in made) return context.skip(`PostgreSQL: ${made.missing}`);
    const world = await freshWorld(context, { database: made });
    const { desk, db } = world.service;
    const api = buildApi({ desk, log: silentLog, admit: callerOf });
    context.after(() => api.close());
    const address = await api.listen({ host: '127.0.0.1', port: 0 });
    const path = `/v3/${PROJECT}/volumes`;
    const statuses = async () => [
      (await askOverSocket(address, path)).status,
      (await askOverSocket(address, path, { version: '3.7' })).status,
    ];
    assert.deepEqual(await statuses(), [200, 200]);
    const lost = context.mock.method(db.reader as PostgresqlConnection, 'prepared', () =>
      Promise.reject(new ConnectionLost('PostgreSQL does not answer.')),
    );
    assert.deepEqual(await statuses(), [503, 503]);
    lost.mock.restore();
    assert.deepEqual(await statuses(), [200, 200]);
  });

  it('is shut to those who stay when the server closes', async (context) => {
    const world = await freshWorld(context);
    await world.volume();
    const address = await world.service.api.listen({ host: '127.0.0.1', port: 0 });
    const path = `/v3/${PROJECT}/volumes`;
    for (let turn = 0; turn < 2; turn += 1) assert.equal((await askOverSocket(address, path)).status, 200);
    await closed(world);
    await assert.rejects(askOverSocket(address, path), { code: 'ECONNREFUSED' });
  });
});

const closed = ({ service }: World): Promise<void> => service.api.close();
