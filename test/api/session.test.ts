/** The session of the page: the ways in and out, by each strategy, and whose requests its cookie is good for. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { identityServer } from '../clients/identity-server.ts';
import { identityWorld, OTHER_PROJECT } from './identity-world.ts';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const ORIGIN = 'http://pumice.test:8776';
const PATH = '//pumice/v1/session';

interface Visitor {
  /** As the page asks: by its cookie, and with what a browser adds. */
  ask(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  signIn(session: object): Promise<Answer>;
  cookie: string;
}

/** A browser, as far as its cookie goes. */
function visitor(world: World, origin = ORIGIN): Visitor {
  const one: Visitor = {
    cookie: '',
    async ask(method, path, body, headers = {}) {
      const answer = await world.ask(method, path, {
        project: null,
        version: 'latest',
        headers: {
          ...(method !== 'GET' && { origin, 'content-type': 'application/json' }),
          ...(one.cookie !== '' && { cookie: one.cookie }),
          ...headers,
        },
        ...(body && { body }),
      });
      const [set] = [answer.headers['set-cookie']].flat();
      if (set !== undefined) [one.cookie = ''] = String(set).split(';', 1);
      return answer;
    },
    signIn: (session) => one.ask('POST', PATH, { session }),
  };
  return one;
}

const keystoneWorld = async (t: TestContext): Promise<World> => {
  const keystone = await identityServer(t);
  keystone.people.set('bob', [
    { id: PROJECT, name: 'demo', roles: ['member'] },
    { id: OTHER_PROJECT, name: 'other', roles: ['reader'] },
  ]);
  keystone.people.set('eve', []);
  return freshWorld(t, {
    set: [
      'api.auth_strategy=keystone',
      `keystone.auth_url=${keystone.url}/v3`,
      'keystone.username=cinder',
      'keystone.password=secret',
    ],
  });
};

