import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Answer } from '../../src/http/answer.ts';
import { Peer, type PeerRequest } from '../../src/http/peer.ts';
import { trustedCertificates } from '../../src/http/trusted-certificates.ts';
import { httpServer } from '../clients/http-server.ts';
import { freePort } from '../free-port.ts';
import { type RawRequest, rawServer } from './raw-server.ts';

const LIMIT = 1024 * 1024;
const SILENCE_MS = 100;
const head = (status: string, headers: Readonly<Record<string, string | number>> = {}): string =>
  [`HTTP/1.1 ${status}`, ...Object.entries(headers).map(([key, value]) => `${key}: ${value}`), '', ''].join('\r\n');
const OK = (body: string, headers = {}): string =>
  `${head('200 OK', { 'content-length': body.length, ...headers })}${body}`;

const text = async (answer: Answer): Promise<string> => (await answer.whole(LIMIT)).toString('latin1');

async function to(
  t: TestContext,
  answer: (connection: Socket, request: RawRequest) => void,
  { silenceMs = 20_000 } = {},
) {
  const server = await rawServer(t, answer);
  const peer = new Peer({ name: 'The peer', url: server.url, silenceMs });
  const get = (path = 'a', more: Partial<PeerRequest> = {}) => peer.ask({ path, ...more }, text);
  return { ...server, peer, get };
}

const failure = (kind: string, message?: RegExp) => ({ name: 'PeerFailure', kind, ...(message && { message }) });

