/** What PostgreSQL says is passed on as it is, message by message; what is no message is refused before anybody reads it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { GuardedClient } from '../../../src/db/sql/guarded-client.ts';
import { WholeMessages } from '../../../src/db/sql/whole-messages.ts';
import { inTime } from '../../in-time.ts';

const int16 = (...values: readonly number[]): Buffer => Buffer.concat(values.map((value) => bytes(2, value)));
const int32 = (...values: readonly number[]): Buffer => Buffer.concat(values.map((value) => bytes(4, value)));
const text = (...values: readonly string[]): Buffer => Buffer.from(values.map((value) => `${value}\0`).join(''));

function bytes(size: number, value: number): Buffer {
  const all = Buffer.alloc(size);
  all.writeIntBE(value, 0, size);
  return all;
}

/** A message that claims `more` bytes than it has. */
function message(type: string, contents: readonly (Buffer | string)[] = [], more = 0): Buffer {
  const all = Buffer.concat(contents.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from(type), int32(all.length + 4 + more), all]);
}

type Contents = readonly (Buffer | string)[];

const column = (name: string): Contents => [
  text(name),
  int32(16_384),
  int16(1),
  int32(25),
  int16(-1),
  int32(-1),
  '\0\0',
];
const columns = [...column('id'), ...column('größe')];
const failure = ['S', text('ERROR'), 'C', text('23505'), 'M', text('ist schon da'), '\0'];

/** One of each that a client of ours may be sent, as the manual lays it out; those below have contents with a form. */
const FORMED: readonly (readonly [type: string, contents: Contents])[] = [
  ['R', [int32(0)]],
  ['R', [int32(3)]],
  ['R', [int32(5), 'salt']],
  ['R', [int32(10), text('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', '')]],
  ['S', [text('server_version', '17.5')]],
  ['S', [text('application_name', '')]],
  ['K', [int32(4711, -1)]],
  ['Z', ['I']],
  ['1', []],
  ['2', []],
  ['3', []],
  ['n', []],
  ['s', []],
  ['I', []],
  ['c', []],
  ['t', [int16(2), int32(25, 23)]],
  ['t', [int16(0)]],
  ['T', [int16(2), ...columns]],
  ['T', [int16(0)]],
  ['D', [int16(4), int32(3), 'abc', int32(-1), int32(0), int32(4), '\0\0\0\0']],
  ['D', [int16(1), int32(70_000), Buffer.alloc(70_000, 'x')]],
  ['D', [int16(0)]],
  ['C', [text('INSERT 0 1')]],
  ['E', failure],
  ['E', ['\0']],
  ['N', failure],
  ['A', [int32(4711), text('pumice', '')]],
  ['G', ['\0', int16(2), int16(0, 1)]],
  ['H', ['\0', int16(0)]],
];
const FREE: typeof FORMED = [
  ['d', ['a\tb\n']],
  ['R', [int32(11), 'r=nonce,s=salt,i=4096']],
  ['R', [int32(12), 'v=proof']],
];
const MESSAGES = [...FORMED, ...FREE].map(([type, contents]) => message(type, contents));

const refusal = (type: string) => ({ message: `A message of type "${type}" is not well-formed.` });