describe('a session with auth_strategy "noauth"', () => {
  it('is for whatever project is named, and what it does is done there', async (t) => {
    const world = await freshWorld(t);
    await world.volume({ name: 'ours' });
    const { ask, signIn } = visitor(world);
    const before = await ask('GET', PATH);
    assert.deepEqual(before.body, { strategy: 'noauth', session: null, suggestions: { projects: [] } });
    const { status, headers, body } = await signIn({ project: PROJECT, user: 'ada' });
    assert.equal(status, 201);
    assert.equal(headers['set-cookie'], `pumice_8776=ada%3A${PROJECT}; Path=/; HttpOnly; SameSite=Lax`);
    assert.deepEqual(body.session.user, { id: 'ada', name: 'ada' });
    assert.deepEqual(body.session.projects, [{ id: PROJECT, name: PROJECT }]);
    assert.equal(body.session.is_admin, true);
    assert.equal((await ask('GET', '//v3/volumes')).body.volumes[0].name, 'ours');
    assert.equal((await ask('POST', '//v3/volumes', { volume: { size: 1 } })).status, 202);
    assert.deepEqual((await visitor(world).ask('GET', PATH)).body.suggestions, { projects: [PROJECT] });
  });

  it('ends where it is signed out', async (t) => {
    const one = visitor(await freshWorld(t));
    await one.signIn({ project: 'demo' });
    const { status, headers } = await one.ask('DELETE', PATH);
    assert.equal(status, 204);
    assert.equal(headers['set-cookie'], 'pumice_8776=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
    assert.equal((await one.ask('GET', PATH)).body.session, null);
    assert.equal((await one.ask('GET', '//v3/volumes')).status, 204, 'nobody, who is offered a token');
  });

  it('is not begun with what would be no token', async (t) => {
    const { signIn } = visitor(await freshWorld(t));
    for (const session of [{ user: 'a:b' }, { user: 'é' }, { project: 'a b' }, { user: 1 }, { more: '' }])
      assert.equal((await signIn(session)).status, 400, JSON.stringify(session));
  });
});

for (const [strategy, start] of [
  ['local', identityWorld],
  ['keystone', keystoneWorld],
] as const) {
  describe(`a session with auth_strategy "${strategy}"`, () => {
    it('takes the right password, and says whose it is and which projects there are', async (t) => {
      const { ask, signIn } = visitor(await start(t));
      for (const session of [
        { user: 'bob', password: 'wrong' },
        { user: 'nobody', password: 'nobody' },
      ])
        assert.equal((await signIn(session)).status, 401, JSON.stringify(session));
      assert.equal((await signIn({ user: 'bob' })).status, 400);
      assert.equal((await ask('GET', PATH)).body.session, null);
      const { status, body } = await signIn({ user: 'bob', password: 'bob' });
      assert.equal(status, 201);
      assert.equal(body.strategy, strategy);
      const { user, project, projects, is_admin: isAdmin } = body.session;
      assert.deepEqual([user.name, project, isAdmin], ['bob', { id: PROJECT, name: 'demo' }, false]);
      assert.deepEqual(projects, [
        { id: PROJECT, name: 'demo' },
        { id: OTHER_PROJECT, name: 'other' },
      ]);
      assert.deepEqual((await ask('GET', PATH)).body, body);
      assert.equal((await ask('POST', '//v3/volumes', { volume: { size: 1 } })).status, 202);
    });

    it('changes to another project of the user, where the rights are those there, and to no other', async (t) => {
      const { ask, signIn } = visitor(await start(t));
      await signIn({ user: 'bob', password: 'bob' });
      const { status, body } = await signIn({ project: OTHER_PROJECT });
      assert.deepEqual([status, body.session.project.name], [201, 'other']);
      assert.equal((await ask('POST', '//v3/volumes', { volume: { size: 1 } })).status, 403, 'a reader');
      assert.equal((await signIn({ project: 'ffff' })).status, 401);
      assert.equal((await ask('GET', PATH)).body.session.project.name, 'other');
    });

    it('is over for the token too when it is signed out', async (t) => {
      const world = await start(t);
      const one = visitor(world);
      await one.signIn({ user: 'bob', password: 'bob' });
      const stolen = one.cookie;
      await one.ask('DELETE', PATH);
      one.cookie = stolen;
      assert.equal((await one.ask('GET', PATH)).body.session, null);
    });
  });
}

it('a user of Keystone without a project is told so', async (t) => {
  const { signIn } = visitor(await keystoneWorld(t));
  const { status, text } = await signIn({ user: 'eve', password: 'eve' });
  assert.equal(status, 403);
  assert.match(text, /no role in any project/);
});

describe('the cookie of a session', () => {
  async function signedIn(t: TestContext, set: readonly string[] = [], origin = ORIGIN) {
    const one = visitor(await freshWorld(t, { set }), origin);
    const { headers } = await one.signIn({ project: PROJECT });
    return { one, set: String(headers['set-cookie']) };
  }
  const create = { volume: { size: 1 } };

  it('is good for a change only where the page at our own address asks for it, in JSON', async (t) => {
    const { one } = await signedIn(t);
    const statusWith = async (headers: Readonly<Record<string, string>>) =>
      (await one.ask('POST', '//v3/volumes', create, headers)).status;
    assert.equal(await statusWith({}), 202);
    assert.equal(await statusWith({ 'sec-fetch-site': 'same-origin' }), 202);
    for (const headers of [
      { origin: 'http://pumice.test:9999' },
      { origin: 'https://pumice.test:8776' },
      { origin: 'http://elsewhere.test' },
      { origin: 'null' },
      { origin: '' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
    ])
      assert.equal(await statusWith(headers), 403, JSON.stringify(headers));
    assert.equal((await one.ask('DELETE', PATH, undefined, { origin: 'http://pumice.test:9999' })).status, 403);
    assert.equal((await one.ask('POST', PATH, { session: {} }, { origin: 'http://pumice.test:9999' })).status, 403);
  });

  it('reads nothing for a page of another site', async (t) => {
    const { one } = await signedIn(t);
    for (const [site, status] of [
      ['same-origin', 200],
      ['none', 200],
      ['same-site', 403],
      ['cross-site', 403],
    ] as const)
      assert.equal((await one.ask('GET', '//v3/volumes', undefined, { 'sec-fetch-site': site })).status, status, site);
  });

  it('is looked at only where a request has no token', async (t) => {
    const { one } = await signedIn(t);
    const headers = {
      'x-auth-token': 'else:ffff',
      origin: 'http://elsewhere.test',
      'content-type': 'application/json',
    };
    const { status, body } = await one.ask('POST', '//v3/volumes', create, headers);
    assert.deepEqual([status, body.volume.user_id], [202, 'else']);
  });

  it('behind a proxy is held to the public address, and is secure where that is', async (t) => {
    const open = 'https://storage.example.org';
    const { one, set } = await signedIn(t, [`api.public_endpoint=${open}/volume`], open);
    assert.equal(set, `pumice_443=admin%3A${PROJECT}; Path=/; HttpOnly; SameSite=Lax; Secure`);
    assert.equal((await one.ask('POST', '//v3/volumes', create)).status, 202);
    const { status, text } = await one.ask('POST', '//v3/volumes', create, { origin: ORIGIN });
    assert.equal(status, 403);
    assert.match(text, /https:\/\/storage\.example\.org/);
  });

  it('of another service on this host, or one that nobody can read, is nobody’s', async (t) => {
    const { one } = await signedIn(t);
    for (const cookie of [`pumice_8777=admin%3A${PROJECT}`, 'pumice_8776=%', 'pumice_8776=', 'a=b']) {
      one.cookie = cookie;
      assert.equal((await one.ask('GET', '//v3/volumes')).status, 204, cookie);
      assert.equal((await one.ask('GET', PATH)).body.session, null, cookie);
    }
  });
});
