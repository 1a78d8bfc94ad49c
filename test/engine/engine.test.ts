import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Engine } from '../../src/engine/engine.ts';
import type { EngineEvent } from '../../src/engine/events.ts';
import { flowsOver } from '../../src/engine/flow.ts';
import { tasksOver } from '../../src/engine/task.ts';
import { MemoryJournal, type MemoryTx } from './memory-journal.ts';

interface Tools {
  readonly did: string[];
}
const { world, record, obligation } = tasksOver<Tools, MemoryTx>();
const flow = flowsOver<Tools, MemoryTx>();

const Reserve = record({
  name: 'reserve',
  execute: ({ volumeId }: { volumeId: string }, { tx }) => {
    tx.rows.set(`quota:${volumeId}`, 1);
    return { reservation: volumeId };
  },
  revert: ({ volumeId }, _outcome, { tx }) => {
    tx.rows.delete(`quota:${volumeId}`);
  },
});
const Make = world({
  name: 'make',
  execute: async ({ volumeId, reservation }: { volumeId: string; reservation: string }, { tools }) => {
    tools.did.push(`make ${volumeId} ${reservation}`);
    return { path: `/${volumeId}` };
  },
  revert: async ({ volumeId }, outcome, { tools }) => {
    tools.did.push(`unmake ${volumeId} ${outcome.is}`);
  },
});
const MarkError = obligation({
  name: 'mark-error',
  revert: ({ volumeId }: { volumeId: string }, _outcome, { tx, failures }) => {
    tx.rows.set(`status:${volumeId}`, `error: ${failures[0].message}`);
  },
});
const Fail = world({
  name: 'fail',
  execute: async (_: { path: string }, { attempt, tools }) => {
    tools.did.push(`fail ${attempt}`);
    throw Object.assign(new Error('no room'), { elsewhere: true });
  },
});
const Finish = record({
  name: 'finish',
  execute: ({ volumeId, path }: { volumeId: string; path: string }, { tx }) => {
    tx.rows.set(`status:${volumeId}`, `available at ${path}`);
  },
});

async function inWorld(
  flows: ConstructorParameters<typeof Engine<Tools, MemoryTx>>[0]['flows'],
  then: (w: {
    engine: Engine<Tools, MemoryTx>;
    journal: MemoryJournal;
    did: string[];
    events: EngineEvent[];
  }) => Promise<void>,
) {
  const journal = new MemoryJournal();
  const did: string[] = [];
  const events: EngineEvent[] = [];
  const engine = new Engine({
    journal,
    tools: { did },
    flows,
    listen: (event) => events.push(event),
    pollMs: 20,
    revertRetry: { tries: 2, when: () => true, backoffMs: 1 },
  });
  await engine.start();
  try {
    await then({ engine, journal, did, events });
  } finally {
    await engine.stop();
  }
}

const options = { id: 'f1', resource: 'volume:v', projectId: 'p', requestId: 'req-1' };
const deadline = () => AbortSignal.timeout(5_000);

describe('a flow', () => {
  const create = flow<{ volumeId: string }>('create')
    .add(MarkError)
    .add(Reserve)
    .add(Make)
    .add(Finish)
    .build({ version: 1 });

  test('runs its tasks in order and costs two commits after the request’s own', async () => {
    await inWorld([create], async ({ engine, journal, did }) => {
      await journal.transaction((tx) => engine.begin(tx, create, { volumeId: 'v' }, options));
      const row = await engine.settled('f1', deadline());
      assert.equal(row.state, 'success');
      assert.deepEqual(did, ['make v v']);
      assert.equal(journal.rows.get('status:v'), 'available at /v');
      assert.equal(journal.commits, 1 + 2 + 1, 'one claim at start, one request, two of the flow');
    });
  });

  const failing = flow<{ volumeId: string }>('failing')
    .add(MarkError)
    .attempts('attempts', { limit: () => 3, remember: ({ path }) => path ?? null }, (span) =>
      span.add(Reserve).add(Make).add(Fail),
    )
    .build({ version: 1 });

  test('tries a span again while the failure says elsewhere, then reverts every task that started', async () => {
    await inWorld([failing], async ({ engine, journal, did }) => {
      await journal.transaction((tx) => engine.begin(tx, failing, { volumeId: 'v' }, options));
      const row = await engine.settled('f1', deadline());
      assert.equal(row.state, 'reverted');
      assert.deepEqual(
        did,
        [1, 2, 3].flatMap((n) => ['make v v', `fail ${n}`, 'unmake v done']),
      );
      assert.deepEqual([...journal.rows], [['status:v', 'error: no room']]);
      assert.deepEqual(
        (await journal.steps('f1'))
          .filter(({ event }) => event === 'rejected')
          .map(({ data }) => (data as { choice: string }).choice),
        ['/v', '/v'],
      );
    });
  });
});