describe('whole messages', () => {
  it('are passed on as the chunk in which they came', () => {
    const messages = new WholeMessages();
    const all = Buffer.concat(MESSAGES);
    for (const chunk of [...MESSAGES, all]) assert.equal(messages.take(chunk), chunk);
  });

  it('are passed on unchanged, each as soon as it is whole, wherever they are cut in two', () => {
    const some = MESSAGES.filter(({ length }) => length < 1_000);
    const all = Buffer.concat(some);
    const ends = new Set(some.map((_, n) => Buffer.concat(some.slice(0, n)).length));
    for (let cut = 1; cut < all.length; cut += 1) {
      const messages = new WholeMessages();
      const first = messages.take(all.subarray(0, cut)) ?? Buffer.alloc(0);
      assert.equal(first.length, Math.max(...[...ends].filter((end) => end <= cut)), `cut at ${cut}`);
      assert.deepEqual(Buffer.concat([first, messages.take(all.subarray(cut)) ?? first.subarray(0, 0)]), all);
    }
  });

  it('are passed on unchanged, in whatever order and pieces they come', () => {
    const some = fc.array(fc.constantFrom(...MESSAGES), { minLength: 1 }).map((each) => Buffer.concat(each));
    fc.assert(
      fc.property(some, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (all, places) => {
        const cuts = [0, ...places.map((place) => Math.floor(place * all.length)).sort((a, b) => a - b), all.length];
        const messages = new WholeMessages();
        const passed = cuts.slice(1).map((cut, n) => messages.take(all.subarray(cuts[n], cut)));
        assert.ok(Buffer.concat(passed.filter((piece) => piece !== undefined)).equals(all));
      }),
    );
  });

  for (const [type, contents] of FORMED) {
    const told = JSON.stringify(Buffer.concat(contents.map((part) => Buffer.from(part))).toString('latin1', 0, 20));
    it(`are refused when they claim more or less than they hold: ${type} ${told}`, () => {
      for (const more of [-2, -1, 1, 2]) {
        const wrong = Buffer.concat([message(type, contents, more), ...MESSAGES]);
        assert.throws(() => new WholeMessages().take(wrong), refusal(type), `${more} more`);
      }
    });
  }

  it('are refused when what they count is more or less than they hold', () => {
    for (const count of [-1, 1, 3]) {
      const wrong = [
        message('T', [int16(count), ...columns]),
        message('D', [int16(count), int32(1), 'a', int32(-1)]),
        message('t', [int16(count), int32(25, 23)]),
        message('G', ['\0', int16(count), int16(0, 1)]),
      ];
      for (const each of wrong)
        assert.throws(() => new WholeMessages().take(each), refusal(each.toString('latin1', 0, 1)), `${count}`);
    }
    assert.throws(() => new WholeMessages().take(message('D', [int16(1), int32(-2)])), refusal('D'));
  });

  it('are refused when their type or length is none, without waiting for their end', () => {
    for (const type of ['Q', 'X', '~']) assert.throws(() => new WholeMessages().take(message(type)), refusal(type));
    for (const [type, length] of [
      ['1', 3],
      ['D', 0],
      ['D', 0x40000000],
      ['E', -1],
      ['Z', 30_001],
    ] as const)
      assert.throws(() => new WholeMessages().take(Buffer.concat([Buffer.from(type), int32(length)])), refusal(type));
    assert.equal(new WholeMessages().take(Buffer.concat([Buffer.from('D'), int32(0x3fffffff)])), undefined);
  });

  const unreadable = { message: 'Connection terminated: what the server said cannot be read.' };

  it('break the connection of a client when they are none', async () => {
    const told = toldBy((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), false);
    await assert.rejects(told, unreadable);
  });

  it('begin when TLS is there; the answer to whether it will be is none', async () => {
    await assert.rejects(
      toldBy((socket) => socket.write('N'), WITHOUT_CERTIFICATE),
      { message: 'The server does not support SSL connections' },
    );
    const secure = (answer: Buffer | string) => (socket: Socket) =>
      socket.once('data', () => {
        socket.write('S');
        new TLSSocket(socket, { ...WITHOUT_CERTIFICATE, isServer: true }).on('error', () => {}).write(answer);
      });
    await assert.rejects(toldBy(secure(message('E', failure)), WITHOUT_CERTIFICATE), { message: 'ist schon da' });
    await assert.rejects(toldBy(secure('HTTP/1.1 400 Bad Request\r\n\r\n'), WITHOUT_CERTIFICATE), unreadable);
  });
});

/** Ciphers of nobody whose name must be proven. */
const WITHOUT_CERTIFICATE = {
  ciphers: 'AECDH-AES256-SHA:@SECLEVEL=0',
  maxVersion: 'TLSv1.2',
  rejectUnauthorized: false,
} as const;

/** Connects to a server that does this to its only client. */
async function toldBy(answer: (socket: Socket) => void, ssl: false | typeof WITHOUT_CERTIFICATE): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    answer(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const client = new GuardedClient({ host: '127.0.0.1', port, ssl });
    client.on('error', () => {});
    await inTime('the connection', client.connect());
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
