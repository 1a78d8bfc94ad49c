/**
 * The least that a start with our libraries can be: `node bench/bare-start.ts CONFIG PATH --port PORT`, bundled by `startup.ts` as the service is, reads
 * its configuration, opens SQLite, and answers a list from there, over the server, router, query builder, log and command line that the
 * service has, and gives back in the end what starting took, as it does.
 */
import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { Command } from 'commander';
import { fastify } from 'fastify';
import findMyWay from 'find-my-way';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { pino } from 'pino';
import { parse } from 'smol-toml';

interface Tables {
  readonly volume: { readonly id: string; readonly name: string | null };
}

const SETTLED_MS = 1_000;

const program = new Command().argument('<config>').argument('<path>').requiredOption('--port <port>');
const [file = '', path = ''] = program.parse().args;
const { port } = program.opts<{ port: string }>();
const config = parse(readFileSync(file, 'utf8')) as { readonly database: { readonly url: string } };
const log = pino({ level: 'warn' }, process.stderr);
const database = new DatabaseSync(config.database.url.slice('sqlite:'.length));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
const builder = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});
const { sql } = builder.selectFrom('volume').select(['id', 'name']).limit(1).compile();
const list = database.prepare(sql);
const router = findMyWay();
router.on('GET', path, () => {});
// No route has a schema of Fastify's, as none of the service has.
const noSchemas = (): never => {
  throw new Error('No route has a schema.');
};
const server = fastify({
  schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
});
server.all('/*', async ({ method, url }, reply) => {
  if (router.find(method as 'GET', url.split('?')[0] ?? '') === null) return reply.code(404).send();
  return { volumes: list.all(1) };
});
await server.listen({ host: '127.0.0.1', port: Number(port) });
log.info('ready');
flushCompileCache();
setTimeout(() => globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' }), SETTLED_MS).unref();