describe('a peer', () => {
  it('is asked below its URL, and answers with status, headers and body', async (t) => {
    const seen: string[] = [];
    const url = await httpServer(t, (request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers['x-a']} ${request.headers['accept-encoding']}`);
      response.writeHead(207, { 'x-b': ['1', '2'] }).end('well');
    });
    const peer = new Peer({ name: 'The peer', url: `${url}/below`, silenceMs: 20_000 });
    const answer = await peer.ask({ path: 'v2/a?b=c', headers: { 'X-A': 'z' } }, async (each) => [
      each.status,
      each.header('x-b'),
      each.header('x-c'),
      await text(each),
    ]);
    assert.deepEqual(answer, [207, '1, 2', null, 'well']);
    assert.deepEqual(seen, ['GET /below/v2/a?b=c z identity']);
  });

  it('that refuses a body and closes is heard, when it is asked whether it wants it', async (t) => {
    const { peer } = await to(t, (connection) => connection.end(head('507 Full', { 'content-length': 0 })));
    let made = 0;
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (made = 0; made < 64; made += 1) yield Buffer.alloc(1024 * 1024);
    };
    const headers = { 'content-length': String(64 * 1024 * 1024), expect: '100-continue' };
    const put = { path: 'a', method: 'PUT', headers, body: pieces() } as const;
    assert.equal(await peer.ask(put, async ({ status }) => status), 507);
    assert.equal(made, 0);
  });

  for (const says of ['HTTP/1.1 100 Continue\r\n\r\n', '']) {
    it(`is sent the body that it is asked about when it says ${says === '' ? 'nothing' : 'that it wants it'}`, async (t) => {
      const { port } = await new Promise<AddressInfo>((resolve) => {
        const server = createTcpServer((connection) => {
          let got = '';
          connection.setEncoding('latin1').on('data', (text: string) => {
            if (got === '') connection.write(says);
            got += text;
            if (got.endsWith('\r\n\r\nbody')) connection.end(OK('taken'));
          });
        }).listen(0, '127.0.0.1', () => resolve(server.address() as AddressInfo));
        t.after(() => server.close());
      });
      const peer = new Peer({ name: 'The peer', url: `http://127.0.0.1:${port}`, silenceMs: 20_000 });
      const headers = { 'content-length': '4', expect: '100-continue' };
      const body = (async function* () {
        yield Buffer.from('body');
      })();
      assert.equal(await peer.ask({ path: 'a', method: 'PUT', headers, body }, text), 'taken');
    });
  }

  it('is sent pieces no faster than it takes them, and one of an own connection', async (t) => {
    let made = 0;
    const resumed = Promise.withResolvers<void>();
    const url = await httpServer(t, async (request, response) => {
      if (request.method === 'GET') return response.end('well');
      await resumed.promise;
      let bytes = 0;
      for await (const piece of request as AsyncIterable<Buffer>) bytes += piece.length;
      response.end(`${bytes} ${request.headers['content-length']}`);
    });
    const peer = new Peer({ name: 'The peer', url, silenceMs: 20_000 });
    await peer.ask({ path: 'a' }, text);
    const piece = Buffer.alloc(1024 * 1024);
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (made = 0; made < 64; made += 1) yield piece;
    };
    const headers = { 'content-length': String(64 * piece.length) };
    const asked = peer.ask({ path: 'a', method: 'PUT', headers, body: pieces() }, text);
    // Until it stands still.
    for (let before = -1; before !== made; await pause(20)) before = made;
    assert.ok(made < 32, `${made} pieces were made for one who takes none`);
    resumed.resolve();
    assert.equal(await asked, `${64 * piece.length} ${64 * piece.length}`);
  });

  it('that takes no more pieces is silent, one that answers before all are sent has answered, and their failure is told', async (t) => {
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(1024 * 1024);
    };
    const silent = await to(t, (connection) => void connection.pause(), { silenceMs: SILENCE_MS });
    const put = (body: AsyncIterable<Buffer>) => ({ method: 'PUT', body }) as const;
    await assert.rejects(silent.get('a', put(endless())), failure('silent', /took nothing more of PUT/));
    const early = await to(t, (connection) => connection.write(OK('no')));
    assert.equal(await early.get('a', put(endless())), 'no');
    const broken = await to(t, (connection) => connection.destroy());
    await assert.rejects(broken.get('a', put(endless())), failure('broken'));
    const reason = new Error('The disk is gone.');
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(10);
      throw reason;
    };
    await assert.rejects(silent.get('a', put(failing())), reason);
    await assert.rejects(silent.get('a', { ...put(endless()), signal: AbortSignal.abort(reason) }), reason);
  });

  it('is sent a body', async (t) => {
    const url = await httpServer(t, (request, response) => request.pipe(response));
    const peer = new Peer({ name: 'The peer', url, silenceMs: 20_000 });
    assert.equal(
      await peer.ask({ path: '', method: 'POST', body: 'döner' }, async (a) => `${await a.whole(99)}`),
      'döner',
    );
  });

  it('is asked again on the connection that is there', async (t) => {
    const { get, requests } = await to(t, (connection) => connection.write(OK('a')));
    for (let n = 0; n < 3; n += 1) await get();
    assert.deepEqual(
      requests.map(({ connection }) => connection),
      [0, 0, 0],
    );
  });

  it('does not hear of one request’s headers in another’s', async (t) => {
    const { get, requests } = await to(t, (connection) => connection.write(OK('a')));
    await get('a', { headers: { 'x-auth-token': 'sesame' } });
    await get('b');
    assert.match(requests[0]?.head ?? '', /sesame/);
    assert.doesNotMatch(requests[1]?.head ?? '', /sesame/);
  });

  it('that is elsewhere is not asked: what a path says is below its URL', async (t) => {
    const { get, requests } = await to(t, (connection) => connection.write(OK('a')));
    for (const path of ['http://127.0.0.1:1/', '//127.0.0.1:1/a'])
      await assert.rejects(get(path), failure('unreachable'));
    assert.deepEqual(requests, []);
  });

  it('is not sent what is no header', async (t) => {
    const { get, requests } = await to(t, (connection) => connection.write(OK('a')));
    await assert.rejects(
      get('a', { headers: { 'x-user': 'a\r\nx-admin: 1' } }),
      failure('unreachable', /cannot be sent/),
    );
    assert.deepEqual(requests, []);
  });

  it('that is not there cannot be reached, and the failure says who, what and why', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const peer = new Peer({ name: 'The peer', url, silenceMs: 20_000 });
    await assert.rejects(
      peer.ask({ path: 'v2/a?secret=sesame', headers: { 'x-auth-token': 'sesame' } }, text),
      (error) => {
        assert.ok(error instanceof Error);
        assert.equal(error.message, `The peer (${url}) could not be reached for GET /v2/a.`);
        assert.match(inspect(error), /ECONNREFUSED/);
        assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }), /sesame/);
        return true;
      },
    );
  });
});

