/**
 * The least that keeps what is promised of an answer out of the response cache: `node bench/bare-promised.ts ORIGIN DATABASE PATH…` is
 * `bare.ts` that also looks once a turn whether anybody has committed to DATABASE (SQLite), finds who asks by the digest of the token,
 * and sends with each answer an id of its own and the headers that clients read.
 */
import { hash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { listenAsPeer } from './processes.ts';
import { HEADERS } from './subject.ts';

const [origin = '', database = '', ...paths] = process.argv.slice(2);
const answers = new Map<string | undefined, string>();
for (const path of paths) {
  const answer = await fetch(`${origin}${path}`, { headers: HEADERS });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
  answers.set(path, Buffer.from(await answer.arrayBuffer()).toString('latin1'));
}

const count = new DatabaseSync(database, { readOnly: true }).prepare('PRAGMA data_version');
let looked = false;
let mark: unknown;
function look(): void {
  if (looked) return;
  looked = true;
  setImmediate(() => {
    looked = false;
  });
  const { data_version: now } = count.get() as { readonly data_version: number };
  if (mark !== undefined && now !== mark)
    throw new Error('Somebody has committed, and this peer keeps its answers for ever.');
  mark = now;
}

const known = new Map<string, object>();
const server = createServer((request, response) => {
  look();
  const digest = hash('sha256', String(request.headers['x-auth-token']), 'base64url');
  if (!known.has(digest)) known.set(digest, {});
  const text = answers.get(request.url);
  if (text === undefined) return void response.writeHead(404).end();
  const id = `req-${randomUUID()}`;
  response.writeHead(200, [
    ...['x-compute-request-id', id, 'x-openstack-request-id', id],
    ...['openstack-api-version', 'volume 3.66', 'vary', 'OpenStack-API-Version'],
    ...['content-type', 'application/json', 'content-length', String(text.length)],
  ]);
  response.end(text, 'latin1');
});
listenAsPeer(server);
