/**
 * What the operations of a volume write: `node bench/record-writes.ts DATABASE DIRECTORY` runs a whole service, asks it for each of them
 * twice, and prints as a line of JSON what the second time wrote to SQLite, transaction by transaction. The first time makes rows that stay.
 */
import assert from 'node:assert/strict';
import { StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { createLog } from '../src/lib/logging.ts';
import { wire } from '../src/wiring.ts';
import { operationOf, type Recorded, type Write } from './recorded.ts';
import { CONNECTOR, configOf, HEADERS, path } from './subject.ts';

const [database = '', directory = ''] = process.argv.slice(2);
const commits: Write[][] = [];

// Every statement of the service comes through here; only those that change something are kept.
const run = StatementSync.prototype.run;
StatementSync.prototype.run = function (this: StatementSync, ...params: (string | number | null)[]) {
  const told: ReturnType<typeof run> = Reflect.apply(run, this, params);
  const sql = this.sourceSQL;
  if (sql.startsWith('BEGIN')) commits.push([]);
  else if (/^\s*(INSERT|UPDATE|DELETE)/.test(sql)) commits.at(-1)?.push({ sql, params, changes: Number(told.changes) });
  return told;
} as typeof run;

const config = configOf(database, directory, 'noauth');
const service = await wire(config, createLog({ level: config.log.level }));
await service.start();
const address = await service.listen();

interface Answered {
  readonly status: number;
  readonly text: string;
}

async function ask(method: string, rest: string, body?: object): Promise<Answered> {
  const answer = await fetch(`${address}${path(rest)}`, {
    method,
    headers: { ...HEADERS, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, text: await answer.text() };
}

const DEADLINE_MS = 30_000;

async function until(rest: string, wanted: (answer: Answered) => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask('GET', rest);
    if (wanted(answer)) return;
    if (performance.now() > deadline) throw new Error(`${rest} is still answered ${answer.status}: ${answer.text}`);
    await delay(5);
  }
}

const isAvailable = ({ text }: Answered): boolean => text.includes('"status":"available"');

async function everything(): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  let volumeId = '';
  /** Returns the id of what it is about. `over`: when its last transaction is committed. */
  const record = async (
    method: string,
    rest: string,
    body?: object,
    over = async (_id: string) => {},
  ): Promise<string> => {
    commits.length = 0;
    const { status, text } = await ask(method, rest, body);
    assert.ok(status < 300, `${method} ${rest} was answered ${status}: ${text}`);
    const [kind = '', given, ...others] = rest.slice(1).split('/');
    const id = given ?? (JSON.parse(text)[kind.slice(0, -1)] as { readonly id: string }).id;
    await over(id);
    if (kind === 'volumes') volumeId = id;
    const operation = operationOf(method, [kind, ...(given === undefined ? [] : [given]), ...others]);
    recorded.push({ operation, id, volumeId, status, answer: text, commits: structuredClone(commits) });
    return id;
  };
  const volume = { size: 1, name: 'a volume', metadata: { purpose: 'bench' } };
  await record('POST', '/volumes', { volume }, (id) => until(`/volumes/${id}`, isAvailable));
  const ofVolume = { volume_id: volumeId, name: 'a snapshot' };
  const snapshot = await record('POST', '/snapshots', { snapshot: ofVolume }, (id) =>
    until(`/snapshots/${id}`, isAvailable),
  );
  await record('DELETE', `/snapshots/${snapshot}`, undefined, (id) =>
    until(`/snapshots/${id}`, ({ status }) => status === 404),
  );
  const attached = { attachment: { volume_uuid: volumeId, connector: CONNECTOR } };
  const attachment = await record('POST', '/attachments', attached);
  await record('POST', `/attachments/${attachment}/action`, { 'os-complete': {} });
  await record('DELETE', `/attachments/${attachment}`);
  return recorded;
}

await everything();
const recorded = await everything();
await service.stop();
console.log(JSON.stringify(recorded));
process.exit();
