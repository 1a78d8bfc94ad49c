/**
 * The least that a durable create can be: `node bench/bare-creates.ts FILE` answers each request from `node:http` after one
 * SQLite commit of its own, of one row, with a sync. No checks, no quota, no flow, no volume.
 */
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { uuid } from '../src/lib/clock.ts';
import { listenAsPeer } from './processes.ts';

const [file = ''] = process.argv.slice(2);
const database = new DatabaseSync(file);
database.exec(
  'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE volume (id TEXT PRIMARY KEY, body TEXT)',
);
const insert = database.prepare('INSERT INTO volume VALUES (?, ?)');
let commits = 0;

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (part: string) => {
    body += part;
  });
  request.once('end', () => {
    const id = uuid();
    insert.run(id, body);
    commits += 1;
    response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify({ volume: { id } }));
  });
});
listenAsPeer(server, () => commits);
