/** How a sink is, over the death of the process that delivers to it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withPumice } from '../cli/pumice-process.ts';
import { httpServer } from '../clients/http-server.ts';
import { condition } from './condition.ts';

interface Retried {
  readonly tries: number;
  readonly reason: string | null;
  readonly next_try_at: string | null;
}

interface Sink extends Retried {
  readonly sink: string;
  readonly state: string;
  readonly succeeded_at: string | null;
  readonly failing_since: string | null;
  readonly waiting: readonly (Retried & { readonly resource: string; readonly since: string })[];
}

const HEADERS = { 'x-auth-token': 'demo:cafe', 'content-type': 'application/json' };
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

async function made(address: string): Promise<string> {
  const body = JSON.stringify({ volume: { size: 1 } });
  const response = await fetch(`${address}/v3/cafe/volumes`, { method: 'POST', headers: HEADERS, body });
  assert.equal(response.status, 202);
  return ((await response.json()) as { volume: { id: string } }).volume.id;
}

async function told(address: string): Promise<Sink> {
  const response = await fetch(`${address}/pumice/v1/sinks`, { headers: HEADERS });
  assert.equal(response.status, 200);
  const { sinks } = (await response.json()) as { sinks: Sink[] };
  const sink = sinks.find((each) => each.sink === 'webhook:billing');
  assert.ok(sink);
  return sink;
}

describe('a webhook that refuses', () => {
  it('has failed since the same moment after its service was killed, goes on with the pauses it had come to, and is told of without a server', async (context) => {
    const posted: string[] = [];
    let refused: string | undefined;
    const url = await httpServer(context, (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        const { subject, type } = JSON.parse(body) as { subject: string; type: string };
        const status = refused === undefined || subject === refused ? 500 : 204;
        if (status === 204) posted.push(`${type} ${subject}`);
        response.writeHead(status).end();
      });
    });
    await withPumice(async ({ directory, run }) => {
      const set = [`webhooks.billing.url=${url}`, `webhooks.billing.secret=${SECRET}`].flatMap((each) => [
        '--set',
        each,
      ]);
      const serve = () => run('serve', '--data', directory, '--set', 'api.port=0', ...set);
      refused = 'volume:nobody';
      const first = serve();
      let address = await first.address();
      const quiet = await made(address);
      await condition('its end', 60_000, async () => posted.includes(`org.pumice.volume.create.end volume:${quiet}`));
      assert.equal((await told(address)).state, 'well');
      refused = undefined;
      const bad = await made(address);
      await condition('a refusal', 60_000, async () => (await told(address)).waiting.length === 1);
      const before = await told(address);
      first.signal('SIGKILL');
      await first.ended();

      const listed = await run('sinks', '--data', directory, '--json', ...set).ended();
      assert.deepEqual(
        JSON.parse(listed.out).filter(({ sink }: Sink) => sink === 'webhook:billing'),
        [before],
        'without a server',
      );
      assert.match((await run('sinks', '--data', directory, ...set).ended()).out, /^webhook:billing\s+failing/m);

      const second = serve();
      address = await second.address();
      await condition('a second try', 60_000, async () => (await told(address)).waiting[0]?.tries === 2);
      const after = await told(address);
      assert.deepEqual(
        [after.state, after.failing_since, after.succeeded_at, after.waiting[0]?.since, after.waiting[0]?.resource],
        ['failing', before.failing_since, before.succeeded_at, before.waiting[0]?.since, `volume:${bad}`],
      );
      assert.match(after.reason ?? '', /^The webhook billing answered \S+ of volume:\S+ with 500\.$/);
      const pauseMs = Date.parse(`${after.next_try_at}Z`) - Date.now();
      assert.ok(pauseMs > 60_000, `the second pause is five minutes: ${pauseMs}`);
      second.signal('SIGKILL');
      await second.ended();

      refused = 'volume:nobody';
      const third = serve();
      address = await third.address();
      await condition('an end of it', 60_000, async () => (await told(address)).state === 'well');
      const { waiting, failing_since, tries, next_try_at } = await told(address);
      assert.deepEqual([waiting, failing_since, tries, next_try_at], [[], null, 0, null]);
      await condition('the end', 60_000, async () => posted.includes(`org.pumice.volume.create.end volume:${bad}`));
      assert.deepEqual(
        posted.filter((each) => each.endsWith(bad)).map((each) => each.split(' ', 1)[0]),
        ['org.pumice.volume.create.start', 'org.pumice.volume.create.end'],
      );
      third.signal('SIGTERM');
      await third.ended();
    });
  });
});
