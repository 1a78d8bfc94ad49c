/**
 * A broker that answers as RabbitMQ does until it stops to: at a chosen answer it sends something else, or nothing, or too much.
 *
 * It speaks with amqplib's own codec, which its package does not export.
 */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const lib = join(dirname(require.resolve('amqplib')), 'lib');

interface Frame {
  readonly channel: number;
  readonly id?: number;
  readonly fields?: Record<string, unknown>;
}
type Encode = (id: number, channel: number, fields: object) => Buffer;
interface Definitions {
  readonly encodeMethod: Encode;
  readonly [name: string]: unknown;
}
const defs = require(join(lib, 'defs.js')) as Definitions;
const { parseFrame, decodeFrame } = require(join(lib, 'frame.js')) as {
  parseFrame(bytes: Buffer, max: number): { readonly rest: Buffer } | false;
  decodeFrame(frame: unknown): Frame;
};

const method = (name: string, channel: number, fields: object = {}): Buffer =>
  defs.encodeMethod(defs[name] as number, channel, fields);

/** What goes wrong, at which answer (0 is the first). */
export type Fault = { readonly at: number } & (
  | { readonly is: 'nonsense'; readonly bytes: Uint8Array; readonly after: 'cut' | 'stall' | 'go on' }
  /** The right answer, with something behind it in the same piece. */
  | { readonly is: 'more'; readonly bytes: Uint8Array }
  /** The right answer, and behind it a method nobody asked for. */
  | { readonly is: 'method'; readonly name: string; readonly channel: number }
  /** The right answer, some bytes of it changed. */
  | { readonly is: 'garbled'; readonly places: readonly (readonly [at: number, to: number])[] }
  | { readonly is: 'cut'; readonly after: number }
  | { readonly is: 'stall'; readonly after: number }
  /** A byte now and then, for ever. */
  | { readonly is: 'dribble' }
  | { readonly is: 'flood'; readonly bytes: Uint8Array }
);

/** Methods a server may send, with fields that can be encoded. */
export const UNASKED: Readonly<Record<string, object>> = {
  ConnectionClose: { replyCode: 320, replyText: 'CONNECTION_FORCED', classId: 0, methodId: 0 },
  ConnectionCloseOk: {},
  ConnectionBlocked: { reason: 'memory' },
  ConnectionOpenOk: {},
  ConnectionTune: { channelMax: 1, frameMax: 4096, heartbeat: 1 },
  ConnectionSecure: { challenge: Buffer.from('x') },
  ChannelClose: { replyCode: 404, replyText: 'NOT_FOUND', classId: 0, methodId: 0 },
  ChannelCloseOk: {},
  ChannelOpenOk: {},
  ChannelFlow: { active: false },
  BasicAck: { deliveryTag: 7, multiple: true },
  BasicNack: { deliveryTag: 0, multiple: false },
  BasicCancel: { consumerTag: 'x' },
  BasicDeliver: { consumerTag: 'x', deliveryTag: 1, redelivered: false, exchange: '', routingKey: 'x' },
  BasicReturn: { replyCode: 312, replyText: 'NO_ROUTE', exchange: '', routingKey: 'x' },
  QueueDeclareOk: { queue: 'x', messageCount: 0, consumerCount: 0 },
};

export interface FalseBroker {
  readonly url: string;
  /** Resolves when it has gone wrong. */
  readonly reached: Promise<void>;
  /** Bytes it could send of a flood before nobody took more. */
  readonly flooded: number;
  close(): Promise<void>;
}

export async function falseBroker(fault: Fault): Promise<FalseBroker> {
  const sockets = new Set<Socket>();
  const reached = Promise.withResolvers<void>();
  const state: State = { flooded: 0, reached: reached.resolve };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    talk(socket, fault, state);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `amqp://guest:guest@127.0.0.1:${(server.address() as AddressInfo).port}/`,
    reached: reached.promise,
    get flooded() {
      return state.flooded;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

interface State {
  flooded: number;
  reached(): void;
}

function talk(socket: Socket, fault: Fault, state: State): void {
  let rest: Buffer = Buffer.alloc(0);
  let greeted = false;
  let answers = 0;
  let silent = false;
  let tag = 0;
  const say = (right: Buffer): void => {
    if (silent || socket.destroyed) return;
    const now = answers === fault.at;
    answers += 1;
    if (!now) {
      socket.write(right);
      return;
    }
    silent = fails(socket, right, fault, state);
    state.reached();
  };
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    if (!greeted) {
      greeted = true;
      rest = rest.subarray(8);
      say(
        method('ConnectionStart', 0, {
          versionMajor: 0,
          versionMinor: 9,
          serverProperties: {},
          mechanisms: Buffer.from('PLAIN'),
          locales: Buffer.from('en_US'),
        }),
      );
    }
    for (let frame = parseFrame(rest, 0); frame; frame = parseFrame(rest, 0)) {
      rest = frame.rest;
      const { id, channel, fields } = decodeFrame(frame);
      for (const [asked, answer, with_] of ANSWERS) {
        if (id !== defs[asked]) continue;
        if (asked === 'BasicPublish') tag += 1;
        say(method(answer, channel, with_(fields ?? {}, tag)));
      }
    }
  });
}

const none = (): object => ({});
const ANSWERS: readonly (readonly [string, string, (fields: Record<string, unknown>, tag: number) => object])[] = [
  ['ConnectionStartOk', 'ConnectionTune', () => ({ channelMax: 2047, frameMax: 131072, heartbeat: 60 })],
  ['ConnectionOpen', 'ConnectionOpenOk', none],
  ['ConnectionClose', 'ConnectionCloseOk', none],
  ['ChannelOpen', 'ChannelOpenOk', none],
  ['ChannelClose', 'ChannelCloseOk', none],
  ['ExchangeDeclare', 'ExchangeDeclareOk', none],
  ['QueueDeclare', 'QueueDeclareOk', ({ queue }) => ({ queue, messageCount: 0, consumerCount: 0 })],
  ['QueueBind', 'QueueBindOk', none],
  ['ConfirmSelect', 'ConfirmSelectOk', none],
  ['BasicPublish', 'BasicAck', (_fields, tag) => ({ deliveryTag: tag, multiple: false })],
];

/** True when nothing more is said. */
function fails(socket: Socket, right: Buffer, fault: Fault, state: State): boolean {
  switch (fault.is) {
    case 'nonsense':
      socket.write(fault.bytes);
      if (fault.after === 'cut') socket.end();
      return fault.after !== 'go on';
    case 'more':
      socket.write(Buffer.concat([right, fault.bytes]));
      return false;
    case 'method':
      socket.write(Buffer.concat([right, method(fault.name, fault.channel, UNASKED[fault.name])]));
      return false;
    case 'garbled': {
      const changed = Buffer.from(right);
      for (const [at, to] of fault.places) changed[at % changed.length] = to;
      socket.write(changed);
      return false;
    }
    case 'cut':
      socket.write(right.subarray(0, fault.after % (right.length + 1)), () => socket.destroy());
      return true;
    case 'stall':
      socket.write(right.subarray(0, fault.after % right.length));
      return true;
    case 'dribble': {
      const timer = setInterval(() => socket.write(right.subarray(0, 1)), 5);
      socket.on('close', () => clearInterval(timer));
      return true;
    }
    case 'flood': {
      const pour = (): void => {
        while (!socket.destroyed) {
          state.flooded += fault.bytes.length;
          if (!socket.write(fault.bytes)) break;
        }
      };
      socket.on('drain', pour);
      pour();
      return true;
    }
  }
}
