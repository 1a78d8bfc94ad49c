/**
 * The cache of a transaction, against a model: whatever units of one transaction read, change, count, tell and give up, each sees
 * what it would have seen without a cache, and what stands afterwards is what those left that did not fail.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sql } from 'kysely';
import pg from 'pg';
import type { Database } from '../../src/db/database.ts';
import { appendEvents } from '../../src/db/outbox.ts';
import { addPoolUsage, listPoolUsage } from '../../src/db/pool-usage.ts';
import { setClassLimits } from '../../src/db/quota-limits.ts';
import { QuotaExceeded, quotaUsage, takeQuota } from '../../src/db/quotas.ts';
import { readAhead } from '../../src/db/read-ahead.ts';
import { deleteSnapshotRow, findSnapshot, insertSnapshot } from '../../src/db/snapshots.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import { defaultVolumeType } from '../../src/db/volume-types.ts';
import { deleteVolumeRow, findVolume, insertVolume, moveVolumeStatus, updateVolume } from '../../src/db/volumes.ts';
import type { NewEvent } from '../../src/model/event.ts';
import { proveStore } from '../prove-store.ts';

const IDS = ['a', 'b', 'c'] as const;
const LIMIT = 5;
const POOLS = ['x', 'y'] as const;

type Op =
  | { readonly op: 'insert' | 'find' | 'delete' | 'begin delete'; readonly id: string }
  /** The second goes past the cache. */
  | { readonly op: 'rename' | 'rename past'; readonly id: string; readonly name: string }
  | { readonly op: 'take'; readonly amount: number }
  | { readonly op: 'use pool'; readonly pool: string; readonly volumes: number }
  | { readonly op: 'tell'; readonly what: string }
  /** Goes past the cache: a read, a write. */
  | { readonly op: 'list' | 'set limits' };

interface Step {
  readonly ops: readonly Op[];
  readonly fails: boolean;
}

interface Model {
  readonly volumes: Readonly<
    Record<string, { readonly name: string; readonly status: string; readonly revision: number }>
  >;
  readonly used: number;
  readonly pools: Readonly<Record<string, number>>;
  readonly told: readonly string[];
}

const EMPTY: Model = { volumes: {}, used: 0, pools: {}, told: [] };

class Wanted extends Error {}

/** Undefined when the operation makes its unit fail. */
function after(model: Model, op: Op): Model | undefined {
  const { volumes } = model;
  switch (op.op) {
    case 'insert':
      return op.id in volumes
        ? model
        : { ...model, volumes: { ...volumes, [op.id]: { name: 'new', status: 'available', revision: 1 } } };
    case 'delete':
      return { ...model, volumes: Object.fromEntries(Object.entries(volumes).filter(([id]) => id !== op.id)) };
    case 'rename':
    case 'rename past':
    case 'begin delete': {
      const volume = volumes[op.id];
      if (volume === undefined || (op.op === 'begin delete' && volume.status === 'deleting')) return model;
      const changed = 'name' in op ? { name: op.name } : { status: 'deleting' };
      return { ...model, volumes: { ...volumes, [op.id]: { ...volume, ...changed, revision: volume.revision + 1 } } };
    }
    case 'take':
      return model.used + op.amount > LIMIT && op.amount > 0 ? undefined : { ...model, used: model.used + op.amount };
    case 'use pool':
      return { ...model, pools: { ...model.pools, [op.pool]: (model.pools[op.pool] ?? 0) + op.volumes } };
    case 'tell':
      return { ...model, told: [...model.told, op.what] };
    default:
      return model;
  }
}

const shown = (volumes: Model['volumes']) =>
  Object.entries(volumes)
    .map(([id, { name, status, revision }]) => `${id} ${name} ${status} ${revision}`)
    .sort();

async function list({ db }: Pick<Tx, 'db'>): Promise<string[]> {
  const rows = await db.selectFrom('volume').select(['id', 'name', 'status', 'revision']).orderBy('id').execute();
  return rows.map(({ id, name, status, revision }) => `${id} ${name} ${status} ${revision}`);
}

const event = (what: string): NewEvent => ({
  messageId: `${what}-${Math.random()}`,
  resource: 'volume:a',
  eventType: what,
  priority: 'INFO',
  publisherId: 'p',
  payload: '{}',
  projectId: 'p',
  userId: 'u',
  requestId: 'r',
});

