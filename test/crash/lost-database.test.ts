/** PostgreSQL is stopped under two processes of one site, and started again: real processes, a real server. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { type Bench, type Pumice, withPumice } from '../cli/pumice-process.ts';
import { startPostgresql } from '../postgresql-server.ts';
import { condition } from './condition.ts';

const PATIENCE_MS = 60_000;
const HEADERS = { 'X-Auth-Token': 'demo:cafe', 'Content-Type': 'application/json' };
const server = await startPostgresql();
const skip = 'missing' in server ? `no PostgreSQL: ${server.missing}` : false;

async function ask(address: string, path: string, body?: object): Promise<{ volume: { id: string; status: string } }> {
  const response = await fetch(`${address}/v3/cafe${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: HEADERS,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return (await response.json()) as never;
}

describe('a site of two processes whose PostgreSQL is lost', { skip }, () => {
  if ('missing' in server) return;

  const serve = ({ directory, run }: Bench, node: string): Pumice =>
    run(
      ...['serve', '--data', join(directory, node), '--set', 'api.port=0', '--set', `node_name=${node}`],
      ...['--set', `database.url=${new URL('site', server.url).href}`],
    );

  test('ends both in order with 75, which a start without it answers too; started again they go on', () =>
    withPumice(async (bench) => {
      const client = new pg.Client(server.url);
      await client.connect();
      await client.query('CREATE DATABASE site');
      await client.end();
      const first = ['n1', 'n2'].map((node) => serve(bench, node));
      const [address = ''] = await Promise.all(first.map((each) => each.address()));
      const kept = await ask(address, '/volumes', { volume: { size: 1 } });
      await server.stop();
      for (const each of first) {
        const { code, err } = await each.ended();
        assert.equal(code, 75, err);
        assert.match(err, /the session that holds what this process owns is lost/);
        assert.match(err, /^pumice: Another process may own now what this one did; start it again\.$/m);
        assert.doesNotMatch(err, /did not end in time|not foreseen|nobody caught/);
      }

      const early = await serve(bench, 'n1').ended();
      assert.equal(early.code, 75, early.err);
      assert.match(early.err, /^pumice: Could not connect to PostgreSQL[^\n]*ECONNREFUSED[^\n]*\n$/);

      await server.start();
      const second = ['n1', 'n2'].map((node) => serve(bench, node));
      const addresses = await Promise.all(second.map((each) => each.address()));
      for (const each of addresses)
        await condition('what was begun is done', PATIENCE_MS, async () => {
          return (await ask(each, `/volumes/${kept.volume.id}`)).volume.status === 'available';
        });
      for (const each of second) {
        each.signal('SIGTERM');
        const { code, err } = await each.ended();
        assert.equal(code, 0, err);
        assert.doesNotMatch(err, /the last life/);
      }
    }));

  test('is waited for by who watches flows, and that is said', () =>
    withPumice(async ({ directory, run }) => {
      const url = new URL('watched', server.url).href;
      const client = new pg.Client(server.url);
      await client.connect();
      await client.query('CREATE DATABASE watched');
      await client.end();
      await (await openDatabase(url, { as: 'server' })).close();
      const watch = run('flows', 'watch', '--data', directory, '--set', `database.url=${url}`);
      const database = await openDatabase(url, { as: 'tool' });
      await beginFlow(database, 'volume:a');
      await database.close();
      await watch.says(/on volume:a pending/);
      await server.stop();
      await watch.says(/The database does not answer; it is waited for\.\n/);
      await server.start();
      await watch.says(/The database answers again\.\n/);
      watch.signal('SIGINT');
      const { code, err } = await watch.ended();
      assert.deepEqual([code, err], [130, '']);
    }));
});
