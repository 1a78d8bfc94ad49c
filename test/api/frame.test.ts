/** What every request has in common, whatever it asks for. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLOSED } from '../../src/api/body.ts';
import { callerOf } from '../../src/api/caller.ts';
import { faultAnswer } from '../../src/api/fault.ts';
import { type Route, route } from '../../src/api/route.ts';
import { buildApi } from '../../src/api/server.ts';
import { createLog, silentLog } from '../../src/lib/logging.ts';
import { Type } from '../../src/lib/schema.ts';
import * as errors from '../../src/model/errors.ts';
import { freshWorld, PROJECT, USER, type World } from './world.ts';

const token = { 'x-auth-token': `${USER}:${PROJECT}` };

describe('the version documents', () => {
  it('are given without a token, with absolute links', async (context) => {
    const world = await freshWorld(context);
    const root = await world.ask('GET', '//', { project: null });
    assert.equal(root.status, 300);
    const [version, ...others] = root.body.versions;
    assert.deepEqual(others, []);
    assert.deepEqual(
      { id: version.id, status: version.status, version: version.version, min: version.min_version },
      { id: 'v3.0', status: 'CURRENT', version: '3.71', min: '3.0' },
    );
    assert.deepEqual(
      version.links.find(({ rel }: { rel: string }) => rel === 'self').href,
      'http://pumice.test:8776/v3/',
    );
    const v3 = await world.ask('GET', '//v3/', { project: null });
    assert.equal(v3.status, 200);
    assert.deepEqual(v3.body, root.body);
    const bare = await world.ask('GET', '//v3', { project: null });
    assert.deepEqual([bare.status, bare.headers.location], [302, 'http://pumice.test:8776/v3/']);
  });

  it('honour the public endpoint', async (context) => {
    const world = await freshWorld(context, { set: ['api.public_endpoint=https://volumes.example/block/'] });
    const { body } = await world.ask('GET', '//v3/', { project: null });
    assert.equal(body.versions[0].links[1].href, 'https://volumes.example/block/v3/');
    const volume = await world.volume();
    const shown = (await world.get(`/volumes/${volume.id}`)).body.volume;
    assert.equal(shown.links[0].href, `https://volumes.example/block/v3/${PROJECT}/volumes/${volume.id}`);
    assert.equal(shown.links[1].href, `https://volumes.example/block/${PROJECT}/volumes/${volume.id}`);
  });

  it('put no Host header into a link that is none', async (context) => {
    const world = await freshWorld(context);
    const { body } = await world.ask('GET', '//v3/', { headers: { host: 'evil"><script>' } });
    assert.equal(body.versions[0].links[1].href, 'http://127.0.0.1:8776/v3/');
  });

  it('are not needed to see that someone is at home', async (context) => {
    const world = await freshWorld(context);
    const answer = await world.ask('GET', '//healthcheck', { project: null });
    assert.deepEqual([answer.status, answer.text], [200, 'OK']);
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
  });
});

describe('every answer', () => {
  it('names its request, twice, and its version', async (context) => {
    const world = await freshWorld(context);
    const answers = [
      await world.get('/volumes'),
      await world.ask('GET', '/volumes/none'),
      await world.ask('GET', '//no'),
    ];
    for (const { headers } of answers) {
      assert.match(String(headers['x-compute-request-id']), /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      assert.equal(headers['x-openstack-request-id'], headers['x-compute-request-id']);
      assert.equal(headers['openstack-api-version'], 'volume 3.0');
      assert.equal(headers.vary, 'OpenStack-API-Version');
      assert.equal(headers['content-type'], 'application/json');
    }
    const ids = answers.map(({ headers }) => headers['x-compute-request-id']);
    assert.equal(new Set(ids).size, 3);
  });
});

describe('a caller', () => {
  it('without a token is given one', async (context) => {
    const world = await freshWorld(context);
    const anonymous = await world.ask('GET', '/volumes', { project: null });
    assert.equal(anonymous.status, 204);
    assert.equal(anonymous.headers['x-auth-token'], 'admin:admin');
    assert.equal(anonymous.headers['x-server-management-url'], 'http://pumice.test:8776/v3/admin');
    const named = await world.ask('GET', '/volumes', {
      project: null,
      headers: { 'x-auth-user': USER, 'x-auth-project-id': PROJECT },
    });
    assert.equal(named.headers['x-auth-token'], `${USER}:${PROJECT}`);
    assert.equal(named.headers['x-server-management-url'], `http://pumice.test:8776/v3/${PROJECT}`);
  });

  it('without a colon in the token has a project of its own name', async (context) => {
    const world = await freshWorld(context);
    await world.volume({ projectId: 'abc', name: 'theirs' });
    const { body } = await world.ask('GET', '//v3/abc/volumes', { headers: { 'x-auth-token': 'abc' } });
    assert.deepEqual(
      body.volumes.map(({ name }: { name: string }) => name),
      ['theirs'],
    );
  });
});

describe('the project in a path', () => {
  it('may be left out, and is then in no link', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume();
    const { body } = await world.ask('GET', `//v3/volumes/${volume.id}`);
    assert.deepEqual(body.volume.links, [
      { rel: 'self', href: `http://pumice.test:8776/v3/volumes/${volume.id}` },
      { rel: 'bookmark', href: `http://pumice.test:8776/volumes/${volume.id}` },
    ]);
  });

  it('must be the caller’s', async (context) => {
    const world = await freshWorld(context);
    assert.equal((await world.ask('GET', '//v3/abcdef/volumes')).status, 400);
  });

  it('must look like one, as configured', async (context) => {
    const strict = await freshWorld(context);
    const asAdmin = { headers: { 'x-auth-token': 'admin:admin' } };
    assert.equal((await strict.ask('GET', '//v3/admin/volumes', asAdmin)).status, 404);
    const loose = await freshWorld(context, { set: ['api.project_id_regex=[a-z]+'] });
    assert.equal((await loose.ask('GET', '//v3/admin/volumes', asAdmin)).status, 200);
  });
});

describe('the version header', () => {
  const cases: readonly [header: string, status: number, version?: string][] = [
    ['volume 3.0', 200, '3.0'],
    ['volume 3.71', 200, '3.71'],
    ['volume latest', 200, '3.71'],
    ['compute 2.1, volume 3.27', 200, '3.27'],
    ['volume 3.27,compute latest', 200, '3.27'],
    ['volume  3.5', 200, '3.5'],
    ['volume 3.72', 406],
    ['volume 2.0', 406],
    ['volume 4.1', 406],
    ['volume', 400],
    ['volume 3', 400],
    ['volume 3.x', 400],
    ['volume 3.01', 400],
    ['volume 3.1 extra', 400],
    ['volume newest', 400],
    ['compute 2.1', 404],
    ['', 404],
  ];
  for (const [header, status, version] of cases) {
    it(`"${header}" is answered ${status}`, async (context) => {
      const world = await freshWorld(context);
      const answer = await world.ask('GET', '/volumes', { headers: { 'openstack-api-version': header } });
      assert.equal(answer.status, status, answer.text);
      if (version !== undefined) assert.equal(answer.headers['openstack-api-version'], `volume ${version}`);
      if (status === 406) assert.equal(answer.body.computeFault.code, 406);
    });
  }

  it('given twice counts as one list', async (context) => {
    const world = await freshWorld(context);
    const response = await world.service.api.inject({
      url: '/v3/volumes',
      headers: { ...token, 'openstack-api-version': ['compute 2.1', 'volume 3.40'] as unknown as string },
    });
    assert.equal(response.headers['openstack-api-version'], 'volume 3.40');
  });
});

/** Routes of no resource, to see the frame alone. */
const things: readonly Route[] = [
  route({ method: 'GET', path: '/things/:id', since: 5, policy: 'thing:get', handle: async ({ params }) => params }),
  route({
    method: 'POST',
    path: '/things/:id/action',
    action: 'os-count',
    policy: 'thing:count',
    body: [
      [0, Type.Object({ count: Type.Integer() })],
      [53, Type.Object({ count: Type.Integer() }, CLOSED)],
    ],
    handle: async ({ body }) => body,
  }),
  route({
    method: 'POST',
    path: '/things/:id/action',
    action: 'os-late',
    since: 40,
    policy: 'thing:late',
    status: 202,
    handle: async () => undefined,
  }),
  route({
    method: 'POST',
    path: '/things/:id/action',
    action: 'os-break',
    policy: 'thing:break',
    async handle() {
      throw new TypeError('a secret of the house');
    },
  }),
];

