/** Identity of our own: signing in, tokens and what they are worth, and what is told of users and projects. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SignInThrottle, TooManySignIns } from '../../src/api/identity/sign-in-throttle.ts';
import { pruneTokens } from '../../src/db/tokens.ts';
import { fromNow } from '../../src/lib/clock.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { hashPassword, isPassword } from '../../src/lib/password.ts';
import { wire } from '../../src/wiring.ts';
import { identityWorld, OTHER_PROJECT, passwordOf } from './identity-world.ts';
import { PROJECT } from './world.ts';

describe('identity of our own', () => {
  it('says its version with and without a slash, and to anybody', async (t) => {
    const { ask } = await identityWorld(t);
    for (const path of ['//identity', '//identity/']) {
      const { status, body } = await ask('GET', path, { project: null });
      assert.equal(status, 300);
      assert.equal(body.versions.values[0].id, 'v3.14');
    }
    for (const path of ['//identity/v3', '//identity/v3/']) {
      const { status, body } = await ask('GET', path, { project: null });
      assert.equal(status, 200);
      assert.equal(body.version.links[0].href, 'http://pumice.test:8776/identity/v3/');
    }
  });

  it('gives a token for a password, with the roles and the catalogue of the project', async (t) => {
    const { identity } = await identityWorld(t);
    const { status, headers, body } = await identity('POST', '/auth/tokens', {
      body: passwordOf('bob', 'bob', 'demo'),
    });
    assert.equal(status, 201);
    assert.match(String(headers['x-subject-token']), /^[0-9a-f]{64}$/, 'no command line takes it for an option');
    const { token } = body;
    assert.deepEqual(token.methods, ['password']);
    assert.deepEqual(token.project, { id: PROJECT, name: 'demo', domain: { id: 'default', name: 'Default' } });
    assert.deepEqual(
      token.roles.map((role: { name: string }) => role.name),
      ['member'],
    );
    assert.match(token.expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    const urls = token.catalog.map(({ type, endpoints }: { type: string; endpoints: { url: string }[] }) => [
      type,
      endpoints[0]?.url,
    ]);
    assert.deepEqual(urls, [
      ['block-storage', `http://pumice.test:8776/v3/${PROJECT}`],
      ['volumev3', `http://pumice.test:8776/v3/${PROJECT}`],
      ['identity', 'http://pumice.test:8776/identity/v3'],
      ['image', 'http://pumice.test:8776/image'],
    ]);
  });

  it('finds users by id, the default project when none is named, and none when none is wanted', async (t) => {
    const { identity } = await identityWorld(t);
    const { body } = await identity('POST', '/auth/tokens', { body: passwordOf('bob', 'bob') });
    assert.equal(body.token.project.name, 'demo');
    const user = { id: body.token.user.id, password: 'bob' };
    const byId = {
      auth: { identity: { methods: ['password'], password: { user } }, scope: { project: { id: OTHER_PROJECT } } },
    };
    const other = await identity('POST', '/auth/tokens', { body: byId });
    assert.deepEqual(
      other.body.token.roles.map((role: { name: string }) => role.name),
      ['reader'],
    );
    const none = await identity('POST', '/auth/tokens', { body: passwordOf('bob', 'bob', null) });
    assert.equal(none.body.token.project, undefined);
    assert.equal(none.body.token.catalog, undefined);
  });

  it('refuses whoever is wrong in anything, with one answer', async (t) => {
    const { identity } = await identityWorld(t);
    const scope = (project: object) => ({ auth: { ...passwordOf('bob', 'bob').auth, scope: { project } } });
    const wrong = {
      'another password': passwordOf('bob', 'Bob', 'demo'),
      'another name': passwordOf('nobody', 'bob', 'demo'),
      'another domain': {
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: 'bob', password: 'bob', domain: { name: 'Other' } } },
          },
        },
      },
      'a project that is not': scope({ id: 'ffff' }),
      'a project without a role': passwordOf('eve', 'eve', 'other'),
      'a very long password': passwordOf('bob', 'b'.repeat(10_000), 'demo'),
      'a scope for a domain': { auth: { ...passwordOf('bob', 'bob').auth, scope: { domain: { id: 'default' } } } },
      'another method': { auth: { identity: { methods: ['totp'], totp: {} } } },
      'a token that is none': { auth: { identity: { methods: ['token'], token: { id: 'x' } } } },
    };
    for (const [what, body] of Object.entries(wrong)) {
      const { status, headers, body: answer } = await identity('POST', '/auth/tokens', { body });
      assert.equal(status, 401, what);
      assert.equal(headers['www-authenticate'], 'Keystone uri="http://pumice.test:8776/identity/v3"');
      assert.deepEqual(answer, {
        error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' },
      });
    }
    for (const body of [
      {},
      { auth: [] },
      { auth: { identity: { methods: 'password' } } },
      { auth: { identity: { methods: ['password'] } } },
      passwordOf('', ''),
      '{',
      [],
    ]) {
      assert.equal((await identity('POST', '/auth/tokens', { body })).status, 400, JSON.stringify(body));
    }
  });

  it('opens the block storage, for what the roles allow', async (t) => {
    const { signIn, as, volume } = await identityWorld(t);
    await volume({ name: 'ours' });
    const [ada, bob, eve, guest] = [
      await signIn('ada'),
      await signIn('bob'),
      await signIn('eve'),
      await signIn('bob', null),
    ];
    assert.equal((await as(eve, 'GET', '/volumes')).body.volumes[0].name, 'ours');
    assert.equal((await as(eve, 'POST', '/volumes', { volume: { size: 1 } })).status, 403);
    assert.equal((await as(bob, 'POST', '/volumes', { volume: { size: 1 } })).status, 202);
    assert.equal((await as(bob, 'GET', '/os-services')).status, 403);
    assert.equal((await as(ada, 'GET', '/os-services')).status, 200);
    assert.equal((await as(guest, 'GET', '//v3/volumes')).status, 403);
    const refused = await as('nonsense', 'GET', '/volumes');
    assert.equal(refused.status, 401);
    assert.equal(refused.headers['www-authenticate'], 'Keystone uri="http://pumice.test:8776/identity/v3"');
  });

  it('gives a token for another project for a token, which ends no later', async (t) => {
    const { identity, signIn, as } = await identityWorld(t);
    const bob = await signIn('bob', null);
    const rescoped = await identity('POST', '/auth/tokens', {
      body: {
        auth: { identity: { methods: ['token'], token: { id: bob } }, scope: { project: { id: OTHER_PROJECT } } },
      },
    });
    assert.equal(rescoped.status, 201);
    const first = await identity('GET', '/auth/tokens', { token: bob, headers: { 'x-subject-token': bob } });
    assert.equal(rescoped.body.token.expires_at, first.body.token.expires_at);
    assert.deepEqual(rescoped.body.token.methods, ['password', 'token']);
    assert.equal((await as(String(rescoped.headers['x-subject-token']), 'GET', '//v3/volumes')).status, 200);
  });

  it('takes an application credential for its project alone, and gets no further with its token', async (t) => {
    const { identity, as } = await identityWorld(t);
    const credential = (given: object, scope?: object) => ({
      auth: {
        identity: { methods: ['application_credential'], application_credential: given },
        ...(scope && { scope }),
      },
    });
    const user = { name: 'bob', domain: { id: 'default' } };
    const byName = await identity('POST', '/auth/tokens', {
      body: credential({ name: 'robot', user, secret: 'wrench' }),
    });
    const byId = await identity('POST', '/auth/tokens', { body: credential({ id: 'robot', secret: 'wrench' }) });
    assert.deepEqual([byName.status, byId.status], [201, 201]);
    const token = String(byId.headers['x-subject-token']);
    assert.equal((await as(token, 'POST', '/volumes', { volume: { size: 1 } })).status, 202);
    const rescoping = { auth: { identity: { methods: ['token'], token: { id: token } } } };
    assert.equal((await identity('POST', '/auth/tokens', { body: rescoping })).status, 403);
    const others = { project: { id: OTHER_PROJECT } };
    assert.equal(
      (await identity('POST', '/auth/tokens', { body: credential({ id: 'robot', secret: 'wrench' }, others) })).status,
      401,
    );
    assert.equal(
      (await identity('POST', '/auth/tokens', { body: credential({ id: 'robot', secret: 'bob' }) })).status,
      401,
    );
    const ofEve = { name: 'robot', user: { name: 'eve', domain: { id: 'default' } }, secret: 'wrench' };
    assert.equal((await identity('POST', '/auth/tokens', { body: credential(ofEve) })).status, 401);
  });

  it('tells of a token to its owner and to administrators, and nothing of one that is gone', async (t) => {
    const { identity, signIn } = await identityWorld(t);
    const [ada, bob, eve] = [await signIn('ada'), await signIn('bob'), await signIn('eve')];
    const about = (method: string, subject: string, token: string, query = '') =>
      identity(method, `/auth/tokens${query}`, { token, headers: { 'x-subject-token': subject } });
    assert.equal((await about('GET', bob, bob)).body.token.user.name, 'bob');
    assert.equal((await about('GET', bob, ada, '?nocatalog')).body.token.catalog, undefined);
    const head = await about('HEAD', bob, ada);
    assert.deepEqual([head.status, head.text], [200, '']);
    assert.equal((await about('GET', bob, await signIn('bob', 'other'))).status, 200, 'by another token of his');
    assert.equal((await about('GET', bob, eve)).status, 403);
    assert.equal((await about('GET', 'x'.repeat(43), ada)).status, 404);
    assert.equal((await about('GET', bob, 'x'.repeat(43))).status, 401);
    assert.equal((await identity('GET', '/auth/tokens', { token: bob })).status, 401);
  });

  it('forgets a token that is revoked, at once', async (t) => {
    const { identity, signIn, as } = await identityWorld(t);
    const [bob, again] = [await signIn('bob'), await signIn('bob')];
    assert.equal((await as(bob, 'GET', '/volumes')).status, 200);
    const { status } = await identity('DELETE', '/auth/tokens', { token: bob, headers: { 'x-subject-token': bob } });
    assert.equal(status, 204);
    assert.equal((await as(bob, 'GET', '/volumes')).status, 401);
    assert.equal((await as(again, 'GET', '/volumes')).status, 200);
  });

  it('keeps no token in the database, only digests of them', async (t) => {
    const { service, signIn } = await identityWorld(t);
    const bob = await signIn('bob');
    const rows = await service.db.read.selectFrom('token').selectAll().execute();
    assert.equal(rows.length, 1);
    assert.ok(!JSON.stringify(rows).includes(bob));
  });

  it('forgets tokens that have expired, and does not take them', async (t) => {
    const { service, signIn, as } = await identityWorld(t);
    const bob = await signIn('bob');
    await service.db.write(async ({ db }) => {
      await db
        .updateTable('token')
        .set({ expires_at: fromNow(-1000) })
        .execute();
    });
    assert.equal((await as(bob, 'GET', '/volumes')).status, 401);
    assert.equal(await service.db.write((tx) => pruneTokens(tx, 10)), 1);
    assert.equal(await service.db.write((tx) => pruneTokens(tx, 10)), 0);
  });

  it('knows tokens again after a restart, unless their user or the password is another', async (t) => {
    const { config, service, signIn, as } = await identityWorld(t);
    const [bob, eve, ada] = [await signIn('bob'), await signIn('eve'), await signIn('ada')];
    assert.equal((await as(bob, 'GET', '/volumes')).status, 200);
    await service.stop();
    const { ada: adasRow, bob: bobsRow, eve: evesRow } = config.identity.users;
    assert.ok(adasRow && bobsRow && evesRow);
    const changed = await hashPassword('another', { log2N: 10 });
    const users = { bob: bobsRow, eve: { ...evesRow, password_hash: changed } };
    const again = await wire(
      { ...config, identity: { ...config.identity, users, application_credentials: {} } },
      silentLog,
    );
    try {
      const ask = async (token: string) =>
        (await again.api.inject({ url: `/v3/${PROJECT}/volumes`, headers: { 'x-auth-token': token } })).statusCode;
      assert.deepEqual([await ask(bob), await ask(eve), await ask(ada)], [200, 401, 401]);
    } finally {
      await again.stop();
    }
  });

  it('tells everybody of oneself and the own projects, and an administrator of all', async (t) => {
    const { identity, signIn } = await identityWorld(t);
    const [ada, bob] = [await signIn('ada'), await signIn('bob')];
    const names = async (token: string, path: string): Promise<string[]> => {
      const { body, status, text } = await identity('GET', path, { token });
      assert.equal(status, 200, `${path}: ${text}`);
      const [list] = Object.values(body as Record<string, { name: string }[]>);
      return (list ?? []).map(({ name }) => name);
    };
    assert.deepEqual(await names(bob, '/auth/projects'), ['demo', 'other']);
    assert.deepEqual(await names(ada, '/auth/projects'), ['demo']);
    assert.deepEqual(await names(ada, '/projects'), ['demo', 'other']);
    assert.deepEqual(await names(ada, '/projects?name=other'), ['other']);
    assert.deepEqual(await names(bob, '/users'), ['bob']);
    assert.deepEqual(await names(ada, '/users'), ['ada', 'bob', 'eve']);
    assert.deepEqual(await names(bob, '/roles'), ['admin', 'member', 'reader']);
    assert.deepEqual(await names(bob, '/domains'), ['Default']);
    assert.deepEqual(await names(bob, '/auth/domains'), []);
    const { body: mine } = await identity('GET', '/users?name=bob', { token: bob });
    assert.deepEqual(await names(bob, `/users/${mine.users[0].id}/projects`), ['demo', 'other']);
    assert.equal((await identity('GET', `/projects/${OTHER_PROJECT}`, { token: bob })).body.project.name, 'other');
    assert.equal((await identity('GET', '/projects/demo', { token: bob })).status, 404);
    assert.equal((await identity('GET', '/auth/catalog', { token: bob })).body.catalog.length, 4);
    assert.equal((await identity('GET', '/projects', {})).status, 401);
    assert.equal((await identity('POST', '/projects', { token: ada, body: {} })).status, 404);
  });

  it('lets a service ask in a user’s name with a token of role service', async (t) => {
    const { signIn, world } = await identityWorld(t, { set: ['identity.users.eve.roles.other=service'] }).then(
      async (made) => ({ ...made, world: made }),
    );
    const [bob, nova] = [await signIn('bob'), await signIn('eve', 'other')];
    const ask = (service: string) =>
      world.ask('GET', '/volumes', { project: null, headers: { 'x-auth-token': bob, 'x-service-token': service } });
    assert.equal((await ask(nova)).status, 200);
    assert.equal((await ask(bob)).status, 401);
  });
});

describe('passwords', () => {
  it('are found again by their hash, and no others', async () => {
    const hash = await hashPassword('correct horse', { log2N: 10 });
    assert.equal(await isPassword('correct horse', hash), true);
    assert.equal(await isPassword('correct hors', hash), false);
    assert.equal(await isPassword('correct horse', 'correct horse'), false);
    assert.equal(await isPassword('', ''), false);
    assert.notEqual(await hashPassword('correct horse', { log2N: 10 }), hash, 'each has its salt');
  });

  it('stand in the configuration as hashes only', () => {
    const set = ['api.auth_strategy=local', 'identity.users.ada.password_hash=ada'];
    assert.throws(
      () => parseConfig({ set }),
      (error: Error) => {
        assert.match(
          error.message,
          /identity.users.ada.password_hash must be what `pumice passwd` prints; what is there is not/,
        );
        return true;
      },
    );
  });
});

describe('the configuration of identity', () => {
  const problems = (toml: string): string => {
    try {
      parseConfig({ toml });
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const hash = `scrypt:15:8:1:${'a'.repeat(22)}:${'b'.repeat(43)}`;

  it('names what is not there', () => {
    assert.match(problems('[api]\nauth_strategy = "local"\n'), /identity.users: there is none/);
    const user = `[identity.projects.demo]\n[identity.users.ada]\npassword_hash = "${hash}"\n`;
    assert.equal(problems(`${user}roles = { demo = ["member"] }\n`), '');
    assert.match(problems(`${user}roles = { demmo = ["member"] }\n`), /there is no project demmo; did you mean demo\?/);
    assert.match(
      problems(`${user}default_project = "x"\n`),
      /identity.users.ada.default_project: there is no project x/,
    );
    const credential = `[identity.application_credentials.c]\nsecret_hash = "${hash}"\nproject = "demo"\n`;
    assert.match(problems(`${user}${credential}user = "adda"\n`), /there is no user adda; did you mean ada\?/);
  });

  it('takes no id twice, and no project id that a path would not take', () => {
    const twice = '[identity.projects.a]\nid = "aa"\n[identity.projects.b]\nid = "aa"\n';
    assert.match(problems(twice), /the id aa is given twice/);
    assert.match(problems('[identity.projects.a]\nid = "xyz"\n'), /xyz is not what api.project_id_regex says/);
  });
});

describe('the throttle of sign-ins', () => {
  function start() {
    const waited: number[] = [];
    const throttle = new SignInThrottle(async (ms) => void waited.push(ms));
    const guess = (right: boolean, name = 'bob') => throttle.attempt(name, async () => right);
    return { waited, throttle, guess };
  }

  it('wait longer each time after three that were wrong, until one is right', async () => {
    const { waited, guess } = start();
    for (let n = 0; n < 12; n += 1) assert.equal(await guess(false), false);
    assert.deepEqual(waited, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    assert.equal(await guess(true), true);
    assert.equal(await guess(false), false);
    assert.equal(waited.length, 10, 'the one that was right waited, the next did not');
  });

  it('for one name do not slow another', async () => {
    const { waited, guess } = start();
    for (let n = 0; n < 4; n += 1) await guess(false);
    await guess(false, 'ada');
    assert.equal(waited.length, 1);
  });

  it('that come at once are tried one after another, and too many are sent away', async () => {
    const { throttle } = start();
    let [at, most] = [0, 0];
    const slow = async (): Promise<boolean> => {
      at += 1;
      most = Math.max(most, at);
      await new Promise((resolve) => setImmediate(resolve));
      at -= 1;
      return false;
    };
    const all = await Promise.allSettled(Array.from({ length: 12 }, () => throttle.attempt('bob', slow)));
    assert.equal(most, 1);
    assert.equal(all.filter(({ status }) => status === 'rejected').length, 4);
    await assert.rejects(
      Promise.all(Array.from({ length: 300 }, (_, n) => throttle.attempt(`name-${n}`, slow))),
      TooManySignIns,
    );
  });
});
