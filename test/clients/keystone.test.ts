import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Keystone, type KeystoneOptions } from '../../src/clients/keystone.ts';
import { createLog, silentLog } from '../../src/lib/logging.ts';
import { Troubles } from '../../src/lib/troubles.ts';
import { IdentityUnavailable, Unauthorized } from '../../src/model/token.ts';
import {
  answer,
  type Behaviour,
  hangUp,
  type IdentityServer,
  identityServer,
  later,
  projectToken,
  sayNothing,
} from './identity-server.ts';

const PASSWORD = 'the-password-of-the-service';

async function start(t: TestContext, options: Partial<KeystoneOptions> = {}) {
  const server = await identityServer(t);
  server.tokens.set('good', projectToken('p1', ['member']));
  const keystone = new Keystone({
    url: server.url,
    credentials: {
      username: 'cinder',
      password: PASSWORD,
      userDomainName: 'Default',
      projectName: 'service',
      projectDomainName: 'Default',
    },
    timeoutMs: 5_000,
    cacheMs: 60_000,
    log: silentLog,
    troubles: new Troubles({ log: options.log ?? silentLog }),
    ...options,
  });
  const ask = async (text: string, evenExpired = false) => keystone.token(text, { evenExpired });
  return { server, keystone, ask };
}

const asked = ({ requests }: IdentityServer) => requests.filter(({ method }) => method === 'GET').length;

