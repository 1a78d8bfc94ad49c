/** Clients that speak no HTTP, or half of it, over real sockets: each gets an answer or is cut off, and others are served. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { condition } from '../crash/condition.ts';
import { inTime } from '../in-time.ts';
import { escaped } from '../uncaught.ts';
import { askOverSocket } from './over-socket.ts';
import { freshWorld, PROJECT, USER } from './world.ts';

const PATIENCE_MS = 20_000;

interface Door {
  readonly address: string;
  /** The server's ends of the connections that are open. */
  readonly held: ReadonlySet<Socket>;
  open(): Promise<Client>;
  stop(): Promise<void>;
  /** Another client, who asks for something plain. */
  serves(): Promise<void>;
}

class Client {
  readonly socket: Socket;
  #heard = Buffer.alloc(0);
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  /** Takes what comes. */
  listen(): this {
    this.socket.on('data', (data) => {
      this.#heard = Buffer.concat([this.#heard, data]);
    });
    return this;
  }

  get heard(): string {
    return this.#heard.toString('latin1');
  }
}

async function atTheDoor(context: TestContext, ...set: readonly string[]): Promise<Door> {
  const { service } = await freshWorld(context, { set: ['api.port=0', ...set] });
  const clients = new Set<Socket>();
  const held = new Set<Socket>();
  service.api.server.on('connection', (socket: Socket) => {
    held.add(socket);
    socket.once('close', () => held.delete(socket));
  });
  const address = await service.listen();
  context.after(() => {
    for (const client of clients) client.destroy();
  });
  return {
    ...{ address, held },
    stop: () => service.stop(),
    open: async () => {
      const socket = connect(Number(new URL(address).port), '127.0.0.1');
      clients.add(socket);
      await once(socket, 'connect');
      return new Client(socket);
    },
    serves: async () =>
      assert.equal((await inTime('a plain answer', askOverSocket(address, `/v3/${PROJECT}/volumes`))).status, 200),
  };
}

const HEAD = `host: x\r\nx-auth-token: ${USER}:${PROJECT}\r\n`;
const GET = `GET /v3/${PROJECT}/volumes HTTP/1.1\r\n${HEAD}\r\n`;
const post = (body: string, length: number): string =>
  `POST /v3/${PROJECT}/volumes HTTP/1.1\r\n${HEAD}content-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;

/** A request that was right, and what is made of it. */
const request = fc.constantFrom(
  GET,
  post('{"volume":{"size":1}}', 21),
  `POST /v3/${PROJECT}/volumes HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"vol\r\n0\r\n\r\n`,
  `DELETE /v3/${PROJECT}/volumes/x HTTP/1.1\r\n${HEAD}expect: 100-continue\r\n\r\n`,
);
const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const changed = fc
  .tuple(request, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 }))
  .map(([text, places]) => {
    const bytes = Buffer.from(text, 'latin1');
    for (const [at, to] of places) bytes[at % bytes.length] = to;
    return bytes.toString('latin1');
  });
const lying = fc.tuple(fc.nat(40), fc.nat(60)).map(([length, more]) => post('x'.repeat(length), more));
const piece = fc.oneof(noise, request, changed, lying);

describe('the door, to clients that speak no HTTP', () => {
  it('answers each with a fault or cuts it off, never with 500, and serves others', async (context) => {
    const door = await atTheDoor(context);
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 4 }), fc.boolean(), async (pieces, together) => {
        const errors = await escaped(async () => {
          const client = (await door.open()).listen();
          if (together) client.socket.end(pieces.join(''), 'latin1');
          else {
            for (const text of pieces) client.socket.write(text, 'latin1');
            client.socket.end();
          }
          await inTime('the connection', client.closed);
          for (const [, status] of client.heard.matchAll(/^HTTP\/1\.1 (\d+) /gm))
            assert.ok(Number(status) < 500, client.heard);
          assert.match(client.heard, /^$|^HTTP\/1\.1 \d\d\d /);
        });
        assert.deepEqual(errors, []);
      }),
      { numRuns: 300 },
    );
    await door.serves();
    assert.equal(door.held.size, 0);
  });

  it('says what is wrong as the API does', async (context) => {
    const door = await atTheDoor(context);
    for (const [text, status] of [
      ['good morning\r\n\r\n', 400],
      [`GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ] as const) {
      const client = (await door.open()).listen();
      client.socket.write(text);
      await inTime('the connection', client.closed);
      const [head = '', body = ''] = client.heard.split('\r\n\r\n');
      assert.match(head, new RegExp(`^HTTP/1.1 ${status} `));
      assert.equal(JSON.parse(body).badRequest.code, status);
    }
  });

  it('puts nothing into the answer to an earlier request', async (context) => {
    const door = await atTheDoor(context);
    const client = (await door.open()).listen();
    client.socket.write(`${GET}good morning\r\n\r\n`);
    await inTime('the connection', client.closed);
    const answers = client.heard.split(/(?=HTTP\/1\.1 )/);
    for (const answer of answers) {
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      assert.equal(Number(/content-length: (\d+)/.exec(head)?.[1]), body.length);
    }
  });
});

describe('the door, to clients that take their time', () => {
  for (const [name, text] of [
    ['says nothing', ''],
    ['sends half a header', 'GET / HTTP/1.1\r\nhost: '],
    ['promises more than it sends', post('{"volume"', 100)],
  ] as const) {
    it(`cuts off one that ${name}, after client_request_timeout`, async (context) => {
      const door = await atTheDoor(context, 'api.client_request_timeout=1');
      const client = (await door.open()).listen();
      client.socket.write(text);
      await inTime('the connection', client.closed);
      assert.match(client.heard, /^$|^HTTP\/1\.1 408 /);
      await door.serves();
    });
  }

  it('ends in order though one sends half a request', async (context) => {
    const door = await atTheDoor(context);
    const client = await door.open();
    client.socket.write(post('{', 100));
    await condition('it is being asked', PATIENCE_MS, () => door.held.size === 1);
    await inTime('the end', door.stop());
  });
});

describe('the door, to clients that come in great number', () => {
  it('lets in max_connections, and others when there is room again', async (context) => {
    const door = await atTheDoor(context, 'api.max_connections=20');
    const clients = await Promise.all(Array.from({ length: 60 }, () => door.open()));
    for (const client of clients) client.listen();
    await condition(
      'the rest is turned away',
      PATIENCE_MS,
      () => clients.filter(({ socket }) => socket.closed).length === 40,
    );
    assert.equal(door.held.size, 20);
    for (const { socket } of clients) socket.destroy();
    await condition('they are gone', PATIENCE_MS, () => door.held.size === 0);
    await door.serves();
  });

  it('keeps little for one that asks and asks and never listens', async (context) => {
    const door = await atTheDoor(context);
    const client = await door.open();
    const asked = GET.repeat(200);
    let sent = 0;
    const more = (): void => {
      while (sent < 400 && client.socket.write(asked)) sent += 1;
    };
    client.socket.on('drain', more).pause();
    more();
    const [held] = door.held;
    let most = 0;
    const looking = setInterval(() => {
      most = Math.max(most, held?.writableLength ?? 0);
    }, 5);
    for (let n = 0; n < 10; n += 1) await door.serves();
    clearInterval(looking);
    assert.ok(most < 4 * 1024 ** 2, `${most} bytes wait`);
  });
});
