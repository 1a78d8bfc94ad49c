/** Group commit: what units may rely on, on both databases. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Database } from '../../../src/db/database.ts';
import type { Connection } from '../../../src/db/sql/connection.ts';
import { Db } from '../../../src/db/sql/db.ts';
import { FailureSwallowed } from '../../../src/db/sql/transactor.ts';
import { type BatchHandler, Refused, type Tx } from '../../../src/db/sql/tx.ts';
import { WriterClosed } from '../../../src/db/sql/writer.ts';
import { NotAhead } from '../../../src/engine/journal.ts';
import { proveStore } from '../../prove-store.ts';

const put = ({ db }: Pick<Tx, 'db'>, id: string) =>
  db.insertInto('pool_usage').values({ pool: id, allocated_gib: 0, provisioned_gib: 0, volumes: 0 }).execute();

/** As entries are written: below the transaction of any unit. */
const putOver = (connection: Connection, id: string) => put({ db: new Db(connection) }, id);

const ids = async (database: Database): Promise<string[]> =>
  (await database.read.selectFrom('pool_usage').select('pool').orderBy('pool').execute()).map((row) => row.pool);

const failed = (results: readonly PromiseSettledResult<unknown>[]): number[] =>
  results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []));

proveStore('the writer', (test) => {
  test('units of one turn share a commit', async ({ database }) => {
    const before = database.stats;
    await Promise.all(['a', 'b', 'c'].map((id) => database.write((tx) => put(tx, id))));
    assert.deepEqual(await ids(database), ['a', 'b', 'c']);
    assert.deepEqual(database.stats, { ...before, commits: before.commits + 1, units: before.units + 3 });
  });

  test('what may be lost with the machine waits for no sync, but beside what may not', async ({ database }) => {
    const how = async ({ connection }: Pick<Tx, 'connection'>): Promise<unknown> => {
      const { dialect } = connection;
      const setting =
        dialect === 'sqlite'
          ? 'PRAGMA synchronous'
          : "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'";
      return Object.values((await connection.query<object>(setting))[0] ?? {})[0];
    };
    // A server of PostgreSQL that dies alone would lose what the process has in mind: there it is as the server has it.
    const synced = await database.write(how);
    const unsynced = database.dialect === 'sqlite' ? 1 : synced;
    if (database.dialect === 'sqlite') assert.equal(synced, 2);
    assert.equal(await database.writeUnsynced(how), unsynced);
    assert.equal(await database.writeUnsynced(how), unsynced);
    assert.deepEqual(await Promise.all([database.writeUnsynced(how), database.write(how)]), [synced, synced]);
    await database.writeUnsynced((tx) => put(tx, 'a'));
    assert.deepEqual(await ids(database), ['a']);
  });

  test('units of turns that follow each other share a commit', async ({ database }) => {
    const before = database.stats;
    const all = new Promise<unknown>((resolve) => {
      setImmediate(() => {
        const second = database.write((tx) => put(tx, 'b'));
        setImmediate(() => resolve(Promise.all([second, database.write((tx) => put(tx, 'c'))])));
      });
    });
    await database.write((tx) => put(tx, 'a'));
    await all;
    assert.deepEqual(await ids(database), ['a', 'b', 'c']);
    assert.equal(database.stats.commits, before.commits + 1);
  });

  test('a unit waits a few turns for others, and not for as long as they come', async ({ database }) => {
    const others: Promise<unknown>[] = [];
    let asked: number | undefined;
    const another = (): void => {
      if (asked !== undefined || others.length === 100) return;
      const id = `b${others.length}`;
      others.push(database.write((tx) => put(tx, id)));
      setImmediate(another);
    };
    setImmediate(another);
    await database.write(async (tx) => {
      asked ??= others.length;
      await put(tx, 'a');
    });
    await Promise.all(others);
    assert.ok(asked !== undefined && asked < 10, `${asked} others came before it ran`);
  });

  test('a unit that throws is undone alone and rejects alone', async ({ database }) => {
    const results = await Promise.allSettled([
      database.write((tx) => put(tx, 'a')),
      database.write(async (tx) => {
        await put(tx, 'b');
        throw new RangeError('no');
      }),
      database.write((tx) => put(tx, 'a')),
      database.write((tx) => put(tx, 'c')),
    ]);
    assert.deepEqual(failed(results), [1, 2]);
    assert.ok(results[1]?.status === 'rejected' && results[1].reason instanceof RangeError);
    assert.deepEqual(await ids(database), ['a', 'c']);
  });

  test('a lone unit that throws leaves nothing', async ({ database }) => {
    const unit = async (tx: Tx) => {
      await put(tx, 'a');
      throw new RangeError('no');
    };
    await assert.rejects(database.write(unit), RangeError);
    assert.deepEqual(await ids(database), []);
    await database.write((tx) => put(tx, 'b'));
    assert.deepEqual(await ids(database), ['b']);
  });

  test('whichever units fail, the others stand', async ({ database }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), async (fails) => {
        await database.write(({ db }) => db.deleteFrom('pool_usage').execute());
        const results = await Promise.allSettled(
          fails.map((fail, index) =>
            database.write(async (tx) => {
              await put(tx, String(index).padStart(2, '0'));
              if (fail) throw new RangeError('no');
            }),
          ),
        );
        assert.deepEqual(
          failed(results),
          fails.flatMap((fail, index) => (fail ? [index] : [])),
        );
        assert.deepEqual(
          await ids(database),
          fails.flatMap((fail, index) => (fail ? [] : [String(index).padStart(2, '0')])),
        );
      }),
      { numRuns: 15 },
    );
  });

  test('a statement that fails spoils its unit, even when the unit goes on', async ({ database }) => {
    await database.write((tx) => put(tx, 'a'));
    const careless = () =>
      database.write(async (tx) => {
        await put(tx, 'b');
        await put(tx, 'a').catch(() => {});
      });
    await assert.rejects(careless(), FailureSwallowed);
    const results = await Promise.allSettled([careless(), database.write((tx) => put(tx, 'c')), careless()]);
    assert.deepEqual(failed(results), [0, 2]);
    assert.deepEqual(await ids(database), ['a', 'c']);
  });

  test('units run in the order they came, each seeing the ones before', async ({ database }) => {
    const seen = await Promise.all(
      [0, 1, 2, 3].map((index) =>
        database.write(async (tx) => {
          const rows = await tx.db.selectFrom('pool_usage').selectAll().execute();
          await put(tx, String(index));
          return rows.length;
        }),
      ),
    );
    assert.deepEqual(seen, [0, 1, 2, 3]);
  });

  test('nobody sees a unit before its commit', async ({ database }) => {
    const seen: string[][] = [];
    await Promise.all([
      database.write((tx) => put(tx, 'a')),
      database.write(async () => {
        seen.push(await ids(database));
      }),
    ]);
    assert.deepEqual(seen, [[]]);
    assert.deepEqual(await ids(database), ['a']);
  });

  test('hooks run after the commit, once, and only of units that stand', async ({ database }) => {
    const told: string[] = [];
    const results = await Promise.allSettled([
      database.write(async (tx) => {
        await put(tx, 'a');
        tx.onCommit(() => told.push('a'));
      }),
      database.write(async (tx) => {
        tx.onCommit(() => told.push('b'));
        throw new RangeError('no');
      }),
    ]);
    assert.deepEqual(failed(results), [1]);
    assert.deepEqual(told, ['a']);
  });

  test('a transaction cannot be used when its unit has ended', async ({ database }) => {
    const kept = await database.write(async (tx) => tx);
    assert.throws(() => kept.db, /after its unit had ended/);
    assert.throws(() => kept.onCommit(() => {}), /after its unit had ended/);
  });

  test('entries of one turn go through one call', async ({ database }) => {
    const calls: number[] = [];
    const entry = database.batch(async (connection: Connection, entries: readonly string[]) => {
      calls.push(entries.length);
      for (const id of entries) await putOver(connection, id);
      return entries.map((id) => `${id}!`);
    });
    const results = await Promise.all([entry('a'), database.write((tx) => put(tx, 'x')), entry('b'), entry('c')]);
    assert.deepEqual([results[0], results[2], results[3]], ['a!', 'b!', 'c!']);
    assert.deepEqual(calls, [3]);
    assert.deepEqual(await ids(database), ['a', 'b', 'c', 'x']);
  });

  test('of a batch that fails only the culprit is refused', async ({ database }) => {
    const entry = database.batch(async (connection: Connection, entries: readonly string[]) => {
      for (const id of entries) await putOver(connection, id);
      return entries;
    });
    const results = await Promise.allSettled([entry('a'), entry('b'), entry('a'), entry('c')]);
    assert.deepEqual(failed(results), [2]);
    assert.deepEqual(
      results.map((each) => (each.status === 'fulfilled' ? each.value : '-')),
      ['a', 'b', '-', 'c'],
    );
    assert.deepEqual(await ids(database), ['a', 'b', 'c']);
  });

  test('entries of units go with the others, when all units have run, and are told before hooks', async ({
    database,
  }) => {
    const story: string[] = [];
    const putAll: BatchHandler<string, string> = async (connection, entries) => {
      story.push(`call ${entries}`);
      for (const id of entries) await putOver(connection, id);
      return entries.map((id) => `${id}!`);
    };
    const bare = database.batch(putAll);
    const before = database.stats.commits;
    const results = await Promise.allSettled([
      database.write(async (tx) => {
        tx.batch(putAll, 'a', (result) => story.push(`told ${result}`));
        tx.onCommit(() => story.push('hook'));
        await put(tx, 'x');
        story.push('unit');
      }),
      database.write(async (tx) => {
        tx.batch(putAll, 'b');
        throw new RangeError('no');
      }),
      bare('c'),
    ]);
    assert.deepEqual(failed(results), [1]);
    assert.ok(results[2]?.status === 'fulfilled' && results[2].value === 'c!');
    assert.deepEqual(story, ['unit', 'call a,c', 'told a!', 'hook']);
    assert.deepEqual(await ids(database), ['a', 'c', 'x']);
    assert.equal(database.stats.commits, before + 1);
  });

  test('an entry that is refused undoes its own unit, and the others stand', async ({ database }) => {
    const no = new RangeError('no');
    const handler: BatchHandler<string, void> = async (connection, entries) => {
      const good = entries.filter((id) => id !== 'bad');
      for (const id of good) await putOver(connection, id);
      return entries.map((id) => (id === 'bad' ? new Refused(no) : undefined));
    };
    const hooks: string[] = [];
    const unit = (row: string, entry: string) =>
      database.write(async (tx) => {
        await put(tx, row);
        tx.onCommit(() => hooks.push(row));
        tx.batch(handler, entry);
      });
    const results = await Promise.allSettled([unit('1', 'a'), unit('2', 'bad'), unit('3', 'c')]);
    assert.deepEqual(failed(results), [1]);
    assert.ok(results[1]?.status === 'rejected' && results[1].reason === no);
    assert.deepEqual(await ids(database), ['1', '3', 'a', 'c']);
    assert.deepEqual(hooks, ['1', '3']);
    await assert.rejects(unit('4', 'bad'), no);
    assert.deepEqual(await ids(database), ['1', '3', 'a', 'c']);
  });

  test('what is to be done at the end of a unit is done when all else is, in order', async ({ database }) => {
    const story: string[] = [];
    await database.write(async (tx) => {
      tx.atEnd(async () => void story.push('first'));
      tx.atEnd(async () => void story.push('second'));
      await put(tx, 'a');
      story.push('unit');
    });
    assert.deepEqual(story, ['unit', 'first', 'second']);
  });

  for (const [where, ahead] of [
    ['in its work', async () => Promise.reject(new NotAhead())],
    ['at its end', async (tx: Tx) => tx.atEnd(() => Promise.reject(new NotAhead()))],
    ['by an entry', async (tx: Tx) => tx.batch(notAhead, 'x')],
    ['by a statement that fails', async (tx: Tx) => tx.atEnd(async () => void (await put(tx, 'one').catch(() => {})))],
  ] as const) {
    for (const alone of [true, false]) {
      test(`a unit that could not go ahead ${where} runs once more at once, ${alone ? 'alone' : 'beside others'}`, async ({
        database,
      }) => {
        const story: string[] = [];
        const unit = database.write(async (tx) => {
          story.push(tx.repeated ? 'again' : 'first');
          tx.onCommit(() => story.push('hook'));
          await put(tx, 'one');
          if (!tx.repeated) await ahead(tx);
          return 'done';
        });
        const others = alone ? [] : ['two', 'three'].map((id) => database.write((tx) => put(tx, id)));
        const [result] = await Promise.all([unit, ...others]);
        assert.deepEqual([result, story.at(-1), story.filter((each) => each === 'hook')], ['done', 'hook', ['hook']]);
        assert.ok(story.filter((each) => each === 'first').length === 1, story.join());
        assert.deepEqual(await ids(database), alone ? ['one'] : ['one', 'three', 'two']);
      });
    }
  }

  test('a unit that could not go ahead twice fails', async ({ database }) => {
    await assert.rejects(
      database.write(async (tx) => {
        await put(tx, 'a');
        throw new NotAhead();
      }),
      NotAhead,
    );
    assert.deepEqual(await ids(database), []);
  });

  test('a handler that swallows the failure of a statement loses its entries, and no others', async ({ database }) => {
    const careless: BatchHandler<string, void> = async (connection, entries) => {
      for (const id of entries) await putOver(connection, id).catch(() => {});
      return entries.map(() => undefined);
    };
    const entry = database.batch(careless);
    const results = await Promise.allSettled([entry('a'), database.write((tx) => put(tx, 'b')), entry('a')]);
    assert.deepEqual(failed(results), [2]);
    assert.ok(results[2]?.status === 'rejected' && results[2].reason instanceof FailureSwallowed);
    assert.deepEqual(await ids(database), ['a', 'b']);
  });

  test('more units than a transaction holds are all done', async ({ database }) => {
    const before = database.stats.commits;
    await Promise.all(Array.from({ length: 150 }, (_, index) => database.write((tx) => put(tx, String(index)))));
    assert.equal((await ids(database)).length, 150);
    assert.equal(database.stats.commits, before + 3);
  });

  test('after close what was queued is done and what comes is refused', async ({ database }) => {
    const queued = database.write((tx) => put(tx, 'a'));
    const entry = database.batch(async (_connection: Connection, entries: readonly string[]) => entries);
    const closing = database.close();
    await assert.rejects(
      database.write((tx) => put(tx, 'b')),
      WriterClosed,
    );
    await assert.rejects(entry('c'), WriterClosed);
    await queued;
    await closing;
  });

  test('the reading connection writes nothing', async ({ database }) => {
    await assert.rejects(
      database.read
        .insertInto('pool_usage')
        .values({ pool: 'a', allocated_gib: 0, provisioned_gib: 0, volumes: 0 })
        .execute(),
      /read-?only/i,
    );
  });

  test('sums and counts come as numbers', async ({ database }) => {
    await database.write(({ db }) =>
      db
        .insertInto('pool_usage')
        .values({ pool: 'a', allocated_gib: 2 ** 40, provisioned_gib: 1, volumes: 1 })
        .execute(),
    );
    const row = await database.read
      .selectFrom('pool_usage')
      .select(({ fn }) => [fn.sum('allocated_gib').as('sum'), fn.countAll().as('count'), 'allocated_gib'])
      .groupBy('allocated_gib')
      .executeTakeFirstOrThrow();
    assert.deepEqual({ ...row }, { sum: 2 ** 40, count: 1, allocated_gib: 2 ** 40 });
  });
});

const notAhead: BatchHandler<string, string> = async (_connection, entries) =>
  entries.map(() => new Refused(new NotAhead()));
