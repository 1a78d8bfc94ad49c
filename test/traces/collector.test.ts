/** Spans on their way to a collector, by real HTTP: well, dead, slow, refusing. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fromNow } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { Troubles } from '../../src/lib/troubles.ts';
import { otlpCollector } from '../../src/traces/otlp-collector.ts';
import type { Span } from '../../src/traces/span.ts';
import { SpanQueue } from '../../src/traces/span-queue.ts';
import { httpServer } from '../clients/http-server.ts';
import { freePort } from '../free-port.ts';
import { inTime } from '../in-time.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

const aSpan = (given: Partial<Span> = {}): Span => ({
  name: 'copy',
  kind: 'internal',
  traceId: TRACE,
  spanId: '00f067aa0ba902b7',
  parentId: undefined,
  start: '2026-01-31T12:00:00.000001',
  end: '2026-01-31T12:00:01.500000',
  attributes: { 'pumice.flow_id': 'f' },
  events: [],
  ...given,
});

interface Told {
  readonly resource: unknown;
  readonly spans: readonly Record<string, unknown>[];
}

/** A collector that answers each batch as it is told to. */
async function collector(
  context: TestContext,
  answer: (response: ServerResponse) => void = (response) => void response.end('{}'),
): Promise<{ readonly queue: SpanQueue; readonly troubles: Troubles; readonly told: Told[] }> {
  const told: Told[] = [];
  const url = await httpServer(context, (request, response) => {
    void bodyOf(request).then((body) => {
      for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans)
        told.push({ resource, spans: scopeSpans.flatMap(({ spans }: Told) => spans) });
      response.setHeader('content-type', 'application/json');
      answer(response);
    });
  });
  return { ...queueTo(context, url), told };
}

function queueTo(context: TestContext, url: string, timeoutMs = 1_000) {
  const before = { ...process.env };
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = url;
  process.env.OTEL_EXPORTER_OTLP_TIMEOUT = String(timeoutMs);
  context.after(() => {
    process.env = before;
  });
  const troubles = new Troubles({ log: silentLog });
  return { troubles, queue: new SpanQueue(otlpCollector(url, { 'service.name': 'pumice' }), troubles) };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const piece of request) body += piece;
  return body;
}

describe('a collector of traces', () => {
  test('gets each span with its parent, its times to the microsecond, its failure, and what all have in common', async (context) => {
    const { queue, told } = await collector(context);
    const parent = aSpan();
    queue.offer([
      parent,
      aSpan({ spanId: '00f067aa0ba902b8', parentId: parent.spanId, kind: 'server', failure: 'Full.' }),
    ]);
    await inTime('the end', queue.close());
    assert.equal(told.length, 1);
    assert.match(JSON.stringify(told[0]?.resource), /"service.name","value":\{"stringValue":"pumice"\}/);
    const [first, second] = told[0]?.spans ?? [];
    assert.equal(first?.name, 'copy');
    assert.equal(first?.traceId, TRACE);
    assert.equal(first?.startTimeUnixNano, '1769860800000001000');
    assert.equal(first?.endTimeUnixNano, '1769860801500000000');
    assert.equal(second?.parentSpanId, parent.spanId);
    assert.deepEqual(second?.status, { code: 2, message: 'Full.' });
    assert.equal(queue.lost, 0);
  });

  test('that is dead, refuses or takes a part loses spans that are counted, and is told of once it takes them again', async (context) => {
    const answers: ((response: ServerResponse) => void)[] = [
      (response) => void response.writeHead(400).end('{}'),
      (response) => void response.end('{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}'),
    ];
    const { queue, troubles, told } = await collector(context, (response) => {
      (answers.shift() ?? ((well) => void well.end('{}')))(response);
    });
    const trouble = () => troubles.find('traces', troubleOf(queue));
    const offer = async (lost: number): Promise<void> => {
      const batches = told.length;
      queue.offer([aSpan(), aSpan()]);
      await inTime(
        'a batch',
        until(() => told.length > batches && queue.lost === lost),
      );
    };
    await offer(2);
    assert.ok(trouble() !== undefined);
    await offer(3);
    assert.match(trouble()?.reason ?? '', /400|refused/);
    await offer(3);
    await inTime(
      'recovery',
      until(() => trouble() === undefined),
    );
    await queue.close();
    assert.equal(queue.lost, 3);
  });

  test('that is not there costs what was sent, and nobody waits for it', async (context) => {
    const { queue, troubles } = queueTo(context, `http://127.0.0.1:${await freePort()}`);
    queue.offer([aSpan()]);
    await inTime(
      'the loss',
      until(() => queue.lost === 1),
    );
    assert.ok(troubles.find('traces', troubleOf(queue)) !== undefined);
    await inTime('the end', queue.close());
  });

  test('that never answers costs what finds no room, at once, and an end in time', async (context) => {
    const { queue } = await collector(context, () => {});
    const many = Array.from({ length: 5_000 }, () => aSpan({ start: fromNow(0), end: fromNow(0) }));
    queue.offer(many);
    queue.offer(many);
    assert.ok(queue.lost >= 10_000 - 2_048 - 512, `${queue.lost} are lost`);
    await inTime('the end', queue.close());
  });
});

const troubleOf = (queue: SpanQueue): string => queue.address;

async function until(so: () => boolean): Promise<void> {
  while (!so()) await turn();
}