describe('a peer that ends its connections', () => {
  const big = 'x'.repeat(3 * LIMIT);

  it('after each answer is asked as often as one likes', async (t) => {
    const { get } = await to(t, (connection, { head: asked }) =>
      connection.end(OK(`answer to ${asked.split(' ')[1]}`)),
    );
    for (let n = 0; n < 20; n += 1) assert.equal(await get(`${n}`), `answer to /${n}`);
  });

  for (const [how, headers] of [
    ['that has a length', { 'content-length': big.length }],
    ['whose end is the connection’s', {}],
  ] as const)
    it(`after a right answer ${how} gives all of it to a reader who is slower than the wire`, async (t) => {
      const { peer } = await to(t, (connection) => connection.end(`${head('200 OK', headers)}${big}`));
      for (let n = 0; n < 5; n += 1) {
        const bytes = await peer.ask({ path: '' }, async (answer) => {
          let sum = 0;
          for await (const chunk of answer.body()) {
            for (let turns = 0; turns < 5; turns += 1) await turn();
            sum += chunk.length;
          }
          return sum;
        });
        assert.equal(bytes, big.length);
      }
    });

  for (const [how, end] of [
    ['closes', (connection: Socket) => connection.end()],
    ['resets', (connection: Socket) => connection.resetAndDestroy()],
  ] as const) {
    it(`${how} before it answers has broken off`, async (t) => {
      const { get, requests } = await to(t, end);
      await assert.rejects(get(), failure('broken'));
      assert.equal(requests.length, 1, 'what it never answered on a new connection is not repeated here');
    });

    it(`${how} in its head has broken off`, async (t) => {
      const { get } = await to(t, (connection) => connection.write('HTTP/1.1 200 OK\r\nx-a: ', () => end(connection)));
      await assert.rejects(get(), failure('broken'));
    });

    it(`${how} in mid-body has broken off, and what came before is there`, async (t) => {
      let connection: Socket | undefined;
      const { peer } = await to(t, (each) => {
        connection = each;
        each.write(`${head('200 OK', { 'content-length': 100 })}half`);
      });
      let got = '';
      const reading = peer.ask({ path: '' }, async (answer) => {
        for await (const chunk of answer.body()) {
          got += chunk.toString();
          if (connection) end(connection);
        }
      });
      await assert.rejects(reading, failure('broken', /^The peer \(.*\) broke off its answer to GET \/\.$/));
      assert.equal(got, 'half');
    });

    it(`${how} one that is kept is asked once more, of what is safe to repeat`, async (t) => {
      const { get, requests } = await to(t, (connection, request) => {
        if (request.connection % 2 === 0 && requests.filter((r) => r.connection === request.connection).length > 1)
          end(connection);
        else connection.write(OK(`from ${request.connection}`));
      });
      assert.equal(await get(), 'from 0');
      assert.equal(await get(), 'from 1');
      await get();
      const before = requests.length;
      await assert.rejects(get('a', { method: 'POST', body: 'x' }), failure('broken'));
      assert.equal(requests.length, before + 1);
    });
  }

  it('and then dies while it is asked again is broken off, after one repetition', async (t) => {
    const { get, requests } = await to(t, (connection, { index }) =>
      index === 0 ? connection.write(OK('a')) : connection.destroy(),
    );
    await get();
    await assert.rejects(get(), failure('broken'));
    assert.equal(requests.length, 3);
  });

  it('while they are idle costs nothing', async (t) => {
    let last: Socket | undefined;
    const { get } = await to(t, (connection) => {
      last = connection;
      connection.write(OK('a'));
    });
    for (let n = 0; n < 3; n += 1) {
      assert.equal(await get(), 'a');
      last?.end();
      if (last && !last.closed) await once(last, 'close');
    }
  });
});