function thingsOf(world: World, log = silentLog) {
  const api = buildApi({ desk: world.service.desk, log, admit: callerOf, routes: things });
  return async (method: string, url: string, version = '3.0', payload?: string, type = 'application/json') => {
    const headers = { ...token, 'openstack-api-version': `volume ${version}` };
    const response = await api.inject({
      method: method as 'GET',
      url,
      headers: payload === undefined ? headers : { ...headers, 'content-type': type },
      ...(payload !== undefined && { payload }),
    });
    return { status: response.statusCode, text: response.body };
  };
}

describe('a route', () => {
  it('that is younger than the version asked for is not found, whatever the method', async (context) => {
    const ask = thingsOf(await freshWorld(context));
    assert.equal((await ask('GET', '/v3/things/1', '3.4')).status, 404);
    assert.equal((await ask('DELETE', '/v3/things/1', '3.4')).status, 404);
    assert.equal((await ask('GET', '/v3/things/1', '3.5')).status, 200);
  });

  it('of another method is a bad method; of another path is not found', async (context) => {
    const ask = thingsOf(await freshWorld(context));
    const wrong = await ask('DELETE', '/v3/things/1', '3.5');
    assert.equal(wrong.status, 405);
    assert.equal(JSON.parse(wrong.text).badMethod.code, 405);
    assert.equal((await ask('HEAD', '/v3/things/1', '3.5')).status, 405);
    assert.equal((await ask('PUT', '/v3/things/1', '3.5', '{')).status, 405);
    for (const path of ['/v3/nothing', '/nothing', '/v3/things/1/2/3', '/v2/things/1']) {
      assert.equal((await ask('GET', path, '3.5')).status, 404, path);
    }
  });

  it('is not found below an empty name, nor with a slash too many', async (context) => {
    const ask = thingsOf(await freshWorld(context));
    for (const path of ['/v3/things/', `/v3/${PROJECT}/things/`, '/v3/things/1/']) {
      assert.equal((await ask('GET', path, '3.5')).status, 404, path);
    }
    assert.equal((await ask('POST', '/v3/things//action', '3.5', '{"os-count":{"count":1}}')).status, 404);
  });

  it('decodes what the path names, and refuses what cannot be decoded', async (context) => {
    const ask = thingsOf(await freshWorld(context));
    assert.equal((await ask('GET', '/v3/things/a%2Fb%20%C3%A9', '3.5')).text, '{"id":"a/b é"}');
    assert.equal((await ask('GET', '/v3/things/%zz', '3.5')).status, 400);
  });

  it('takes any text after the question mark that can be decoded, but for NUL and for strange names', async (context) => {
    const ask = thingsOf(await freshWorld(context));
    for (const query of ['&&=&a', 'a=%25+%C3%A9', 'a=%F0%9F%92%BE'])
      assert.equal((await ask('GET', `/v3/things/1?${query}`, '3.5')).status, 200, query);
    for (const query of ['a=%00', '%zz', 'a=100%', 'a=%ff', 'a=%C3&b=%A9', 'a=%ED%A0%80', 'n%C3%A9=1'])
      assert.equal((await ask('GET', `/v3/things/1?${query}`, '3.5')).status, 400, query);
  });
});

