import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type ListenerOptions, listenForScrapes } from '../../src/metrics/listener.ts';

async function listener(context: TestContext, options: Partial<ListenerOptions> = {}) {
  const errors: unknown[] = [];
  const listening = await listenForScrapes({
    host: '127.0.0.1',
    port: 0,
    token: undefined,
    texts: new Map([
      ['/metrics', async () => 'a 1\n'],
      ['/broken', () => Promise.reject(new Error('no'))],
    ]),
    failed: (error) => errors.push(error),
    ...options,
  });
  context.after(() => listening.close());
  const ask = (path: string, init?: RequestInit) => fetch(`${listening.address}${path}`, init);
  return { ask, errors, address: listening.address };
}

describe('the door for those who scrape', () => {
  test("tells the text, whatever is asked after the path, with the type of Prometheus' format", async (context) => {
    const { ask } = await listener(context);
    const answer = await ask('/metrics?name=a');
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.deepEqual([answer.status, await answer.text()], [200, 'a 1\n']);
    const head = await ask('/metrics', { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '4', '']);
  });

  test('knows nothing else and changes nothing', async (context) => {
    const { ask } = await listener(context);
    assert.equal((await ask('/')).status, 404);
    const post = await ask('/metrics', { method: 'POST', body: 'x' });
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD']);
  });

  test('lets in with the token alone, where there is one', async (context) => {
    const { ask } = await listener(context, { token: 'a.secret' });
    const withHeader = async (authorization?: string) =>
      (await ask('/metrics', authorization === undefined ? {} : { headers: { authorization } })).status;
    assert.equal(await withHeader('Bearer a.secret'), 200);
    assert.equal(await withHeader('bearer a.secret'), 200);
    const wrong = [undefined, 'Bearer', 'Bearer a.secre', 'Bearer a.secret2', 'Basic a.secret', 'a.secret'];
    for (const header of wrong) assert.equal(await withHeader(header), 401, header);
    const refused = await ask('/elsewhere');
    assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'Bearer']);
  });

  test('answers 500 and says it to the log when there is nothing to tell', async (context) => {
    const { ask, errors } = await listener(context);
    assert.equal((await ask('/broken')).status, 500);
    assert.match(String(errors), /no/);
    assert.equal((await ask('/metrics')).status, 200);
  });

  test('does not begin where another listens', async (context) => {
    const { address } = await listener(context);
    await assert.rejects(listener(context, { port: Number(new URL(address).port) }), { code: 'EADDRINUSE' });
  });
});
