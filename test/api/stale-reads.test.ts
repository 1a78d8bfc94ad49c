/**
 * No answer is older than a commit that was answered before the request came, whoever committed: this process, another one, or a
 * client of the database that knows nothing of Pumice. Real processes, and a real PostgreSQL.
 */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../../src/db/database.ts';
import { withPumice } from '../cli/pumice-process.ts';
import { freshPostgresql } from '../databases.ts';
import { makeVolume } from '../db/rows.ts';
import { PROJECT, USER } from './world.ts';

const READERS = 8;
const READS = 1_000;
const HEADERS = { 'x-auth-token': `${USER}:${PROJECT}`, 'content-type': 'application/json' };

interface Shown {
  readonly id: string;
  readonly name: string;
}

async function ask(url: string, body?: object): Promise<readonly Shown[]> {
  const answer = await fetch(url, {
    headers: HEADERS,
    ...(body !== undefined && { method: 'PUT', body: JSON.stringify(body) }),
  });
  assert.equal(answer.status, 200, url);
  const { volume, volumes } = (await answer.json()) as { volume?: Shown; volumes?: readonly Shown[] };
  return volumes ?? [volume as Shown];
}

/** Writes a name as a client may who knows PostgreSQL: alone, in a transaction with parts, beside one that stays open. */
async function foreignWriter(url: string): Promise<{
  write(id: string, name: string): Promise<void>;
  end(): Promise<void>;
}> {
  const [client, other] = [new pg.Client(url), new pg.Client(url)];
  for (const each of [client, other]) await each.connect();
  const update = (by: pg.Client, id: string, name: string) =>
    by.query('UPDATE volume SET name = $2, revision = revision + 1 WHERE id = $1', [id, name]);
  const ways = [
    (id: string, name: string) => update(client, id, name),
    async (id: string, name: string) => {
      await client.query('BEGIN; SAVEPOINT part');
      await update(client, id, name);
      await client.query('RELEASE part; COMMIT');
    },
    async (id: string, name: string) => {
      await client.query('BEGIN');
      await update(client, id, name);
      // Begins later and ends earlier.
      await other.query('SELECT pg_current_xact_id()');
      await client.query('COMMIT');
    },
  ];
  let turn = 0;
  return {
    async write(id, name) {
      turn += 1;
      await ways[turn % ways.length]?.(id, name);
    },
    async end() {
      for (const each of [client, other]) await each.end();
    },
  };
}

describe('two processes and a foreign client that write', () => {
  it('are seen by every request that comes after they were answered', (context) =>
    withPumice(async ({ directory, run }) => {
      const made = await freshPostgresql();
      if ('missing' in made) return context.skip(`PostgreSQL: ${made.missing}`);
      const database = await openDatabase(made.url, { as: 'tool' });
      const ids = await Promise.all(
        [1, 2, 3].map(async () => (await makeVolume(database, { projectId: PROJECT, name: '0' })).id),
      );
      await database.close();
      const processes = ['one', 'two'].map((node) =>
        run(
          ...['serve', '--data', join(directory, node), '--set', 'api.port=0', '--set', `node_name=${node}`],
          ...['--set', `database.url=${made.url}`],
        ),
      );
      const doors = (await Promise.all(processes.map((each) => each.address()))).map((each) => `${each}/v3/${PROJECT}`);
      const foreign = await foreignWriter(made.url);
      context.after(async () => {
        await foreign.end();
        await made.remove();
      });
      const writers = [
        foreign.write,
        ...doors.map((door) => async (id: string, name: string) => {
          await ask(`${door}/volumes/${id}`, { volume: { name } });
        }),
      ];

      /** The last name of each volume whose writer has been answered. */
      const written = new Map(ids.map((id) => [id, 0]));
      const progress = new EventEmitter().setMaxListeners(0);
      let reads = 0;
      const read = async (url: string): Promise<void> => {
        const known = new Map(written);
        const shown = await ask(url);
        reads += 1;
        progress.emit('read');
        for (const { id, name } of shown) {
          assert.ok(Number(name) >= (known.get(id) ?? 0), `${name} was shown after ${known.get(id)} was answered`);
        }
      };
      const writing = writers.map(async (write, index) => {
        const id = ids[index] as string;
        for (let name = 1; reads < READS; name += 1) {
          await write(id, String(name));
          written.set(id, name);
          for (const door of doors) await read(`${door}/volumes/${id}`);
          // Now and then nothing changes for some reads, which are answered from what is kept.
          for (let rest = name % 4; rest > 0 && reads < READS; rest -= 1) await once(progress, 'read');
        }
      });
      const paths = [...ids.map((id) => `/volumes/${id}`), '/volumes', '/volumes/detail?limit=2'];
      const reading = Array.from({ length: READERS }, async (_, index) => {
        for (let turn = index; reads < READS; turn += 1) {
          await read(`${doors[turn % doors.length]}${paths[turn % paths.length]}`);
        }
      });
      await Promise.all([...writing, ...reading]);
      context.diagnostic(`${reads} reads, ${[...written.values()].join(' + ')} writes`);
    }));
});