/** Does it, and asserts what a unit sees: `before` it and afterwards. */
async function run(tx: Tx, op: Op, before: Model, typeId: string): Promise<void> {
  switch (op.op) {
    case 'insert':
      if ((await findVolume(tx.db, op.id)) === undefined) {
        const status = 'available';
        const of = { projectId: 'p', userId: 'u', sizeGiB: 1, volumeTypeId: typeId };
        await insertVolume(tx, { id: op.id, name: 'new', status, ...of });
      }
      break;
    case 'delete':
      assert.equal(await deleteVolumeRow(tx, op.id), op.id in before.volumes);
      break;
    case 'rename':
      assert.equal(await updateVolume(tx, op.id, { name: op.name }), op.id in before.volumes);
      break;
    case 'rename past':
      await tx.db
        .updateTable('volume')
        .set({ name: op.name, revision: sql<number>`revision + 1` })
        .where('id', '=', op.id)
        .execute();
      break;
    case 'begin delete':
      assert.equal(await moveVolumeStatus(tx, op.id, 'delete'), before.volumes[op.id]?.status === 'available');
      break;
    case 'take':
      await takeQuota(tx, 'p', { volumes: op.amount }, { volumes: LIMIT });
      break;
    case 'use pool':
      await addPoolUsage(tx, { pool: op.pool, allocatedGiB: 0, provisionedGiB: 0, volumes: op.volumes });
      break;
    case 'tell':
      await appendEvents(tx, [event(op.what)]);
      break;
    case 'set limits':
      await setClassLimits(tx, 'default', { volumes: LIMIT });
      break;
    default:
      break;
  }
  const now = after(before, op) as Model;
  if (op.op === 'list') {
    assert.deepEqual(await list(tx), shown(now.volumes));
    assert.equal((await quotaUsage(tx.db, 'p')).volumes?.inUse ?? 0, now.used);
  }
  for (const id of IDS) {
    const volume = await findVolume(tx.db, id);
    const seen = volume && { name: volume.name, status: volume.status, revision: volume.revision };
    assert.deepEqual(seen, now.volumes[id]);
  }
  const pools = (await listPoolUsage(tx.db)).map(({ pool, volumes }) => [pool, volumes]);
  assert.deepEqual(Object.fromEntries(pools), {
    ...Object.fromEntries(pools.map(([pool]) => [pool, 0])),
    ...now.pools,
  });
}

async function play(database: Database, steps: readonly Step[], typeId: string): Promise<void> {
  let model = EMPTY;
  const units: { readonly before: Model; readonly step: Step; readonly stands: boolean }[] = [];
  for (const step of steps) {
    const left = step.ops.reduce<Model | undefined>((so, op) => so && after(so, op), model);
    const stands = left !== undefined && !step.fails;
    units.push({ before: model, step, stands });
    if (stands) model = left;
  }
  const results = await Promise.allSettled(
    units.map(({ before, step }) =>
      database.write(async (tx) => {
        let at = before;
        for (const op of step.ops) {
          await run(tx, op, at, typeId);
          at = after(at, op) as Model;
        }
        if (step.fails) throw new Wanted();
      }),
    ),
  );
  for (const [index, result] of results.entries()) {
    if (units[index]?.stands)
      assert.equal(result.status, 'fulfilled', String((result as PromiseRejectedResult).reason));
    else
      assert.ok(
        result.status === 'rejected' && isWanted(result.reason),
        String((result as PromiseRejectedResult).reason),
      );
  }
  assert.deepEqual(await list({ db: database.read }), shown(model.volumes));
  assert.equal((await quotaUsage(database.read, 'p')).volumes?.inUse ?? 0, model.used);
  const pools = await listPoolUsage(database.read);
  for (const pool of POOLS)
    assert.equal(pools.find((each) => each.pool === pool)?.volumes ?? 0, model.pools[pool] ?? 0);
  const events = await database.read.selectFrom('outbox').select('event_type').orderBy('seq').execute();
  assert.deepEqual(
    events.map(({ event_type }) => event_type),
    model.told,
  );
}

const isWanted = (error: unknown): boolean => error instanceof Wanted || error instanceof QuotaExceeded;

const id = fc.constantFrom(...IDS);
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constantFrom('insert', 'insert', 'find', 'delete', 'begin delete'), id }),
  fc.record({ op: fc.constantFrom('rename', 'rename past'), id, name: fc.constantFrom('one', 'two') }),
  fc.record({ op: fc.constant('take'), amount: fc.constantFrom(-1, 1, 2, 4) }),
  fc.record({ op: fc.constant('use pool'), pool: fc.constantFrom(...POOLS), volumes: fc.constantFrom(-1, 1, 2) }),
  fc.record({ op: fc.constant('tell'), what: fc.constantFrom('this', 'that') }),
  fc.record({ op: fc.constantFrom('list', 'set limits') }),
) as fc.Arbitrary<Op>;
const step = fc.record({ ops: fc.array(op, { maxLength: 6 }), fails: fc.boolean() });

async function empty(database: Database): Promise<void> {
  await database.write(async ({ db }) => {
    for (const table of ['outbox', 'volume', 'quota_usage', 'pool_usage', 'quota_class_limit'] as const)
      await db.deleteFrom(table).execute();
  });
}