describe('a peer that takes its time', () => {
  const silenceMs = SILENCE_MS;

  it('to answer at all is given up', async (t) => {
    const { get } = await to(t, () => {}, { silenceMs });
    await assert.rejects(get(), failure('silent', /did not begin to answer GET \/a within 0.1 s/));
  });

  it('in its head is given up, though bytes come', async (t) => {
    const { get } = await to(
      t,
      (connection) => {
        connection.write('HTTP/1.1 200 OK\r\nx-a: ');
        const timer = setInterval(() => connection.write('a'), 10);
        connection.on('close', () => clearInterval(timer));
      },
      { silenceMs },
    );
    await assert.rejects(get(), failure('silent'));
  });

  it('and says for ever that it will answer soon is given up', async (t) => {
    const { get } = await to(
      t,
      (connection) => {
        const timer = setInterval(() => connection.write('HTTP/1.1 102 Processing\r\n\r\n'), 10);
        connection.on('close', () => clearInterval(timer));
      },
      { silenceMs },
    );
    await assert.rejects(get(), failure('silent'));
  });

  it('in mid-body is given up', async (t) => {
    const { get } = await to(t, (c) => c.write(`${head('200 OK', { 'content-length': 9 })}half`), { silenceMs });
    await assert.rejects(get(), failure('silent', /fell silent for 0.1 s in its answer to GET \/a/));
  });

  it('is not blamed for a reader who takes more', async (t) => {
    const { peer } = await to(t, (connection) => connection.write(OK('x'.repeat(LIMIT))), { silenceMs });
    const bytes = await peer.ask({ path: '' }, async (answer) => {
      let sum = 0;
      for await (const chunk of answer.body()) {
        if (sum === 0) await new Promise((resolve) => setTimeout(resolve, silenceMs * 3));
        sum += chunk.length;
      }
      return sum;
    });
    assert.equal(bytes, LIMIT);
  });

  const trickle = (connection: Socket): void => {
    connection.write(head('200 OK', { 'content-length': 1_000_000 }));
    const timer = setInterval(() => connection.write('a'), 5);
    connection.on('close', () => clearInterval(timer));
  };

  it('byte by byte ends with the limit of the whole', async (t) => {
    const { get } = await to(t, trickle);
    await assert.rejects(get('a', { wholeMs: 200 }), failure('silent', /did not finish GET \/a within 0.2 s/));
  });

  it('byte by byte ends when its reader has had enough', async (t) => {
    const { peer } = await to(t, trickle);
    const stop = new AbortController();
    const reading = peer.ask({ path: '', signal: stop.signal }, async (answer) => {
      let bytes = 0;
      for await (const chunk of answer.body()) {
        bytes += chunk.length;
        if (bytes > 5) stop.abort(new Error('enough'));
      }
    });
    await assert.rejects(reading, /^Error: enough$/);
  });

  it('ends with the reason of whoever gives up before it answers', async (t) => {
    const stop = new AbortController();
    const { get, requests } = await to(t, () => stop.abort(new Error('enough')));
    await assert.rejects(get('a', { signal: stop.signal }), /^Error: enough$/);
    await assert.rejects(get('a', { signal: stop.signal }), /^Error: enough$/);
    assert.equal(requests.length, 1);
  });
});

describe('a peer that talks nonsense', () => {
  const nonsense: Readonly<Record<string, string>> = {
    'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n',
    'a status that is none': 'HTTP/1.1 many\r\n\r\n',
    'a header without an end': `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(40_000)}`,
    'more headers than are read': head(
      '200 OK',
      Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`x-${n}`, 'a'.repeat(40)])),
    ),
    'two lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\naa',
    'a length that is none': head('200 OK', { 'content-length': '1e3' }),
    'that it wants to speak another protocol': head('101 Switching Protocols', {
      upgrade: 'chat',
      connection: 'upgrade',
    }),
  };
  for (const [what, bytes] of Object.entries(nonsense))
    it(`${what} is no answer`, async (t) => {
      const { get } = await to(t, (connection) => connection.write(bytes));
      await assert.rejects(get(), failure('nonsense'));
    });

  it('in its chunks has broken off', async (t) => {
    const { get } = await to(t, (c) =>
      c.write(`${head('200 OK', { 'transfer-encoding': 'chunked' })}2\r\nab\r\nzz\r\n`),
    );
    await assert.rejects(get(), failure('broken'));
  });

  it('encoded, unasked, is not read', async (t) => {
    const { get } = await to(t, (connection) => connection.write(OK('zip', { 'content-encoding': 'gzip' })));
    await assert.rejects(get(), failure('nonsense', /encoded \(gzip\), unasked/));
  });

  it('after its answer has answered, and is asked on another connection', async (t) => {
    const { get } = await to(t, (connection, { index }) => connection.write(`${OK(`right ${index}`)}and so on`));
    for (let n = 0; n < 3; n += 1) assert.equal(await get(), `right ${n}`);
  });

  it('of answers that nobody asked for is not believed when the next one asks', async (t) => {
    let last: Socket | undefined;
    const { get } = await to(t, (connection, { index }) => {
      last = connection;
      connection.write(OK(`right ${index}`));
    });
    assert.equal(await get(), 'right 0');
    const closed = once(last as Socket, 'close');
    last?.write(OK('of another'));
    await closed;
    assert.equal(await get(), 'right 1');
  });
});

