import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Channel, connect, type GetMessage } from 'amqplib';
import { AmqpSink } from '../../src/events/sink-amqp.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { OutboxEvent } from '../../src/model/event.ts';
import { noRabbitmq, type Rabbitmq, startRabbitmq } from './rabbitmq-server.ts';
import { anEvent } from './rows.ts';

const signal = new AbortController().signal;

describe('the AMQP sink without a broker', () => {
  test('rejects when nobody listens', async (t) => {
    const { server, url } = await listening(t);
    server.close();
    const sink = new AmqpSink({ url, topics: ['notifications'] });
    await assert.rejects(sink.deliver([anEvent(1)], signal), { code: 'ECONNREFUSED' });
    await sink.close();
  });

  test('rejects when who answers is not a broker', async (t) => {
    const { server, url } = await listening(t);
    server.on('connection', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await assert.rejects(new AmqpSink({ url, topics: ['notifications'] }).deliver([anEvent(1)], signal));
  });

  test('gives a broker up that says nothing, when told to', async (t) => {
    const { server, url } = await listening(t);
    const stop = new AbortController();
    server.on('connection', () => stop.abort(new Error('enough')));
    await assert.rejects(new AmqpSink({ url, topics: ['notifications'] }).deliver([anEvent(1)], stop.signal), /enough/);
  });
});

describe('the AMQP sink', { skip: noRabbitmq }, () => {
  let broker: Rabbitmq;
  before(async () => {
    broker = await startRabbitmq();
  });
  after(() => broker?.stop());

  /** A sink with names of its own, and a consumer's channel. */
  async function world(t: TestContext) {
    const exchange = `exchange-${uuid()}`;
    const topic = `topic-${uuid()}`;
    const sink = new AmqpSink({ url: broker.url, topics: [topic], exchange });
    const consumer = await connect(broker.url);
    const channel = await consumer.createChannel();
    t.after(async () => {
      await sink.close();
      await consumer.close();
    });
    return { sink, exchange, topic, channel };
  }

  test('publishes as oslo.messaging does, each priority to its own queue', async (t) => {
    const { sink, exchange, topic, channel } = await world(t);
    const info = anEvent(1, { resource: 'volume:a' });
    const error = anEvent(2, { resource: 'volume:b', priority: 'ERROR', eventType: 'scheduler.create_volume' });
    await sink.deliver([info, error], signal);
    const [message] = await drained(channel, `${topic}.info`);
    assert.deepEqual(
      {
        exchange: message?.fields.exchange,
        key: message?.fields.routingKey,
        type: message?.properties.contentType,
        encoding: message?.properties.contentEncoding,
        mode: message?.properties.deliveryMode,
      },
      { exchange, key: `${topic}.info`, type: 'application/json', encoding: 'utf-8', mode: 2 },
    );
    const outer = JSON.parse(String(message?.content));
    assert.equal(outer['oslo.version'], '2.0');
    assert.equal(JSON.parse(outer['oslo.message']).event_type, 'volume.create.start');
    assert.deepEqual(ids(await drained(channel, `${topic}.error`)), [error.messageId]);
  });

  test('keeps the order of many events of few resources', async (t) => {
    const { sink, topic, channel } = await world(t);
    const events = Array.from({ length: 60 }, (_, n) => anEvent(n + 1, { resource: `volume:${n % 7}` }));
    await sink.deliver(events, signal);
    const taken = ids(await drained(channel, `${topic}.info`));
    assert.equal(taken.length, 60);
    for (let n = 0; n < 7; n += 1) {
      const own = idsOf(events.filter(({ resource }) => resource === `volume:${n}`));
      assert.deepEqual(
        taken.filter((id) => own.includes(id)),
        own,
      );
    }
  });

  test('uses a queue and an exchange that others declared in their own way', async (t) => {
    const { sink, exchange, topic, channel } = await world(t);
    await channel.assertExchange(exchange, 'topic', { durable: false });
    await channel.assertQueue(`${topic}.info`, { durable: false, maxLength: 1_000 });
    const event = anEvent(1);
    await sink.deliver([event], signal);
    assert.deepEqual(ids(await drained(channel, `${topic}.info`)), [event.messageId]);
  });

  test('is not in the way of one that declares at the same time, in another way', async () => {
    for (let round = 0; round < 5; round += 1) {
      const names = { url: broker.url, exchange: `exchange-${uuid()}`, topics: [`topic-${uuid()}`] };
      const sinks = [true, false].map((durable) => new AmqpSink({ ...names, durable }));
      await Promise.all(sinks.map((sink) => sink.deliver([anEvent(1)], signal)));
      await Promise.all(sinks.map((sink) => sink.close()));
    }
  });

  test('declares a queue again that was removed meanwhile', async (t) => {
    const { sink, topic, channel } = await world(t);
    await sink.deliver([anEvent(1)], signal);
    await channel.deleteQueue(`${topic}.info`);
    const event = anEvent(2);
    await assert.rejects(sink.deliver([event], signal), /no queue/);
    await sink.deliver([event], signal);
    assert.deepEqual(ids(await drained(channel, `${topic}.info`)), [event.messageId]);
  });

  test('rejects what the broker refuses', async (t) => {
    const { sink, topic, channel } = await world(t);
    await channel.assertQueue(`${topic}.info`, { durable: true, maxLength: 1, overflow: 'reject-publish' });
    await assert.rejects(sink.deliver([anEvent(1), anEvent(2), anEvent(3)], signal));
  });

  test('connects again after the connection was lost', async (t) => {
    const { topic, exchange, channel } = await world(t);
    const relay = await relayed(t, broker.url);
    const sink = new AmqpSink({ url: relay.url, topics: [topic], exchange });
    t.after(() => sink.close());
    const [first, second] = [anEvent(1), anEvent(2)];
    await sink.deliver([first], signal);
    relay.cut();
    await eventually(() => sink.deliver([second], signal));
    assert.deepEqual([...new Set(ids(await drained(channel, `${topic}.info`)))], [first.messageId, second.messageId]);
  });

  test('is stopped by its signal while the broker is silent', async (t) => {
    const { topic, exchange } = await world(t);
    const relay = await relayed(t, broker.url);
    const sink = new AmqpSink({ url: relay.url, topics: [topic], exchange });
    await sink.deliver([anEvent(1)], signal);
    relay.mute();
    const stop = new AbortController();
    const delivery = sink.deliver([anEvent(2)], stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(delivery, /enough/);
    await sink.close();
  });
});

async function listening(t: TestContext): Promise<{ server: Server; url: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { server, url: `amqp://guest:guest@127.0.0.1:${address.port}/`, sockets };
}

/** A way to the broker that can be cut or go dead. */
async function relayed(t: TestContext, to: string): Promise<{ url: string; cut(): void; mute(): void }> {
  const { server, url, sockets } = await listening(t);
  const { connect: open } = await import('node:net');
  server.on('connection', (near: Socket) => {
    const far = open(Number(new URL(to).port), '127.0.0.1').on('error', () => {});
    sockets.add(far);
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
  });
  return {
    url,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    mute: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}

async function drained(channel: Channel, queue: string): Promise<GetMessage[]> {
  const messages: GetMessage[] = [];
  for (let message = await channel.get(queue, { noAck: true }); message; ) {
    messages.push(message);
    message = await channel.get(queue, { noAck: true });
  }
  return messages;
}

const ids = (messages: readonly GetMessage[]): string[] =>
  messages.map(({ content }) => JSON.parse(JSON.parse(String(content))['oslo.message']).message_id);
const idsOf = (events: readonly OutboxEvent[]): string[] => events.map(({ messageId }) => messageId);

async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  for (const until = performance.now() + 10_000; ; await delay(20)) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
}