describe('a body', () => {
  const good = '{"os-count":{"count":1}}';
  const cases: readonly [name: string, payload: string, status: number, version?: string, type?: string][] = [
    ['that fits', good, 200],
    ['that fits, with a character set', good, 200, '3.0', 'application/json; charset=utf-8'],
    ['of a vendor’s JSON', good, 200, '3.0', 'application/vnd.openstack.volume+json'],
    ['of another type', good, 415, '3.0', 'text/plain'],
    ['of a form', 'a=b', 415, '3.0', 'application/x-www-form-urlencoded'],
    ['that is no JSON', '{"os-count"', 400],
    ['that is no object', '[1]', 400],
    ['that is empty', '', 400],
    ['without an action', '{}', 400],
    ['with two actions', '{"os-count":{"count":1},"os-late":null}', 400, '3.40'],
    ['with an unknown action', '{"os-nothing":null}', 400],
    ['with an action that is too young', '{"os-late":null}', 404, '3.39'],
    ['with an action that is just old enough', '{"os-late":null}', 202, '3.40'],
    ['that is missing something', '{"os-count":{}}', 400],
    ['with a wrong type, which is not bent into shape', '{"os-count":{"count":"1"}}', 400],
    ['with an unknown key below 3.53', '{"os-count":{"count":1,"more":2}}', 200, '3.52'],
    ['with an unknown key from 3.53 on', '{"os-count":{"count":1,"more":2}}', 400, '3.53'],
    ['with the NUL character', '{"os-count":{"count":1,"more":"\\u0000"}}', 400],
    ['with half a surrogate pair', '{"os-count":{"count":1,"\\ud800":1}}', 400],
    ['that is nested deeply', `{"os-count":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400],
    ['that is too long', `{"os-count":{"more":"${'x'.repeat(120_000)}"}}`, 413],
  ];
  for (const [name, payload, status, version = '3.0', type] of cases) {
    it(`${name} is answered ${status}`, async (context) => {
      const ask = thingsOf(await freshWorld(context));
      const answer = await ask('POST', '/v3/things/1/action', version, payload, type);
      assert.equal(answer.status, status, answer.text);
    });
  }

  it('keeps keys as they came, and fills none in', async (context) => {
    const ask = thingsOf(await freshWorld(context));
    const { text } = await ask('POST', '/v3/things/1/action', '3.0', '{"os-count":{"count":1,"more":[null]}}');
    assert.equal(text, '{"count":1,"more":[null]}');
  });
});

describe('a fault', () => {
  it('of ours tells the client nothing but the request, and the log everything', async (context) => {
    const lines: string[] = [];
    const log = createLog({ level: 'error', to: { write: (line) => void lines.push(line) } });
    const ask = thingsOf(await freshWorld(context), log);
    const { status, text } = await ask('POST', '/v3/things/1/action', '3.0', '{"os-break":null}');
    assert.equal(status, 500);
    const { code, message } = JSON.parse(text).computeFault;
    assert.equal(code, 500);
    assert.doesNotMatch(text, /secret/);
    const [line = '{}'] = lines;
    const logged = JSON.parse(line);
    assert.equal(logged.err.message, 'a secret of the house');
    assert.ok(message.includes(logged.request_id));
  });

  it('of each kind has its name and status in the body', () => {
    const ignored = new Set(['PumiceError', 'NoValidBackend']);
    for (const [name, made] of Object.entries(errors)) {
      if (ignored.has(name)) continue;
      const error = new (made as new (message: string) => errors.PumiceError)('The limit is exceeded.');
      const { status, body } = faultAnswer(error, { request_id: 'req-1' }, silentLog);
      const [[fault, told] = []] = Object.entries(JSON.parse(body)) as [string, { code: number; message: string }][];
      assert.equal(status, error.status, name);
      assert.equal(fault, error.fault, name);
      assert.equal(told?.code, status, name);
    }
  });

  it('of a quota begins with the name of its kind, and says "exceeded" wherever it says when to retry', () => {
    const told = (message: string) => {
      const { status, headers, body } = faultAnswer(
        new errors.VolumeLimitExceeded(message),
        { request_id: 'req-1' },
        silentLog,
      );
      return { status, headers, ...JSON.parse(body).overLimit };
    };
    assert.deepEqual(told('The limit of 10 volumes is exceeded.'), {
      status: 413,
      code: 413,
      headers: { 'retry-after': '0' },
      message: 'VolumeLimitExceeded: The limit of 10 volumes is exceeded.',
      retryAfter: '0',
    });
    const prefixed = told('VolumeLimitExceeded: the limit is exceeded.');
    assert.equal(prefixed.message, 'VolumeLimitExceeded: the limit is exceeded.');
  });

  it('of a database that is in trouble is no one’s mistake', () => {
    const trouble = Object.assign(new Error('disk full'), { errcode: 13 });
    assert.equal(faultAnswer(trouble, { request_id: 'req-1' }, silentLog).status, 503);
  });
});

describe('two routes', () => {
  it('cannot answer the same request', async (context) => {
    const world = await freshWorld(context);
    const twice = [things[0], things[0]] as readonly Route[];
    assert.throws(
      () => buildApi({ desk: world.service.desk, log: silentLog, admit: callerOf, routes: twice }),
      /Two routes/,
    );
  });
});
