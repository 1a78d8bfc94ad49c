/**
 * What cannot be decoded is refused, by every route, on both databases, and changes nothing. Over a socket, since bytes that
 * are no text cannot be sent otherwise.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEWEST } from '../../src/api/microversion.ts';
import { baseFor, everyRoute, type PlacedRoute } from './every-route.ts';
import { identityWorld } from './identity-world.ts';
import { askOverSocket, type SocketAsked } from './over-socket.ts';
import { dump, freshWorld, onBoth, PROJECT, USER } from './world.ts';

/** Bytes as characters up to U+00FF: a latin-1 é, half a character, half a surrogate pair. */
const NO_UTF8 = ['caf\xe9', '\xc3', '\xed\xa0\x80'] as const;
/** The first as it lies: Node's parser refuses that, whatever follows. */
const IN_URLS = ['caf\xe9', 'caf%e9', '%ED%A0%80', '%zz', '%00'] as const;
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

interface Case extends SocketAsked {
  readonly path: string;
}

function* casesOf({ method, path, action, open }: PlacedRoute, id: string): Generator<Case> {
  const places = [...path.matchAll(/:[a-z_]+/g)].length;
  const at = (name: string, place: number): string => {
    let count = 0;
    return path.replace(/:[a-z_]+/g, () => (count++ === place ? name : id));
  };
  const whole = at('', -1);
  const body = method === 'GET' ? undefined : bytes(action === undefined ? '{}' : `{"${action}":{}}`);
  const asked = { method, ...(body !== undefined && { body }) };
  for (let place = 0; place < places; place += 1) {
    for (const name of IN_URLS) yield { ...asked, path: at(name, place) };
  }
  for (const text of IN_URLS) yield { ...asked, path: `${whole}?name=${text}` };
  for (const name of ['caf%e9', 'n%C3%A9']) yield { ...asked, path: `${whole}?${name}=1` };
  // Where nobody is asked who it is they are not looked at.
  for (const header of open ? [] : ['x-auth-token', 'x-service-token'])
    yield { ...asked, path: whole, headers: { [header]: `${USER}\xe9:${PROJECT}` } };
  if (method === 'GET') return;
  for (const text of [...NO_UTF8, '\\ud800', '\\u0000']) {
    for (const inner of [`{"name":"${text}"}`, `{"${text}":1}`])
      yield { method, path: whole, body: bytes(action === undefined ? inner : `{"${action}":${inner}}`) };
  }
}

describe('what cannot be decoded', () => {
  onBoth(
    'is refused by every route in path, query, header and body, and changes nothing',
    async (context, database) => {
      const world = await freshWorld(context, { database, set: ['api.rpc_response_timeout=0'] });
      const { id } = await world.volume();
      const address = await world.service.api.listen({ host: '127.0.0.1', port: 0 });
      const before = await dump(world);
      for (const route of everyRoute) {
        const told: string[] = [];
        for (const { path, ...asked } of casesOf(route, id)) {
          const { status, text } = await askOverSocket(address, `${baseFor(route, PROJECT)}${path}`, {
            ...asked,
            version: `3.${NEWEST}`,
          });
          const story = `${route.method} ${path} ${route.action ?? ''} ${asked.body ?? ''}: ${status} ${text}`;
          // A name that is no project's, or a path that has other methods, is not looked at further.
          assert.ok(status === 400 || status === 404 || status === 405, story);
          told.push(story);
        }
        assert.deepEqual(await dump(world), before, told.join('\n'));
      }
    },
  );

  for (const [what, { path = '/volumes', ...asked }] of [
    ['a body with a byte of latin-1', { body: bytes('{"volume":{"size":1,"name":"caf\xe9"}}') }],
    ['a body with a key of latin-1', { body: bytes('{"volume":{"size":1,"metadata":{"caf\xe9":"v"}}}') }],
    ['a body in UTF-16', { body: Buffer.from('{"volume":{"size":1}}', 'utf16le') }],
    ['half a surrogate pair as an escape of JSON', { body: bytes('{"volume":{"size":1,"name":"\\ud83d"}}') }],
    ['a name of a filter that is not ASCII', { method: 'GET', path: '/volumes?n%C3%A9=1' }],
    ['an escape of no character in a filter', { method: 'GET', path: '/volumes?name=%ff' }],
    ['bytes of no character in a filter', { method: 'GET', path: '/volumes?name=\xff' }],
    ['an escape of no character in a path', { method: 'GET', path: '/volumes/%ff' }],
    ['NUL in a path', { method: 'GET', path: '/types/%00' }],
    ['a token that is not ASCII', { method: 'GET', headers: { 'x-auth-token': `caf\xe9:${PROJECT}` } }],
  ] satisfies readonly [string, Partial<Case>][]) {
    it(`is answered 400: ${what}`, async (context) => {
      const world = await freshWorld(context);
      const address = await world.service.api.listen({ host: '127.0.0.1', port: 0 });
      const asking: SocketAsked = { method: 'POST', version: '3.71', ...asked };
      const answer = await askOverSocket(address, `/v3/${PROJECT}${path}`, asking);
      assert.equal(answer.status, 400, answer.text);
    });
  }

  it('is refused by identity of our own too', async (context) => {
    const world = await identityWorld(context);
    const address = await world.service.api.listen({ host: '127.0.0.1', port: 0 });
    const before = await dump(world);
    const token = await world.signIn('ada');
    const signedIn = await dump(world);
    assert.notDeepEqual(signedIn, before);
    for (const [path, asked] of [
      ['/auth/tokens', { method: 'POST', body: bytes('{"auth":{"identity":"\xe9"}}') }],
      ['/projects?name=%ff', { headers: { 'x-auth-token': token } }],
      ['/projects?name=\xff', { headers: { 'x-auth-token': token } }],
      ['/projects/%ff', { headers: { 'x-auth-token': token } }],
    ] satisfies readonly [string, SocketAsked][]) {
      const answer = await askOverSocket(address, `/identity/v3${path}`, asked);
      assert.equal(answer.status, 400, `${path}: ${answer.text}`);
    }
    const nobodys = { headers: { 'x-auth-token': 'caf\xe9' } };
    assert.equal((await askOverSocket(address, '/identity/v3/projects', nobodys)).status, 401);
    assert.equal((await askOverSocket(address, `/v3/${PROJECT}/volumes`, nobodys)).status, 401);
    assert.deepEqual(await dump(world), signedIn);
  });
});
