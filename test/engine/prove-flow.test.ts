import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import type { Claimed, Journal, Write } from '../../src/engine/journal.ts';
import { freshSqlite } from '../databases.ts';
import { type FlowCase, flowCases, proveFlow, provenFlows } from '../prove-flow.ts';
import { FaultyJournal } from './faulty-journal.ts';
import { Backend, destroyingWorld, destroyThing, makeThing, makingWorld } from './toy-world.ts';

proveFlow('making an empty thing', makeThing, { world: (database) => makingWorld(database, null) });
proveFlow('making a thing with content', makeThing, { world: (database) => makingWorld(database, 'text') });
proveFlow('destroying a thing', destroyThing, { world: destroyingWorld });

/** Sentences of the cases that fail. */
async function red(cases: readonly FlowCase[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { sentence, run } of cases) {
    const made = await freshSqlite();
    const database = await openDatabase(made.url, { as: 'server' });
    try {
      await run(database);
    } catch {
      failed.push(sentence);
    } finally {
      await database.close();
      await made.remove();
    }
  }
  return failed;
}

describe('the proof of a flow', () => {
  it('fails for a backend that will not remove what is gone', async () => {
    class Strict extends Backend {
      override unmake(name: string): void {
        if (!this.things.delete(name)) throw new Error(`There is no ${name}.`);
      }
    }
    const failed = await red(
      flowCases(makeThing, { world: (database) => makingWorld(database, null, () => new Strict()) }),
    );
    for (const sentence of [
      'comes to rest when any task fails before its work',
      'comes to rest when any task fails after its work and every revert runs twice',
      'comes to rest when its last task fails and every revert fails the first time, after its work',
      'goes on reverting after a crash before any write of its journal, whichever task failed',
    ])
      assert.ok(failed.includes(sentence), sentence);
    assert.ok(!failed.includes('goes on after a crash after any write of its journal'));
  });

  it('fails for a backend that will not make what is there', async () => {
    class Strict extends Backend {
      override make(name: string): void {
        if (this.things.has(name)) throw new Error(`There is a ${name}.`);
        super.make(name);
      }
    }
    const failed = await red(
      flowCases(makeThing, { world: (database) => makingWorld(database, null, () => new Strict()) }),
    );
    assert.deepEqual(failed.slice(0, 1), ['succeeds when every task runs twice, and every transaction is made twice']);
    assert.ok(failed.includes('goes on after a crash before any write of its journal'));
  });

  it('fails for a revert that trusts the result it may have lost', async () => {
    const forgetful = {
      ...makeThing,
      nodes: makeThing.nodes.map((node) => {
        if (node.kind !== 'task' || node.path !== 'make') return node;
        const revert = node.body.revert as unknown as (...args: readonly { is?: string }[]) => unknown;
        const trusting = (...args: readonly { is?: string }[]) =>
          args[1]?.is === 'done' ? revert(...args) : undefined;
        return { ...node, body: { ...node.body, revert: trusting as never } };
      }),
    };
    const failed = await red(flowCases(forgetful, { world: (database) => makingWorld(database, null) }));
    assert.ok(failed.includes('comes to rest when any task fails after its work'));
    assert.ok(!failed.includes('comes to rest when any task fails before its work'));
  });

  it('fails for a journal that lets a stale owner write', async () => {
    class Unfenced extends FaultyJournal<Tx> {
      async #current({ id }: Claimed): Promise<Claimed> {
        const row = await this.find(id);
        return { id, epoch: row?.epoch ?? 0, seq: row?.seq ?? 0 };
      }
      override async append(claimed: Claimed, write: Write): Promise<void> {
        await super.append(await this.#current(claimed), write);
      }
      override async transact(claimed: Claimed, make: (tx: Tx) => Promise<Write>): Promise<void> {
        await super.transact(await this.#current(claimed), make);
      }
    }
    const unfenced = (database: Database): Journal<Tx> => new Unfenced(new DatabaseJournal(database));
    const failed = await red(
      flowCases(makeThing, { world: (database) => makingWorld(database, null), journal: unfenced }),
    );
    assert.deepEqual(failed, ['is not harmed by trouble with any write of its journal, nor by a lost answer']);
  });

  it('knows which flows were proven, and which of their tasks have run', () => {
    const made = provenFlows().get('make_thing@1');
    assert.deepEqual(
      ['make', 'fill/fill', 'measure', 'ready'].filter((path) => !made?.ran.has(path)),
      [],
    );
    assert.ok(made?.reverted.has('make') && provenFlows().has('destroy_thing@1'));
  });
});