describe('a peer that sends too much', () => {
  it('and says so is not read', async (t) => {
    let sent = 0;
    const { get } = await to(t, (connection) => {
      connection.write(head('200 OK', { 'content-length': LIMIT + 1 }));
      sent += 1;
    });
    await assert.rejects(get(), failure('too-long', /more than the 1048576 bytes/));
    assert.equal(sent, 1);
  });

  it('without saying so is read to the limit, and no further than the connection holds', async (t) => {
    const PIECE = Buffer.alloc(65_536, 'a');
    let sent = 0;
    const { get } = await to(t, (connection) => {
      connection.write(head('200 OK'));
      const send = (): void => {
        while (!connection.destroyed && connection.write(PIECE, () => (sent += PIECE.length)));
        if (!connection.destroyed) connection.once('drain', send);
      };
      send();
    });
    await assert.rejects(get(), failure('too-long'));
    assert.ok(sent < 16 * LIMIT, `${sent} bytes were taken from it`);
  });

  it('to a reader who is slow fills no memory', async (t) => {
    const PIECE = Buffer.alloc(65_536, 'a');
    let sent = 0;
    let stalled = Promise.withResolvers<void>();
    const { peer } = await to(t, (connection) => {
      connection.write(head('200 OK'));
      const send = (): void => {
        while (!connection.destroyed && connection.write(PIECE, () => (sent += PIECE.length)));
        stalled.resolve();
        if (!connection.destroyed) connection.once('drain', send);
      };
      send();
    });
    const most = await peer.ask({ path: '' }, async (answer) => {
      let read = 0;
      let ahead = 0;
      for await (const chunk of answer.body()) {
        read += chunk.length;
        for (let turns = 0; turns < 20; turns += 1) await turn();
        ahead = Math.max(ahead, sent - read);
        if (read > 24 * LIMIT) break;
      }
      return ahead;
    });
    stalled = Promise.withResolvers();
    // What lies in the buffers of two sockets and one stream, whatever came.
    assert.ok(most < 16 * LIMIT, `${most} bytes were taken that nobody had read`);
  });

  it('in very small pieces takes no more memory than the limit twice', async (t) => {
    const bytes = 200_000;
    const { peer } = await to(t, (connection) =>
      connection.end(`${head('200 OK', { 'transfer-encoding': 'chunked' })}${'1\r\na\r\n'.repeat(bytes)}0\r\n\r\n`),
    );
    const all = await peer.ask({ path: '' }, (answer) => answer.whole(LIMIT));
    assert.equal(all.length, bytes);
    assert.ok(all.buffer.byteLength <= 2 * bytes, 'one buffer, not one for each piece');
  });

  it('fewer bytes than it said has broken off', async (t) => {
    const { get } = await to(t, (c) => c.end(`${head('200 OK', { 'content-length': 10 })}short`));
    await assert.rejects(get(), failure('broken'));
  });
});