proveStore('the cache of a transaction', (test) => {
  test('shows each unit what it would see without, and leaves what those did that stand', async ({ database }) => {
    const { id: typeId } = await defaultVolumeType(database.read);
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      await empty(database);
      await play(database, steps, typeId);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test('blames a unit whose write fails at the end, and no other', async ({ database }) => {
    const { id: typeId } = await defaultVolumeType(database.read);
    const insert = (id: string) =>
      database.write((tx) =>
        insertVolume(tx, { id, projectId: 'p', userId: 'u', sizeGiB: 1, status: 'available', volumeTypeId: typeId }),
      );
    await insert('there');
    const results = await Promise.allSettled(['a', 'there', 'b'].map(insert));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual((await list({ db: database.read })).length, 3);
  });

  test('writes what others have not changed: a row is locked before its first change', async ({ database, open }) => {
    const { id: typeId } = await defaultVolumeType(database.read);
    await database.write((tx) =>
      insertVolume(tx, { id: 'a', projectId: 'p', userId: 'u', sizeGiB: 1, status: 'available', volumeTypeId: typeId }),
    );
    const other = await open();
    const rounds = 20;
    const rename = (by: Database) => by.write((tx) => updateVolume(tx, 'a', { name: 'renamed' }));
    const take = (by: Database) => by.write((tx) => takeQuota(tx, 'p', { volumes: 1 }, {}));
    const both = [database, other].flatMap((by) =>
      Array.from({ length: rounds }, () => [rename(by), take(by)] as Promise<unknown>[]),
    );
    await Promise.all(both.flat());
    assert.equal((await findVolume(database.read, 'a'))?.revision, 1 + 2 * rounds);
    assert.equal((await quotaUsage(database.read, 'p')).volumes?.inUse, 2 * rounds);
  });

  test('writes a volume before its snapshot, and erases it after', async ({ database }) => {
    const { id: volumeTypeId } = await defaultVolumeType(database.read);
    const of = { projectId: 'p', userId: 'u', status: 'available', volumeTypeId } as const;
    await database.write(async (tx) => {
      await insertSnapshot(tx, { id: 's', volumeId: 'a', volumeSizeGiB: 1, ...of });
      await insertVolume(tx, { id: 'a', sizeGiB: 1, ...of });
    });
    await database.write(async (tx) => {
      await deleteVolumeRow(tx, 'a');
      await deleteSnapshotRow(tx, 's');
    });
    assert.equal(await findSnapshot(database.read, 's'), undefined);
    assert.equal(await findVolume(database.read, 'a'), undefined);
  });

  test('moves a volume for one of two processes, when both find it as they want it', async ({ database, open }) => {
    const { id: typeId } = await defaultVolumeType(database.read);
    const other = await open();
    const of = { projectId: 'p', userId: 'u', sizeGiB: 1, volumeTypeId: typeId };
    for (const id of Array.from({ length: 20 }, (_, index) => `v${index}`)) {
      await database.write((tx) => insertVolume(tx, { id, status: 'available', ...of }));
      const moved = await Promise.all(
        [database, other].map((by) => by.write((tx) => moveVolumeStatus(tx, id, 'delete'))),
      );
      assert.deepEqual(moved.sort(), [false, true]);
    }
  });

  test('changes nothing outside of a transaction', async ({ database }) => {
    const outside = { db: database.read } as Tx;
    await assert.rejects(appendEvents(outside, [event('lost')]), /in a transaction/);
    await assert.rejects(takeQuota(outside, 'p', { volumes: 1 }, {}), /in a transaction/);
  });

  test('sends as many statements for many units as for few', async ({ database, context }) => {
    if (database.dialect === 'sqlite') return context.skip('SQLite has no journeys: a row, a statement');
    const { id: typeId } = await defaultVolumeType(database.read);
    let sent = 0;
    const { query } = pg.Client.prototype;
    pg.Client.prototype.query = function (this: pg.Client, ...given: Parameters<typeof query>) {
      sent += 1;
      return query.apply(this, given);
    } as typeof query;
    try {
      const ids = (units: number) => Array.from({ length: units }, (_, index) => `${units}-${index}`);
      const statementsFor = async (units: number): Promise<readonly [made: number, changed: number]> => {
        const before = sent;
        await Promise.all(
          ids(units).map((id) =>
            database.write(async (tx) => {
              const of = { projectId: 'p', userId: 'u', sizeGiB: 1, volumeTypeId: typeId };
              await takeQuota(tx, 'p', { volumes: 1, gigabytes: 1 }, {});
              await insertVolume(tx, { id, status: 'creating', ...of });
              await addPoolUsage(tx, { pool: 'x', allocatedGiB: 1, provisionedGiB: 1, volumes: 1 });
              await updateVolume(tx, id, { host: 'x' });
              await appendEvents(tx, [event('create.start')]);
            }),
          ),
        );
        const between = sent;
        await Promise.all(
          ids(units).map((id) =>
            database.write((tx) => updateVolume(tx, id, { status: 'available' }), readAhead(`volume:${id}`)),
          ),
        );
        return [between - before, sent - between];
      };
      await statementsFor(1);
      const few = await statementsFor(5);
      assert.deepEqual(await statementsFor(50), few);
    } finally {
      pg.Client.prototype.query = query;
    }
  });
});
