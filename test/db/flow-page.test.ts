/** Pages of flows: each flow once, newest first, whatever is asked for. */
import assert from 'node:assert/strict';
import type { Database } from '../../src/db/database.ts';
import { type FlowPageQuery, flowPage } from '../../src/db/flow-page.ts';
import { proveStore } from '../prove-store.ts';

const STATES = ['success', 'reverted', 'running', 'stuck', 'success'] as const;
const COUNT = 60;

/** Ends come in another order than beginnings, and some of them at once. */
async function fill(database: Database): Promise<void> {
  const flows = Array.from({ length: COUNT }, (_, index) => {
    const state = STATES[index % STATES.length] as (typeof STATES)[number];
    const begun = `2026-01-01T00:00:${String(Math.floor(index / 4)).padStart(2, '0')}.000000`;
    const ended = `2026-01-02T00:00:${String((index * 7) % 20).padStart(2, '0')}.000000`;
    const isOver = state === 'success' || state === 'reverted';
    return {
      id: `01900000-0000-7000-8000-${String(index).padStart(12, '0')}`,
      name: index % 3 === 0 ? 'delete_volume' : 'create_volume',
      version: 1,
      lane: 'control',
      state,
      input: '{}',
      owner: null,
      epoch: 1,
      seq: 0,
      claims: 0,
      resource: index % 4 === 0 ? 'snapshot:s1' : `volume:v${index % 5}`,
      project_id: index % 2 === 0 ? 'p' : 'q',
      request_id: 'r',
      created_at: begun,
      updated_at: begun,
      ended_at: isOver ? ended : null,
    };
  });
  await database.write(({ db }) => db.insertInto('flow').values(flows).execute());
}

const QUERIES: readonly (readonly [string, Omit<FlowPageQuery, 'limit'>])[] = [
  ['all', {}],
  ['those in flight', { unended: true }],
  ['those that are stuck', { state: 'stuck' }],
  ['those that succeeded', { state: 'success' }],
  ['those that failed', { state: 'reverted' }],
  ['those of a project that failed', { state: 'reverted', projectId: 'p' }],
  ['those of a name that failed', { state: 'reverted', name: 'create_volume' }],
  ['those of a project', { projectId: 'q' }],
  ['those of a name in a project', { name: 'delete_volume', projectId: 'p' }],
  ['those of a resource', { resources: ['volume:v1'] }],
  ['those of some resources that failed', { resources: ['volume:v1', 'snapshot:s1'], state: 'reverted' }],
  ['none', { projectId: 'nobody' }],
  ['none that is in flight and has ended', { unended: true, state: 'success' }],
];

proveStore('pages of flows', (test) => {
  for (const [what, query] of QUERIES) {
    test(`come one after the other: ${what}`, async ({ database }) => {
      await fill(database);
      const whole = await flowPage(database, { ...query, limit: 1_000 });
      const { unended, state, name, resources, projectId } = query;
      const expected = (await database.read.selectFrom('flow').selectAll().execute()).filter(
        (flow) =>
          (!unended || flow.ended_at === null) &&
          (state === undefined || flow.state === state) &&
          (name === undefined || flow.name === name) &&
          (resources === undefined || resources.includes(flow.resource)) &&
          (projectId === undefined || flow.project_id === projectId),
      );
      assert.deepEqual(whole.map(({ id }) => id).sort(), expected.map(({ id }) => id).sort());
      const keys = whole.map(({ endedAt, id }) =>
        state === 'reverted' && resources === undefined ? endedAt + id : id,
      );
      assert.deepEqual(keys, keys.toSorted().reverse());
      for (const limit of [1, 7]) {
        const paged: string[] = [];
        let page = await flowPage(database, { ...query, limit });
        while (page.length > 0) {
          paged.push(...page.map(({ id }) => id));
          page = await flowPage(database, { ...query, limit, after: page.at(-1) as (typeof page)[number] });
        }
        assert.deepEqual(
          paged,
          whole.map(({ id }) => id),
        );
      }
    });
  }

  test('go on behind a flow that has ended since', async ({ database }) => {
    await fill(database);
    const [, second] = await flowPage(database, { unended: true, limit: 10 });
    assert.ok(second);
    const rest = await flowPage(database, { unended: true, limit: 100, after: second });
    await database.write(({ db }) =>
      db
        .updateTable('flow')
        .set({ state: 'success', ended_at: '2026-02-01T00:00:00.000000' })
        .where('id', '=', second.id)
        .execute(),
    );
    assert.deepEqual(await flowPage(database, { unended: true, limit: 100, after: second }), rest);
  });
});