describe('Keystone', () => {
  it('says whose a token is, asked with a token of our own', async (t) => {
    const { server, ask } = await start(t);
    assert.deepEqual(await ask('good'), { userId: 'ada', projectId: 'p1', roles: ['member'], system: false });
    assert.deepEqual(server.logins, [
      {
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: 'cinder', password: PASSWORD, domain: { name: 'Default' } } },
          },
          scope: { project: { name: 'service', domain: { name: 'Default' } } },
        },
      },
    ]);
    assert.ok(server.own.has(String(server.requests.at(-1)?.headers['x-auth-token'])));
  });

  it('takes an application credential of ours as well', async (t) => {
    const { server, ask } = await start(t, {
      credentials: { applicationCredentialId: 'id', applicationCredentialSecret: 'secret' },
    });
    await ask('good');
    assert.deepEqual(server.logins, [
      {
        auth: {
          identity: { methods: ['application_credential'], application_credential: { id: 'id', secret: 'secret' } },
        },
      },
    ]);
  });

  it('is asked once for a token, by however many requests', async (t) => {
    const { server, ask, keystone } = await start(t);
    await Promise.all([ask('good'), ask('good'), ask('good')]);
    assert.equal(asked(server), 1);
    assert.ok(!(keystone.token('good') instanceof Promise), 'what is known takes no turn of the event loop');
    assert.equal(asked(server), 1);
    assert.equal(server.logins.length, 1);
  });

  it('is asked again when its answer has been believed long enough', async (t) => {
    const { server, ask } = await start(t, { cacheMs: 0 });
    await ask('good');
    server.tokens.delete('good');
    await assert.rejects(ask('good'), Unauthorized);
    assert.equal(asked(server), 2);
  });

  it('is not asked again at once about a token that is nobody’s', async (t) => {
    const { server, ask } = await start(t);
    await assert.rejects(ask('bad'), Unauthorized);
    await assert.rejects(ask('bad'), Unauthorized);
    assert.equal(asked(server), 1);
  });

  it('is not asked about what can be no token', async (t) => {
    const { server, ask } = await start(t);
    for (const text of ['', 'two words', 'new\nline', 'é', 'x'.repeat(20_000)])
      await assert.rejects(ask(text), Unauthorized);
    assert.deepEqual(server.requests, []);
  });

  it('says of a token for the whole site, for a domain and for nothing that it is for no project', async (t) => {
    const { server, ask } = await start(t);
    const { project: _, ...none } = projectToken('', ['admin']);
    server.tokens.set('system', { ...none, system: { all: true } });
    server.tokens.set('domain', { ...none, domain: { id: 'default' } });
    server.tokens.set('unscoped', { ...none, roles: undefined });
    assert.deepEqual(await ask('system'), { userId: 'ada', projectId: null, roles: ['admin'], system: true });
    assert.deepEqual(await ask('domain'), { userId: 'ada', projectId: null, roles: ['admin'], system: false });
    assert.deepEqual(await ask('unscoped'), { userId: 'ada', projectId: null, roles: [], system: false });
  });

  it('tells which requests a token is good for, also from memory', async (t) => {
    const { server, ask } = await start(t);
    const rules = [{ id: 'r1', service: 'volumev3', method: 'GET', path: '/v3/**' }];
    const credential = (more: object) =>
      projectToken('p1', ['member'], {
        application_credential: { id: 'c1', name: 'robot', restricted: true, ...more },
      });
    server.tokens.set('held', credential({ access_rules: rules }));
    server.tokens.set('nothing', credential({ access_rules: [] }));
    server.tokens.set('free', credential({}));
    server.tokens.set('null', credential({ access_rules: null }));
    const read = [{ service: 'volumev3', method: 'GET', path: '/v3/**' }];
    for (let n = 0; n < 2; n += 1) assert.deepEqual((await ask('held')).accessRules, read);
    assert.deepEqual((await ask('nothing')).accessRules, []);
    for (const text of ['free', 'null']) assert.ok(!('accessRules' in (await ask(text))));
    assert.equal(asked(server), 4);
  });

  it('gives us another token when ours is not known any more', async (t) => {
    const { server, ask } = await start(t);
    await ask('good');
    server.own.clear();
    server.tokens.set('second', projectToken('p2', []));
    assert.equal((await ask('second')).projectId, 'p2');
    assert.equal(server.logins.length, 2);
  });

  it('lets a service go on with a token that has just expired, and nobody else', async (t) => {
    const { server, ask } = await start(t);
    server.tokens.set('old', projectToken('p1', ['member'], { expires_at: later(-1000) }));
    await assert.rejects(ask('old'), Unauthorized);
    assert.equal((await ask('old', true)).projectId, 'p1');
    await assert.rejects(ask('old'), Unauthorized);
  });

  describe('opens no door when it', () => {
    const good = projectToken('p1', ['admin']);
    const lies: Readonly<Record<string, Behaviour>> = {
      'answers no JSON': answer(200, '<html>'),
      'answers nothing': answer(200, ''),
      'answers an empty token': answer(200, { token: {} }),
      'answers an array': answer(200, []),
      'tells of another token': answer(200, { token: good }, { 'x-subject-token': 'another' }),
      'tells of an expired token': answer(200, { token: { ...good, expires_at: later(-1) } }),
      'tells no time of expiry': answer(200, { token: { ...good, expires_at: null } }),
      'tells a time of expiry that is none': answer(200, { token: { ...good, expires_at: 'never' } }),
      'tells no user': answer(200, { token: { ...good, user: {} } }),
      'tells a project without an id': answer(200, { token: { ...good, project: { name: 'demo' } } }),
      'tells a project id that is none': answer(200, { token: { ...good, project: { id: 'a\nb' } } }),
      'tells roles that are none': answer(200, { token: { ...good, roles: 'admin' } }),
      'tells a credential that is none': answer(200, { token: { ...good, application_credential: 'c1' } }),
      'tells access rules that are none': answer(200, {
        token: { ...good, application_credential: { id: 'c1', access_rules: '*' } },
      }),
      'tells an access rule without a path': answer(200, {
        token: {
          ...good,
          application_credential: { id: 'c1', access_rules: [{ service: 'volumev3', method: 'GET' }] },
        },
      }),
      'tells a role without a name': answer(200, { token: { ...good, roles: [{ id: 'admin' }] } }),
    };
    for (const [does, behaviour] of Object.entries(lies)) {
      it(`${does}: 401`, async (t) => {
        const { server, ask } = await start(t);
        await ask('good');
        server.next.push(behaviour);
        await assert.rejects(ask('other'), Unauthorized);
      });
    }

    const away: Readonly<Record<string, Behaviour>> = {
      'hangs up': hangUp,
      'is broken': answer(500, {}),
      'is being repaired': answer(503, {}),
      'forbids us to ask': answer(403, {}),
      'sends us elsewhere': answer(302, {}, { location: 'http://127.0.0.1:1/' }),
      'never stops answering': (_request, response) => {
        response.writeHead(200);
        const send = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 32)));
          if (!response.destroyed) response.once('drain', send);
        };
        send();
      },
    };
    for (const [does, behaviour] of Object.entries(away)) {
      it(`${does}: 503`, async (t) => {
        const { server, ask } = await start(t);
        await ask('good');
        // What ends a connection that was kept is asked once more.
        server.next.push(behaviour, behaviour);
        await assert.rejects(ask('other'), IdentityUnavailable);
        assert.equal((await ask('good')).projectId, 'p1', 'what is known is still believed');
      });
    }

    it('says nothing: 503 when the time is over', async (t) => {
      const { server, ask } = await start(t, { timeoutMs: 50 });
      server.next.push(sayNothing);
      await assert.rejects(ask('good'), /too slow/);
    });

    it('does not take our own credentials: 503, and the log says why without them', async (t) => {
      const lines: string[] = [];
      const log = createLog({ level: 'debug', to: { write: (line) => void lines.push(line) } });
      const { server, ask } = await start(t, { log });
      server.next.push(answer(401, {}));
      await assert.rejects(ask('good'), IdentityUnavailable);
      assert.match(lines.join(), /answers 401 to our own credentials/);
      assert.doesNotMatch(lines.join(), new RegExp(`${PASSWORD}|good`));
    });

    for (const text of ['two tokens', '', 'x'.repeat(20_000)])
      it(`gives us a token that is none, of ${text.length} letters: 503`, async (t) => {
        const { server, ask } = await start(t);
        server.next.push(answer(201, { token: projectToken('service', []) }, { 'x-subject-token': text }));
        await assert.rejects(ask('good'), IdentityUnavailable);
        assert.deepEqual(asked(server), 0);
      });

    it('is not there: 503', async (t) => {
      const { ask } = await start(t, { url: 'http://127.0.0.1:1' });
      await assert.rejects(ask('good'), IdentityUnavailable);
    });
  });
});
