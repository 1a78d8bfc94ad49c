/**
 * `npm run soak`: many clients at once for a while; fails when one request does, or when the memory of the server keeps growing.
 *
 *     npm run soak                                  200 clients for 60 seconds
 *     npm run soak -- --clients 50 --seconds 600
 *
 * Each client has a connection of its own and does what clients do: mostly it lists and looks, now and then it creates a
 * volume, waits for it, and deletes it. Memory is what is left after a full collection, JavaScript's and that of the whole
 * process; it is flat when neither is more than a sixth larger in the last quarter of the time than in the second: the first is
 * what a process needs to fill what it keeps.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fill } from './fill.ts';
import { type Server, startServer } from './processes.ts';
import { median } from './report.ts';
import { HEADERS, path } from './subject.ts';

const { values } = parseArgs({
  options: { clients: { type: 'string', default: '200' }, seconds: { type: 'string', default: '60' } },
});
const clients = Number(values.clients);
const milliseconds = Number(values.seconds) * 1000;
const VOLUMES = 1_000;
const GROWTH = 7 / 6;
const SAMPLES = 24;
/** One of so many rounds of a client makes a volume. */
const MAKES_ONE_IN = 20;
const PATIENCE_MS = 60_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const directory = mkdtempSync(join(tmpdir(), `pumice-soak-${process.pid}-`));
process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
const database = `sqlite:${join(directory, 'pumice.sqlite')}`;
await fill(database, { volumes: VOLUMES, flows: VOLUMES });
const server = await startServer('service.ts', [database, directory]);
const ids = await volumeIds(server);

const failures: string[] = [];
const heapBytes: number[] = [];
const rssBytes: number[] = [];
let answered = 0;
let made = 0;
const begun = performance.now();
const isOver = (): boolean => performance.now() - begun > milliseconds;
await Promise.all([watch(), ...Array.from({ length: clients }, client)]);
await server.stop();

const seconds = (performance.now() - begun) / 1000;
const heap = quartersOf(heapBytes);
const whole = quartersOf(rssBytes);
const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
const grown = ({ before, after }: Quarters): string => `${mib(before)}, in the end ${mib(after)}`;
console.log(
  `${clients} clients, ${Math.round(seconds)} s: ${answered} requests, ${Math.round(answered / seconds)} a second;`,
);
console.log(
  `${made} volumes made and deleted; ${failures.length} failures; heap ${grown(heap)}; process ${grown(whole)}.`,
);
for (const failure of failures.slice(0, 10)) console.error(failure);
assert.ok(failures.length === 0, 'requests failed');
for (const { before, after } of [heap, whole]) assert.ok(after <= before * GROWTH, 'memory grows');

interface Quarters {
  readonly before: number;
  readonly after: number;
}

/** Of the second and the last quarter of the time. */
function quartersOf(bytes: readonly number[]): Quarters {
  const quarter = Math.floor(bytes.length / 4);
  return { before: median(bytes.slice(quarter, 2 * quarter)), after: median(bytes.slice(-quarter)) };
}

async function watch(): Promise<void> {
  while (!isOver()) {
    const kept = await server.kept();
    heapBytes.push(kept.heapBytes);
    rssBytes.push(kept.rssBytes);
    await delay(milliseconds / SAMPLES);
  }
}

async function client(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (let round = Math.trunc(Math.random() * MAKES_ONE_IN); !isOver(); round += 1) {
      if (round % MAKES_ONE_IN === 0) await makeOne(agent);
      else if (round % 2 === 0) await expect(agent, 200, 'GET', '/volumes/detail?limit=100');
      else await expect(agent, 200, 'GET', `/volumes/${ids[Math.trunc(Math.random() * ids.length)]}`);
    }
  } catch (error) {
    failures.push(String(error));
  } finally {
    agent.destroy();
  }
}

async function makeOne(agent: Agent): Promise<void> {
  const { text } = await expect(agent, 202, 'POST', '/volumes', { volume: { size: 1, name: 'soak' } });
  const { id } = JSON.parse(text).volume as { readonly id: string };
  const one = `/volumes/${id}`;
  await until(agent, one, ({ status, text }) => status === 200 && JSON.parse(text).volume.status === 'available');
  await expect(agent, 202, 'DELETE', one);
  await until(agent, one, ({ status }) => status === 404);
  made += 1;
}

async function until(agent: Agent, one: string, wanted: (answer: Answer) => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask(agent, 'GET', one);
    if (wanted(answer)) return;
    if (performance.now() > deadline) throw new Error(`It never came to be: ${one}: ${answer.status} ${answer.text}`);
    await delay(200);
  }
}

async function expect(agent: Agent, status: number, method: string, rest: string, body?: object): Promise<Answer> {
  const answer = await ask(agent, method, rest, body);
  if (answer.status !== status) throw new Error(`${method} ${rest}: ${answer.status} ${answer.text}`);
  return answer;
}

function ask(agent: Agent, method: string, rest: string, body?: object): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = { ...HEADERS, ...(payload !== undefined && { 'content-type': 'application/json' }) };
  return new Promise((resolve, reject) => {
    const sent = request(`${server.address}${path(rest)}`, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => {
        answered += 1;
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    sent.on('error', reject);
    sent.end(payload);
  });
}

async function volumeIds({ address }: Server): Promise<readonly string[]> {
  const answer = await fetch(`${address}${path('/volumes')}`, { headers: HEADERS });
  const { volumes } = (await answer.json()) as { readonly volumes: readonly { readonly id: string }[] };
  assert.equal(volumes.length, VOLUMES);
  return volumes.map(({ id }) => id);
}
