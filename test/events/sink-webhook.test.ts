import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { Delivery } from '../../src/events/dispatcher.ts';
import { WebhookSink } from '../../src/events/sink-webhook.ts';
import type { OutboxEvent } from '../../src/model/event.ts';
import { until } from '../api/event-reader.ts';
import { type Answer, until as answered, freshWorld } from '../api/world.ts';
import { freePort } from '../free-port.ts';
import { anEvent } from './rows.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
const never = new AbortController().signal;

interface Posted {
  readonly request: IncomingMessage;
  readonly body: string;
  readonly event: { readonly [name: string]: unknown };
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A receiver that answers as it is told, 204 unless it says otherwise; undefined: never. */
async function receiver(context: TestContext, answer: (posted: Posted) => Reply | undefined = () => ({ status: 204 })) {
  const posted: Posted[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const one: Posted = { request, body, event: JSON.parse(body) };
    posted.push(one);
    const reply = answer(one);
    if (reply !== undefined) response.writeHead(reply.status, reply.headers).end(reply.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { posted, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?of=billing` };
}

const sinkTo = (url: string, { secrets = [SECRET], types = [] as readonly string[] } = {}): WebhookSink =>
  new WebhookSink({ name: 'billing', url, secrets, types });

const seqs = (events: readonly OutboxEvent[]): number[] => events.map(({ seq }) => seq).sort((a, b) => a - b);
const outcome = ({ taken, refused, unwanted = [] }: Delivery) => [
  seqs([...taken, ...unwanted]),
  seqs(refused.map(({ event }) => event)),
];
const about = (...resources: readonly string[]): OutboxEvent[] =>
  resources.map((name, n) => anEvent(n + 1, { resource: `volume:${name}` }));

describe('a webhook', () => {
  test('is posted each event as a CloudEvent that any library of Standard Webhooks verifies', async (context) => {
    const { url, posted } = await receiver(context);
    const event = anEvent(12, { payload: '{"display_name":"Größe"}', publisherId: 'volume.node 1@file' });
    assert.deepEqual(outcome(await sinkTo(url).deliver([event], never)), [[12], []]);
    const [{ request, body }] = posted as [Posted];
    const { createdAt, messageId, requestId, projectId, userId, resource, eventType } = event;
    assert.deepEqual(new Webhook(SECRET).verify(body, request.headers as Record<string, string>), {
      specversion: '1.0',
      id: messageId,
      source: '/pumice/volume.node%201%40file',
      type: `org.pumice.${eventType}`,
      subject: resource,
      time: `${createdAt}Z`,
      datacontenttype: 'application/json',
      sequence: '0000000000000012',
      requestid: requestId,
      projectid: projectId,
      userid: userId,
      data: { display_name: 'Größe' },
    });
    assert.throws(() => new Webhook(OTHER_SECRET).verify(body, request.headers as Record<string, string>));
    assert.throws(() => new Webhook(SECRET).verify(`${body} `, request.headers as Record<string, string>));
    assert.deepEqual([request.method, request.url], ['POST', '/hook?of=billing']);
    assert.equal(request.headers['content-type'], 'application/cloudevents+json');
    assert.equal(request.headers['webhook-id'], messageId);
  });

  test('with two secrets is verified by either', async (context) => {
    const { url, posted } = await receiver(context);
    await sinkTo(url, { secrets: [OTHER_SECRET, SECRET] }).deliver([anEvent(1)], never);
    const [{ request, body }] = posted as [Posted];
    for (const secret of [SECRET, OTHER_SECRET])
      new Webhook(secret).verify(body, request.headers as Record<string, string>);
  });

  test('that refuses an event is posted no later one of its resource, and those of others in order', async (context) => {
    const { url, posted } = await receiver(context, ({ event }) => ({
      status: event.subject === 'volume:b' ? 500 : 202,
    }));
    const events = about('a', 'b', 'a', 'b', 'c', 'a');
    const delivery = await sinkTo(url).deliver(events, never);
    assert.deepEqual(outcome(delivery), [[1, 3, 5, 6], [2]]);
    const ofA = posted.filter(({ event }) => event.subject === 'volume:a').map(({ event }) => Number(event.sequence));
    assert.deepEqual(ofA, [1, 3, 6]);
    assert.equal(posted.filter(({ event }) => event.subject === 'volume:b').length, 1);
    assert.match(
      String(delivery.refused[0]?.error.message),
      /^The webhook billing answered \S+ of volume:b with 500\.$/,
    );
  });

  test('takes an event by 2xx and by nothing else, and of its answer nothing is told', async (context) => {
    const elsewhere = await receiver(context);
    for (const [status, isTaken] of [
      [200, true],
      [299, true],
      [302, false],
      [307, false],
      [400, false],
      [404, false],
      [503, false],
    ] as const) {
      const { url, posted } = await receiver(context, () => ({
        status,
        headers: { location: elsewhere.url },
        body: 'the secret of somebody inside',
      }));
      const { taken, refused } = await sinkTo(url).deliver([anEvent(1)], never);
      assert.deepEqual([taken.length, refused.length, posted.length], isTaken ? [1, 0, 1] : [0, 1, 1], String(status));
      for (const { error } of refused) assert.doesNotMatch(`${error.stack}`, /somebody inside/);
    }
    assert.deepEqual(elsewhere.posted, []);
  });

  test('that asks for a pause is posted nothing meanwhile', async (context) => {
    const { url, posted } = await receiver(context, () => ({ status: 429, headers: { 'retry-after': '120' } }));
    const sink = sinkTo(url);
    const { taken, refused } = await sink.deliver(about(...Array.from({ length: 30 }, (_, n) => `${n}`)), never);
    assert.equal(taken.length, 0);
    assert.ok(posted.length <= 8);
    assert.ok((refused[0]?.atLeastMs ?? 0) > 60_000);
    const many = posted.length;
    await assert.rejects(sink.deliver([anEvent(99)], never), /asked for a pause/);
    assert.equal(posted.length, many);
  });

  test('that is gone is posted nothing more, and its events are not lost', async (context) => {
    const { url, posted } = await receiver(context, () => ({ status: 410 }));
    const sink = sinkTo(url);
    assert.deepEqual(outcome(await sink.deliver([anEvent(1)], never)), [[], [1]]);
    await assert.rejects(sink.deliver([anEvent(1)], never), /gone \(410\)/);
    assert.equal(posted.length, 1);
  });

  test('that is not there refuses, and says so', async () => {
    const { refused } = await sinkTo(`http://127.0.0.1:${await freePort()}/x`).deliver([anEvent(1)], never);
    assert.match(String(refused[0]?.error.message), /^The webhook billing \(http:\S+\)/);
  });

  test('that is silent when its time is over has neither taken nor refused, and keeps nobody', async (context) => {
    const stop = new AbortController();
    const { url, posted } = await receiver(context, ({ event }) =>
      event.subject === 'volume:quick' ? { status: 204 } : undefined,
    );
    const delivery = sinkTo(url).deliver(about('quick', 'silent', 'quick', 'silent'), stop.signal);
    await until(() => posted.length === 3);
    stop.abort(new Error('the service stops'));
    const [taken, refused] = outcome(await delivery);
    // The answer to the third may have been on its way.
    assert.deepEqual([taken?.filter((seq) => seq !== 3), refused], [[1], []]);
  });

  test('is posted the types that it wants; the others count as taken', async (context) => {
    const { url, posted } = await receiver(context);
    const types = ['volume.create.end', 'volume_type.create', 'volume.resize.start', 'snapshot.create.end'];
    const events = types.map((eventType, n) => anEvent(n + 1, { eventType, resource: `r:${n}` }));
    const sink = sinkTo(url, { types: ['volume.create', 'snapshot.create.end'] });
    assert.deepEqual(outcome(await sink.deliver(events, never)), [[1, 2, 3, 4], []]);
    assert.deepEqual(posted.map(({ event }) => event.type).sort(), [
      'org.pumice.snapshot.create.end',
      'org.pumice.volume.create.end',
    ]);
  });

  test('of the configuration is posted what a request has changed, and the trouble with it is told', async (context) => {
    let refuses = '';
    const { url, posted } = await receiver(context, ({ event }) => ({ status: event.subject === refuses ? 500 : 204 }));
    const set = [`webhooks.billing.url=${url}`, `webhooks.billing.secret=${SECRET} ${OTHER_SECRET}`];
    const { service, ask, get, volume } = await freshWorld(context, { running: true, set });
    const [quiet, bad] = [await volume(), await volume()];
    refuses = `volume:${bad.id}`;
    const rename = ({ id }: { readonly id: string }) =>
      ask('PUT', `/volumes/${id}`, { body: { volume: { name: 'n' } } });
    await rename(bad);
    await rename(quiet);
    service.dispatcher.wake();
    const typesOf = ({ id }: { readonly id: string }) =>
      posted.filter(({ event }) => event.subject === `volume:${id}`).map(({ event }) => event.type);
    const all = ['org.pumice.volume.update.start', 'org.pumice.volume.update.end'];
    await until(() => typesOf(quiet).length === 2 && typesOf(bad).length === 1);
    assert.deepEqual([typesOf(quiet), typesOf(bad)], [all, all.slice(0, 1)]);
    await until(() => service.troubles.find('events', 'webhook:billing') !== undefined);
    // It is written down a moment after it is known.
    const told = async (wanted: string) => {
      const one = ({ body }: Answer) => body.sinks.find(({ sink }: { sink: string }) => sink === 'webhook:billing');
      return one(
        await answered(
          () => get('//pumice/v1/sinks'),
          (answer) => one(answer).state === wanted,
        ),
      );
    };
    const { state, waiting, ...failing } = await told('failing');
    assert.deepEqual([state, waiting.length, waiting[0]?.resource], ['failing', 1, refuses]);
    assert.equal(failing.next_try_at, waiting[0]?.next_try_at);
    assert.match(failing.reason, /^The webhook billing answered \S+ of volume:\S+ with 500\.$/);
    assert.ok(failing.succeeded_at !== null && failing.failing_since !== null);
    refuses = '';
    await until(() => typesOf(bad).length === 3);
    assert.deepEqual(typesOf(bad), [all[0], ...all]);
    await until(() => service.troubles.find('events', 'webhook:billing') === undefined);
    const { succeeded_at: _, ...well } = await told('well');
    assert.deepEqual(well, {
      ...{ sink: 'webhook:billing', state: 'well', failing_since: null, tries: 0, reason: null, next_try_at: null },
      waiting: [],
    });
  });
});
