/** Traces of real processes, one of which is killed in the middle of a flow, at a collector that only listens. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { withPumice } from '../cli/pumice-process.ts';
import { httpServer } from '../clients/http-server.ts';
import { condition } from './condition.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CLIENT = '00f067aa0ba902b7';
const MIB = 1024 ** 2;

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}

/** Gathers what it is sent. */
async function collector(context: TestContext): Promise<{ readonly url: string; readonly spans: OtlpSpan[] }> {
  const spans: OtlpSpan[] = [];
  const url = await httpServer(context, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      for (const { scopeSpans } of JSON.parse(body).resourceSpans)
        for (const scope of scopeSpans) spans.push(...scope.spans);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  return { url, spans };
}

async function ask(address: string, method: string, path: string, body?: object, headers = {}): Promise<unknown> {
  const response = await fetch(`${address}/v3/cafe${path}`, {
    method,
    headers: {
      'x-auth-token': 'demo:cafe',
      'openstack-api-version': 'volume 3.71',
      'content-type': 'application/json',
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.json();
}

const status = async (address: string, id: string): Promise<string> =>
  ((await ask(address, 'GET', `/volumes/${id}`)) as { volume: { status: string } }).volume.status;

const made = async (address: string, volume: object, headers = {}): Promise<string> =>
  ((await ask(address, 'POST', '/volumes', { volume }, headers)) as { volume: { id: string } }).volume.id;

describe('traces of a service', () => {
  test('have a request of another trace, its command, and its flow with all its tasks, though its process was killed and another ended it', async (context) => {
    const { url, spans } = await collector(context);
    await withPumice(async ({ directory, runWith }) => {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url };
      const serve = (...set: readonly string[]) =>
        runWith(env, 'serve', '--data', directory, '--set', 'api.port=0', ...set.flatMap((each) => ['--set', each]));
      // Slow enough to be killed in it.
      const first = serve('volume_copy_bps_limit=1048576');
      const address = await first.address();
      const source = await made(address, { size: 1 });
      await condition('a source', 60_000, async () => (await status(address, source)) === 'available');
      const disk = await open(join(directory, 'volumes', `volume-${source}`), 'r+');
      await disk.write(Buffer.alloc(32 * MIB, 7));
      await disk.close();
      const traceparent = `00-${TRACE}-${CLIENT}-01`;
      const id = await made(address, { size: 1, source_volid: source }, { traceparent });
      await condition('the request', 60_000, async () => spans.some(({ traceId }) => traceId === TRACE));
      assert.equal(await status(address, id), 'creating', 'its flow is not over');
      first.signal('SIGKILL');
      await first.ended();
      const second = serve();
      const again = await second.address();
      await condition('a clone', 60_000, async () => (await status(again, id)) === 'available');
      second.signal('SIGTERM');
      await second.ended();
    });
    const ours = spans.filter(({ traceId }) => traceId === TRACE);
    const named = (name: string) => ours.find((span) => span.name === name);
    assert.equal(named('POST /v3/volumes')?.parentSpanId, CLIENT);
    assert.equal(named('volume:create')?.parentSpanId, named('POST /v3/volumes')?.spanId);
    assert.equal(named('create_volume')?.parentSpanId, named('volume:create')?.spanId);
    const known = new Set([CLIENT, ...ours.map(({ spanId }) => spanId)]);
    assert.deepEqual(
      ours.filter(({ parentSpanId = '' }) => !known.has(parentSpanId)).map(({ name }) => name),
      [],
      'no parent is missing',
    );
    assert.equal(new Set(ours.map(({ spanId }) => spanId)).size, ours.length, 'each is told once');
    const tries = ours.filter(({ name }) => name === 'make/create_volume_from_spec');
    assert.deepEqual(
      tries.flatMap(({ attributes }) =>
        attributes.flatMap(({ key, value }) => (key === 'pumice.event' ? [value.stringValue] : [])),
      ),
      ['interrupted', 'done'],
      ours.map(({ name }) => name).join(),
    );
  });

  test('are not sent of a trace that its beginner does not keep', async (context) => {
    const { url, spans } = await collector(context);
    await withPumice(async ({ directory, runWith }) => {
      const service = runWith(
        { OTEL_EXPORTER_OTLP_ENDPOINT: url },
        'serve',
        '--data',
        directory,
        '--set',
        'api.port=0',
      );
      const address = await service.address();
      const id = await made(address, { size: 1 }, { traceparent: `00-${TRACE}-${CLIENT}-00` });
      await condition('a volume', 60_000, async () => (await status(address, id)) === 'available');
      service.signal('SIGTERM');
      await service.ended();
    });
    assert.ok(
      spans.some(({ name }) => name.startsWith('GET')),
      'others are',
    );
    assert.deepEqual(
      spans.filter(({ traceId }) => traceId === TRACE),
      [],
    );
  });
});
