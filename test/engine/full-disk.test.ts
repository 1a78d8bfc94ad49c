import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openDatabase } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { processName } from '../../src/db/sql/ownership.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { EngineEvent } from '../../src/engine/events.ts';
import { flowsOver } from '../../src/engine/flow.ts';
import { tasksOver } from '../../src/engine/task.ts';
import { freshSqlite } from '../databases.ts';
import { until } from './journals.ts';

const { world, record } = tasksOver<{ did: string[] }, Tx>();
const flow = flowsOver<{ did: string[] }, Tx>();

describe('a full disk, on SQLite', () => {
  it('fails no flow: each goes on when there is room, and does nothing twice', async () => {
    const text = 'x'.repeat(50_000);
    const first = world({
      name: 'first',
      execute: (_: object, { tools, flowId }) => {
        tools.did.push(`first ${flowId}`);
        return { a: text };
      },
    });
    const second = world({
      name: 'second',
      execute: (_: object, { tools, flowId }) => {
        tools.did.push(`second ${flowId}`);
        return { b: text };
      },
    });
    const keep = record({
      name: 'keep',
      execute: async (_: object, { tx, flowId }) => {
        await tx.connection.run(
          `INSERT INTO quota_limit VALUES ('${flowId}', '${'y'.repeat(40_000)}', 1)
           ON CONFLICT DO UPDATE SET hard_limit = hard_limit + 1`,
        );
      },
    });
    const filling = flow<object>('filling').add(first).add(keep).add(second).build({ version: 1 });
    const made = await freshSqlite();
    const database = await openDatabase(made.url, { as: 'server' });
    const pages = async (more: number): Promise<void> => {
      await database.write(async ({ connection }) => {
        const [now] = await connection.query<{ page_count: number }>('PRAGMA page_count');
        await connection.query(`PRAGMA max_page_count = ${(now?.page_count ?? 0) + more}`);
      });
    };
    const events: EngineEvent[] = [];
    const did: string[] = [];
    const engine = new Engine({
      journal: new DatabaseJournal(database),
      tools: { did },
      flows: [filling],
      listen: (event) => events.push(event),
      pollMs: 10,
      troubleBackoffMs: 5,
    });
    try {
      await database.ownership.take(processName(engine.process));
      await engine.start();
      const ids = ['f1', 'f2', 'f3', 'f4'];
      await pages(30);
      for (const id of ids)
        await database.write((tx) =>
          engine.begin(tx, filling, {}, { id, resource: 'r', projectId: 'p', requestId: 'q' }),
        );
      await until(() => events.filter(({ is }) => is === 'journal-trouble').length > 8, 'trouble');
      await pages(100_000);
      for (const id of ids) assert.equal((await engine.settled(id, AbortSignal.timeout(10_000))).state, 'success');
      assert.deepEqual(did.toSorted(), ids.flatMap((id) => [`first ${id}`, `second ${id}`]).toSorted());
      const limits = await database.read.selectFrom('quota_limit').select('hard_limit').execute();
      assert.deepEqual(
        limits.map(({ hard_limit }) => hard_limit),
        [1, 1, 1, 1],
      );
    } finally {
      await engine.stop();
      await database.close();
      await made.remove();
    }
  });
});
