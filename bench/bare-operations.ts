/**
 * The least that the operations of a volume can be: `node bench/bare-operations.ts DATABASE DIRECTORY RECORDED` answers them from
 * `node:http`, writes the rows that the service was seen to write (a file of `record-writes.ts`), in as many transactions, each of which all share
 * that ask in one turn of the event loop and those that follow without a break, and makes, links and removes the same files, synced. It checks
 * nothing, looks nothing up, and could not go on after a crash.
 */
import { constants, readFileSync } from 'node:fs';
import { copyFile, open, symlink, unlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { sqlitePath } from '../src/db/database.ts';
import { orderedUuid, uuid } from '../src/lib/clock.ts';
import { SharedCall } from '../src/lib/shared-call.ts';
import { syncDirectory } from '../src/lib/sync-directory.ts';
import { listenAsPeer } from './processes.ts';
import { operationOf, type Recorded, type Write } from './recorded.ts';

const [url = '', directory = '', recordedFile = ''] = process.argv.slice(2);
const database = new DatabaseSync(sqlitePath(url), { enableForeignKeyConstraints: true });
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY');

/** A text with the ids of one operation in their places. */
type Template = (ids: readonly string[]) => string | number | null;

interface Prepared {
  readonly statement: StatementSync;
  readonly params: readonly Template[];
  readonly changes: number;
}

interface Operation {
  readonly status: number;
  readonly answer: Template;
  readonly commits: readonly (readonly Prepared[])[];
  /** Ids that each operation has of its own, beside its own and its volume's: of its flow, its request, its events. */
  readonly fresh: number;
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function prepared({ id, volumeId, status, answer, commits }: Recorded): Operation {
  const ofItsOwn = commits.flat().flatMap(({ sql, params }) => {
    const isOne = /INSERT INTO (flow|outbox) /.test(sql);
    return isOne
      ? params.flatMap((each, at) =>
          at === 0 || String(each).startsWith('req-') ? (String(each).match(UUID) ?? []) : [],
        )
      : [];
  });
  const fresh = [...new Set(ofItsOwn)];
  const ids = [id, volumeId, ...fresh];
  const template = (value: string | number | null): Template => {
    if (typeof value !== 'string') return () => value;
    const texts = value.split(UUID);
    const places = (value.match(UUID) ?? []).map((each) => ({ each, place: ids.indexOf(each) }));
    if (places.every(({ place }) => place < 0)) return () => value;
    return (those) =>
      places.reduce((text, { each, place }, at) => text + (those[place] ?? each) + texts[at + 1], texts[0] ?? '');
  };
  const prepare = ({ sql, params, changes }: Write): Prepared => ({
    statement: database.prepare(sql),
    params: params.map(template),
    changes,
  });
  return {
    status,
    answer: template(answer),
    commits: commits.map((writes) => writes.map(prepare)),
    fresh: fresh.length,
  };
}

const recorded = JSON.parse(readFileSync(recordedFile, 'utf8')) as readonly Recorded[];
const operations = new Map(recorded.map((each) => [each.operation, prepared(each)]));

interface Unit {
  readonly writes: readonly Prepared[];
  readonly ids: readonly string[];
  done(): void;
}

let waiting: Unit[] = [];
let commits = 0;

function committed(writes: readonly Prepared[], ids: readonly string[]): Promise<void> {
  return new Promise((done) => {
    waiting.push({ writes, ids, done });
    if (waiting.length === 1) setImmediate(commitOrWait, 1);
  });
}

function commitOrWait(seen: number): void {
  if (waiting.length > seen) return void setImmediate(commitOrWait, waiting.length);
  const units = waiting;
  waiting = [];
  database.exec('BEGIN IMMEDIATE');
  for (const { writes, ids } of units)
    for (const { statement, params, changes } of writes) {
      const { changes: made } = statement.run(...params.map((each) => each(ids)));
      if (made !== changes) throw new Error(`${made} rows instead of ${changes}: ${statement.sourceSQL}`);
    }
  database.exec('COMMIT');
  commits += 1;
  for (const { done } of units) done();
}

const names = new SharedCall(() => syncDirectory(directory));
const file = (kind: string, id: string): string => join(directory, `${kind}-${id}`);

async function synced(path: string, length?: number): Promise<void> {
  const handle = await open(path, length === undefined ? 'r' : 'wx', 0o600);
  if (length !== undefined) await handle.truncate(length);
  await handle.sync();
  await handle.close();
}

/** What is done outside of the database, between an operation's first transaction and its last. */
const WORLD: Readonly<Record<string, (id: string, volumeId: string) => Promise<void>>> = {
  'POST volumes': (id) => synced(file('volume', id), 1024 ** 3),
  'POST snapshots': async (id, volumeId) => {
    await copyFile(file('volume', volumeId), file('snapshot', id), constants.COPYFILE_FICLONE_FORCE);
    await synced(file('snapshot', id));
  },
  'DELETE snapshots': (id) => unlink(file('snapshot', id)),
  'POST attachments': (id, volumeId) => symlink(file('volume', volumeId), file('attachment', id)),
  'DELETE attachments': (id) => unlink(file('attachment', id)),
};

/** What is under way, by its kind, and what is there: who waits for the end asks for lists. */
const underWay = new Map<string, number>();
const volumeOf = new Map<string, string>();

async function run(
  name: string,
  kind: string,
  id: string,
  answer: (status: number, text: string) => void,
): Promise<void> {
  const operation = operations.get(name);
  if (operation === undefined) throw new Error(`Nobody has recorded ${name}.`);
  const { commits: transactions, fresh, status } = operation;
  const volumeId = volumeOf.get(id) ?? id;
  const ids = [id, volumeId, ...Array.from({ length: fresh }, orderedUuid)];
  const told = (): void => answer(status, String(operation.answer(ids)));
  underWay.set(kind, (underWay.get(kind) ?? 0) + 1);
  for (const [at, writes] of transactions.entries()) {
    if (at === transactions.length - 1 && at > 0) {
      await WORLD[name]?.(id, volumeId);
      await names.run();
    }
    await committed(writes, ids);
    if (at === 0 && status === 202) told();
  }
  if (status !== 202) told();
  if (name.startsWith('DELETE')) volumeOf.delete(id);
  underWay.set(kind, (underWay.get(kind) ?? 0) - 1);
}

function list(kind: string, query: URLSearchParams): string {
  const isThere = (underWay.get(kind) ?? 0) > 0 || (!query.has('status') && volumeOf.size > 0);
  return JSON.stringify({ [kind]: isThere && query.get('status') !== 'error' ? [{}] : [] });
}

const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  request.once('end', () => {
    const { method = '', url: asked = '' } = request;
    const { pathname, searchParams } = new URL(asked, 'http://peer');
    const rest = pathname.split('/').slice(3);
    const [kind = '', given] = rest;
    const answer = (status: number, body: string): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(status === 204 ? undefined : body);
    if (method === 'GET') return answer(200, list(kind, searchParams));
    if (method === 'PUT') return answer(200, '{}');
    const body = text === '' ? {} : JSON.parse(text);
    const id = given ?? uuid();
    const of = body[kind.slice(0, -1)];
    if (given === undefined && kind !== 'volumes') volumeOf.set(id, of.volume_id ?? of.volume_uuid);
    void run(operationOf(method, rest), kind, id, answer);
  });
});
listenAsPeer(server, () => commits);
