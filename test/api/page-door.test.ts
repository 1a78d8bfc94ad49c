/** What a browser is served at `/`, and that nobody else is served anything else than before. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { freshWorld, type World } from './world.ts';

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const MOST_BYTES = 40 * 1024;

const raw = (world: World, url: string, headers: Readonly<Record<string, string>> = {}) =>
  world.service.api.inject({ method: 'GET', url, headers: { host: 'pumice.test:8776', ...headers } });

/** The addresses in the HTML. */
async function opened(t: TestContext) {
  const world = await freshWorld(t);
  const html = await raw(world, '/', { accept: HTML });
  return {
    world,
    html,
    named: [...html.body.matchAll(/(?:href|src|content)="(page\/[^"]+)"/g)].map(([, name]) => `/${name}`),
  };
}

describe('GET /', () => {
  it('is the page for a browser, which must ask again each time and may load nothing from elsewhere', async (t) => {
    const { html, named } = await opened(t);
    assert.equal(html.statusCode, 200);
    assert.equal(html.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(html.headers['cache-control'], 'no-cache');
    assert.match(String(html.headers.vary), /\bAccept\b/);
    const policy = String(html.headers['content-security-policy']);
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ])
      assert.ok(policy.includes(rule), rule);
    assert.ok(!/unsafe|data:|http/.test(policy), policy);
    assert.deepEqual(named.map((name) => name.replace(/-[^-.]+\./, '.')).sort(), [
      '/page/icon.svg',
      '/page/main.js',
      '/page/stream-worker.js',
      '/page/style.css',
    ]);
  });

  it('is the versions document for everybody else', async (t) => {
    const world = await freshWorld(t);
    const { body: expected } = await raw(world, '/v3/');
    for (const accept of ['*/*', 'application/json', '', 'application/json, */*;q=0.5']) {
      const { statusCode, headers, body } = await raw(world, '/', { accept });
      assert.deepEqual([statusCode, headers['content-type'], body], [300, 'application/json', expected], accept);
      assert.equal(headers.vary, 'Accept');
    }
  });
});

describe('a file of the page', () => {
  it('is kept for good by a browser, for its name says what is in it', async (t) => {
    const { world, named } = await opened(t);
    for (const name of named) {
      const { statusCode, headers } = await raw(world, name);
      assert.equal(statusCode, 200);
      assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable', name);
      assert.equal(headers['x-content-type-options'], 'nosniff');
    }
    assert.equal((await raw(world, '/page/main-00000000.js')).statusCode, 404);
  });

  it('comes in the coding that the browser takes, and is the same in each', async (t) => {
    const { world, named } = await opened(t);
    const path = named.find((name) => name.endsWith('.js')) ?? assert.fail();
    const plain = await raw(world, path);
    const coded = async (accepted: string) => raw(world, path, { 'accept-encoding': accepted });
    const [brotli, gzip] = [await coded('gzip, deflate, br, zstd'), await coded('br;q=0, gzip')];
    assert.deepEqual(
      [plain, brotli, gzip].map(({ headers }) => headers['content-encoding']),
      [undefined, 'br', 'gzip'],
    );
    assert.equal(brotliDecompressSync(brotli.rawPayload).toString(), plain.body);
    assert.equal(gunzipSync(gzip.rawPayload).toString(), plain.body);
    assert.equal(brotli.headers.vary, 'Accept-Encoding');
  });

  it('is small: all of them together are at most 40 KB over the wire', async (t) => {
    const { world, named } = await opened(t);
    const sizes = await Promise.all(
      ['/', ...named].map(
        async (url) => (await raw(world, url, { accept: HTML, 'accept-encoding': 'br' })).rawPayload.length,
      ),
    );
    const sum = sizes.reduce((one, other) => one + other);
    assert.ok(sum <= MOST_BYTES, `${sum} bytes`);
  });
});
