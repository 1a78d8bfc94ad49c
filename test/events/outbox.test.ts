/** The dispatcher over the real outbox: what `wiring.ts` joins. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../../src/db/database.ts';
import { appendEvents, markDelivered, newestEvent, pruneEvents, undelivered } from '../../src/db/outbox.ts';
import { forgetOtherSinks, noteSink, readSink, readSinks } from '../../src/db/sinks.ts';
import { Dispatcher, type Outbox } from '../../src/events/dispatcher.ts';
import { volumeEvent } from '../../src/events/notifications.ts';
import { FileSink } from '../../src/events/sink-file.ts';
import { fromNow, now } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { Troubles } from '../../src/lib/troubles.ts';
import { UNTRIED } from '../../src/model/sink.ts';
import { proveStore } from '../prove-store.ts';
import { aVolume } from './rows.ts';

const outboxOf = (db: Database): Outbox => ({
  newest: (before) => newestEvent(db.read, before),
  undelivered: (...asked) => undelivered(db.read, ...asked),
  state: (sink) => readSink(db.read, sink),
  note: (sink, seqs, change) =>
    db.write(async (tx) => {
      await markDelivered(tx, sink, seqs);
      if (change) await noteSink(tx, sink, change);
    }),
  prune: (sinks, before, limit) => db.write((tx) => pruneEvents(tx, sinks, before, limit)),
});

const append = (db: Database, count: number): Promise<void> =>
  db.write((tx) =>
    appendEvents(
      tx,
      Array.from({ length: count }, (_, n) =>
        volumeEvent('create.end', aVolume({ name: `volume ${n}` }), { requestId: 'req-1' }),
      ),
    ),
  );

proveStore('the outbox', (test) => {
  test('reaches a file whole and in order, over two lives of the dispatcher', async ({ database, context }) => {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
    context.after(() => rm(directory, { recursive: true }));
    const path = join(directory, 'events.jsonl');
    const lines = async (): Promise<string[]> =>
      (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
    for (const expected of [250, 251]) {
      await append(database, expected === 250 ? 250 : 1);
      const stop = new AbortController();
      const running = new Dispatcher({
        outbox: outboxOf(database),
        sinks: [new FileSink(path)],
        leads: () => database.ownership.take('events'),
        troubles: new Troubles({ log: silentLog }),
        retentionDays: 7,
        pollMs: 5,
      }).run(stop.signal);
      for (const until = performance.now() + 10_000; (await lines()).length < expected; await delay(5))
        assert.ok(performance.now() < until, 'the events never arrived');
      stop.abort();
      await running;
    }
    const names = (await lines()).map((line) => JSON.parse(JSON.parse(line)['oslo.message']).payload.display_name);
    assert.deepEqual(
      names.slice(0, 250),
      Array.from({ length: 250 }, (_, n) => `volume ${n}`),
    );
    assert.deepEqual(await undelivered(database.read, 'file', 0, 10), []);
  });

  test('keeps how each sink is, until its section is taken out', async ({ database }) => {
    const outbox = outboxOf(database);
    const waits = (resource: string, tries: number) => ({
      resource,
      seq: tries,
      since: now(),
      tries,
      reason: 'answered 500',
      nextTryAt: now(),
    });
    const failing = { since: now(), tries: 3, reason: 'answered 500', nextTryAt: now() };
    assert.deepEqual(await outbox.state('hook'), UNTRIED);
    const [a, b] = [waits('volume:a', 1), waits('volume:b', 2)];
    await outbox.note('hook', [], { succeededAt: null, failing, waits: [b, a], waiting: ['volume:a', 'volume:b'] });
    assert.deepEqual(await outbox.state('hook'), { succeededAt: null, failing, waiting: [a, b] });
    const more = { ...b, tries: 9, nextTryAt: null };
    const succeededAt = now();
    await outbox.note('hook', [], { succeededAt, failing, waits: [more], waiting: ['volume:b'] });
    await outbox.note('file', [], { succeededAt, failing: null, waits: [] });
    assert.deepEqual(await outbox.state('hook'), { succeededAt, failing, waiting: [more] });
    await outbox.note('hook', [], { succeededAt, failing: null, waits: [], waiting: [] });
    assert.deepEqual(await outbox.state('hook'), { succeededAt, failing: null, waiting: [] });
    await database.write((tx) => forgetOtherSinks(tx, ['hook']));
    assert.deepEqual(
      [...(await readSinks(database.read, ['hook', 'file'])).values()].map((state) => state.succeededAt),
      [succeededAt, null],
    );
    await database.write((tx) => forgetOtherSinks(tx, []));
    assert.deepEqual(await outbox.state('hook'), UNTRIED);
  });

  test('knows the newest event that was written before', async ({ database }) => {
    await append(database, 3);
    const [first] = await undelivered(database.read, 'file', 0, 1);
    assert.ok(first !== undefined);
    assert.equal(await newestEvent(database.read, fromNow(60_000)), first.seq + 2);
    assert.equal(await newestEvent(database.read, fromNow(-60_000)), 0);
  });
});