describe('a redirect', () => {
  const to302 = (location: string) => head('302 Found', { location, 'content-length': 0 });

  it('is an answer like any other where it is not to be followed', async (t) => {
    const { peer } = await to(t, (connection) => connection.write(to302('/b')));
    assert.equal(await peer.ask({ path: '' }, async ({ status }) => status), 302);
    assert.equal(await peer.ask({ path: '', method: 'POST', redirects: 3 }, async ({ status }) => status), 302);
  });

  it('on the same origin is followed, with the same headers', async (t) => {
    const { get, requests } = await to(t, (connection, { head: asked }) =>
      connection.write(asked.startsWith('GET /b?c ') ? OK('there') : to302('b?c')),
    );
    assert.equal(await get('a', { redirects: 1, headers: { 'x-auth-token': 'sesame' } }), 'there');
    assert.match(requests[1]?.head ?? '', /x-auth-token: sesame/);
  });

  it('in circles ends', async (t) => {
    const { get, requests } = await to(t, (connection) => connection.write(to302('/a')));
    await assert.rejects(get('a', { redirects: 3 }), failure('elsewhere', /redirects GET \/a more than 3 times/));
    assert.equal(requests.length, 4);
  });

  it('to another origin is not followed, with or without credentials', async (t) => {
    const other = await to(t, (connection) => connection.write(OK('stolen')));
    for (const location of [other.url, other.url.replace('http:', 'https:'), `//${new URL(other.url).host}/`]) {
      const { get } = await to(t, (connection) => connection.write(to302(location)));
      await assert.rejects(get('a', { redirects: 3 }), failure('elsewhere', /another origin/));
    }
    assert.deepEqual(other.requests, []);
  });

  it('to the same origin in another’s name is followed in nobody’s', async (t) => {
    const { get, requests, url } = await to(t, (connection, { index }) =>
      connection.write(index === 0 ? to302(url.replace('http://', 'http://user:word@')) : OK('there')),
    );
    assert.equal(await get('a', { redirects: 3 }), 'there');
    assert.doesNotMatch(requests[1]?.head ?? '', /authorization/i);
  });

  for (const [what, answer] of [
    ['without a place', head('302 Found', { 'content-length': 0 })],
    ['to what is no URL', to302('http://[')],
  ] as const)
    it(`${what} leads nowhere`, async (t) => {
      const { get } = await to(t, (connection) => connection.write(answer));
      await assert.rejects(get('a', { redirects: 3 }), failure('elsewhere', /to nowhere/));
    });
});

describe('a peer with TLS', () => {
  async function secured(t: TestContext) {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
    t.after(() => rm(directory, { recursive: true }));
    const [key, certificate] = [join(directory, 'key'), join(directory, 'certificate')];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
    ];
    execFileSync('openssl', ['req', '-x509', ...made, '-days', '2', ...names], { stdio: 'ignore' });
    const [keyText, ca] = await Promise.all([readFile(key, 'utf8'), readFile(certificate, 'utf8')]);
    let requests = 0;
    const server = createTlsServer({ key: keyText, cert: ca }, (_request, response) => {
      requests += 1;
      response.end('secret');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ca, directory, asked: () => requests };
  }

  it('is trusted when its certificate is', async (t) => {
    const { url, ca } = await secured(t);
    const peer = new Peer({ name: 'The peer', url, silenceMs: 20_000, ca });
    for (let n = 0; n < 3; n += 1) assert.equal(await peer.ask({ path: '' }, text), 'secret');
  });

  it('is trusted by a file that an option names, or says what is wrong with the file', async (t) => {
    const { url, directory } = await secured(t);
    const ca = trustedCertificates('keystone.cafile', join(directory, 'certificate')) ?? '';
    assert.equal(await new Peer({ name: 'The peer', url, silenceMs: 20_000, ca }).ask({ path: '' }, text), 'secret');
    assert.equal(trustedCertificates('keystone.cafile', undefined), undefined);
    assert.throws(
      () => trustedCertificates('keystone.cafile', join(directory, 'none')),
      /^CertificatesUnusable: keystone.cafile: .* cannot be read/,
    );
    assert.throws(
      () => trustedCertificates('keystone.cafile', join(directory, 'key')),
      /^CertificatesUnusable: keystone.cafile: there is no certificate/,
    );
  });

  it('is not asked when nobody vouches for it', async (t) => {
    const { url, asked } = await secured(t);
    const peer = new Peer({ name: 'The peer', url, silenceMs: 20_000 });
    await assert.rejects(peer.ask({ path: '' }, text), failure('unreachable'));
    assert.equal(asked(), 0);
  });

  it('that never shakes hands is given up', async (t) => {
    const { url } = await rawServer(t, () => {});
    const peer = new Peer({ name: 'The peer', url: url.replace('http:', 'https:'), silenceMs: SILENCE_MS });
    await assert.rejects(peer.ask({ path: '' }, text), failure('silent', /was not reached/));
  });
});
