/** A process that is frozen, beside one that goes on: what it had under way ends elsewhere, and it ends itself when it is thawed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { OWNER_NAME } from '../../src/db/sql/ownership.ts';
import { withPumice } from '../cli/pumice-process.ts';
import { freshPostgresql } from '../databases.ts';

const PROJECT = '0123456789abcdef0123456789abcdef';
/** As many as a project may have. */
const MANY = 10;

describe('a process that is frozen', () => {
  it('leaves nothing waiting: others go on with its flows, and thawed it ends with 75', async (context) => {
    const database = await freshPostgresql();
    if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`);
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    context.after(async () => {
      await admin.end();
      await database.remove();
    });
    await withPumice(async ({ directory, run }) => {
      const serve = (node: string, ...more: readonly string[]) =>
        run(
          'serve',
          ...[
            `node_name=${node}`,
            `data_directory=${directory}/${node}`,
            `database.url=${database.url}`,
            'api.port=0',
            'services.process_down_time=3',
            ...more,
          ].flatMap((each) => ['--set', each]),
        );
      // Whatever it begins goes on at the other one, which alone has room.
      const full = ['backends.file.driver=file', `backends.file.path=${directory}/a`, 'backends.file.create=true'];
      const first = serve('one', ...full, 'backends.file.reserved_percentage=100');
      const second = serve('two');
      const [there, here] = [await first.address(), await second.address()];
      const ask = async (address: string, method: string, path: string, body?: object) => {
        const headers = { 'content-type': 'application/json', 'x-auth-token': `u:${PROJECT}` };
        const given = body === undefined ? {} : { body: JSON.stringify(body) };
        const response = await fetch(`${address}/v3/${PROJECT}${path}`, { method, headers, ...given });
        // biome-ignore lint/suspicious/noExplicitAny: answers of two shapes
        return (await response.json()) as any;
      };
      const made: string[] = [];
      const requests = Array.from({ length: MANY }, async () => {
        const { volume } = await ask(there, 'POST', '/volumes', { volume: { size: 1 } });
        if (made.push(volume.id) === 1) first.signal('SIGSTOP');
      });
      // Those that came after it was frozen are not answered.
      void Promise.allSettled(requests);
      while (made.length === 0) await pause(1);
      const owners = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = '${OWNER_NAME}' AND datname = current_database()`;
      while ((await admin.query(owners)).rows[0].n > 1) await pause(50);
      const all = async (): Promise<readonly { id: string; status: string }[]> =>
        (await ask(here, 'GET', '/volumes/detail')).volumes;
      while (!(await all()).every(({ status }) => status === 'available')) await pause(50);
      const listed = new Set((await all()).map(({ id }) => id));
      assert.ok(made.every((id) => listed.has(id)));
      first.signal('SIGCONT');
      assert.equal((await first.ended()).code, 75);
      // What it had read from its sockets before is a request like any other, of which a row and a flow came or neither.
      while (!(await all()).every(({ status }) => status === 'available')) await pause(50);
    });
  });
});
