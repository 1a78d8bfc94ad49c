import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { MOST_BLOCKED, type RefusedEvent } from '../../src/events/blocked-resources.ts';
import { type Delivery, Dispatcher, type DispatcherOptions, type Sink } from '../../src/events/dispatcher.ts';
import { SinkRests } from '../../src/events/sink-place.ts';
import { fromNow } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { Troubles } from '../../src/lib/troubles.ts';
import type { OutboxEvent } from '../../src/model/event.ts';
import { MemoryOutbox } from './memory-outbox.ts';

/** Takes everything, unless `refuse` says otherwise; refused batches may be taken in part, as the contract allows. */
class TestSink implements Sink {
  readonly name: string;
  readonly taken: OutboxEvent[] = [];
  /** How many of a batch are taken before it is refused; null takes it. */
  refuse: (events: readonly OutboxEvent[]) => number | null = () => null;
  /** Whether one of a batch that is taken is refused by itself. */
  refuseOne: (event: OutboxEvent) => boolean = () => false;
  /** Every event that was offered to it. */
  readonly offered: OutboxEvent[] = [];
  batches = 0;
  closed = false;

  constructor(name: string) {
    this.name = name;
  }

  get seqs(): number[] {
    return this.taken.map(({ seq }) => seq);
  }

  async deliver(events: readonly OutboxEvent[]): Promise<Delivery> {
    assert.ok(!this.closed, 'the sink is closed');
    this.batches += 1;
    this.offered.push(...events);
    const part = this.refuse(events);
    if (part !== null) {
      this.taken.push(...events.slice(0, part));
      throw new Error('not now');
    }
    const taken: OutboxEvent[] = [];
    const refused = new Map<string, RefusedEvent>();
    for (const event of events) {
      if (refused.has(event.resource)) continue;
      if (this.refuseOne(event)) refused.set(event.resource, { event, error: new Error(`not ${event.resource}`) });
      else taken.push(event);
    }
    this.taken.push(...taken);
    return { taken, refused: [...refused.values()] };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

const QUICK = { leads: async () => true, retentionDays: 7, pollMs: 1, backoffMs: 1, maxBackoffMs: 2 };

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !condition(); await delay(1))
    assert.ok(performance.now() < deadline, `never happened: ${condition}`);
}

/** A running dispatcher, stopped at the end of the test. */
function running(t: TestContext, options: Pick<DispatcherOptions, 'outbox' | 'sinks'> & Partial<DispatcherOptions>) {
  const stop = new AbortController();
  const troubles = new Troubles({ log: silentLog });
  const dispatcher = new Dispatcher({ troubles, ...QUICK, ...options });
  const done = dispatcher.run(stop.signal);
  const end = (): Promise<void> => {
    stop.abort();
    return done;
  };
  t.after(end);
  return { dispatcher, troubles, end };
}

describe('the dispatcher', () => {
  test('takes events to every sink in their order', async (t) => {
    const outbox = new MemoryOutbox();
    const sinks = [new TestSink('a'), new TestSink('b')];
    for (let n = 0; n < 25; n += 1) outbox.append();
    running(t, { outbox, sinks, batch: 10 });
    const all = outbox.events.map(({ seq }) => seq);
    await until(() => sinks.every(({ taken }) => taken.length >= 25));
    for (const sink of sinks) assert.deepEqual(sink.seqs, all);
  });

  test('is woken by new events', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    const { dispatcher } = running(t, { outbox, sinks: [sink], pollMs: 1_000_000 });
    await until(() => outbox.floors.length === 1);
    outbox.append();
    dispatcher.wake();
    await until(() => sink.taken.length === 1);
  });

  test('finds events that nobody told it of', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    running(t, { outbox, sinks: [sink] });
    await until(() => outbox.floors.length === 1);
    outbox.append();
    await until(() => sink.taken.length === 1);
  });

  test('a sink that fails does not hold up the others, is shown, and gets everything later', async (t) => {
    const outbox = new MemoryOutbox();
    const [good, bad] = [new TestSink('good'), new TestSink('bad')];
    bad.refuse = () => 0;
    for (let n = 0; n < 5; n += 1) outbox.append();
    const { troubles } = running(t, { outbox, sinks: [good, bad] });
    await until(() => good.taken.length === 5 && bad.batches >= 3);
    assert.equal(troubles.find('events', 'good'), undefined);
    assert.equal(troubles.find('events', 'bad')?.reason, 'not now');
    bad.refuse = () => null;
    await until(() => bad.taken.length === 5);
    await until(() => troubles.find('events', 'bad') === undefined);
  });

  test('an event that is refused holds up later ones of its resource, and of no other', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    sink.refuseOne = ({ resource }) => resource === 'volume:bad';
    for (const resource of ['volume:bad', 'volume:good', 'volume:bad', 'volume:good']) outbox.append({ resource });
    const { troubles } = running(t, { outbox, sinks: [sink] });
    const bad = (): number => sink.offered.filter(({ seq }) => seq === 1).length;
    await until(() => sink.taken.length === 2 && bad() >= 3);
    outbox.append({ resource: 'volume:good' });
    outbox.append({ resource: 'volume:bad' });
    await until(() => sink.taken.length === 3);
    assert.deepEqual(sink.seqs, [2, 4, 5]);
    assert.deepEqual([...(outbox.delivered.get('a') ?? [])], [2, 4, 5]);
    const tried = bad();
    await until(() => bad() > tried);
    assert.equal(troubles.find('events', 'a')?.reason, 'not volume:bad');
    sink.refuseOne = () => false;
    await until(() => sink.taken.length === 6);
    assert.deepEqual(sink.seqs.slice(3), [1, 3, 6]);
    await until(() => troubles.find('events', 'a') === undefined);
  });

  test('how a sink is stands beside what it has had, and whoever delivers next goes on from it', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = Object.assign(new TestSink('a'), { pausesMs: [1_000_000] });
    sink.refuseOne = ({ resource }) => resource === 'volume:bad';
    outbox.append({ resource: 'volume:good' });
    outbox.append({ resource: 'volume:bad' });
    const state = () => outbox.state('a');
    const first = running(t, { outbox, sinks: [sink] });
    await until(() => outbox.states.get('a')?.waiting.length === 1);
    await first.end();
    const { succeededAt, failing, waiting } = await state();
    assert.ok(succeededAt !== null);
    assert.equal(failing?.reason, 'not volume:bad');
    assert.deepEqual(
      waiting.map(({ resource, seq, tries }) => [resource, seq, tries]),
      [['volume:bad', 2, 1]],
    );
    assert.equal(failing?.nextTryAt, waiting[0]?.nextTryAt);
    assert.ok((failing?.nextTryAt ?? '') > fromNow(900_000));
    sink.closed = false;
    const second = running(t, { outbox, sinks: [sink] });
    await until(() => outbox.states.get('a')?.waiting[0]?.tries === 2);
    const again = await state();
    assert.deepEqual(
      [again.failing?.since, again.waiting[0]?.since, again.failing?.tries],
      [failing?.since, waiting[0]?.since, 2],
    );
    await second.end();
    sink.refuseOne = () => false;
    sink.closed = false;
    running(t, { outbox, sinks: [sink] });
    await until(() => outbox.states.get('a')?.failing === null);
    assert.deepEqual((await state()).waiting, []);
    assert.deepEqual(sink.seqs, [1, 2]);
  });

  test('of a sink that fails as a whole it is written down since when, and when it is tried next', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    let rests: string | null = '2999-01-01T00:00:00.000000';
    sink.deliver = async () => {
      throw new SinkRests('let me be', rests);
    };
    outbox.append();
    const { dispatcher } = running(t, { outbox, sinks: [sink] });
    await until(() => outbox.states.get('a')?.failing?.nextTryAt === rests);
    rests = null;
    dispatcher.wake();
    await until(() => outbox.states.get('a')?.failing?.nextTryAt === null);
    assert.equal((await outbox.state('a')).failing?.tries, 1, 'to be left alone is no try');
    sink.deliver = async () => {
      throw new Error('not now');
    };
    await until(() => (outbox.states.get('a')?.failing?.tries ?? 0) > 2);
    assert.equal((await outbox.state('a')).failing?.reason, 'not now');
    assert.ok((await outbox.state('a')).failing?.nextTryAt);
    sink.deliver = async (events) => ({ taken: [], refused: [], unwanted: events });
    await until(() => outbox.states.get('a')?.failing === null);
    assert.equal((await outbox.state('a')).succeededAt, null, 'what it has no use for says nothing of it');
  });

  test('a resource that waits is left alone for as long as its sink says', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = Object.assign(new TestSink('a'), { pausesMs: [1, 1_000_000] });
    sink.refuseOne = ({ resource }) => resource === 'volume:bad';
    outbox.append({ resource: 'volume:bad' });
    running(t, { outbox, sinks: [sink] });
    await until(() => sink.batches === 2);
    for (let n = 0; n < 30; n += 1) {
      outbox.append({ resource: n % 2 === 0 ? 'volume:bad' : 'volume:good' });
      await until(() => sink.taken.length === Math.ceil(n / 2));
    }
    assert.equal(sink.offered.filter(({ resource }) => resource === 'volume:bad').length, 2);
  });

  test('a sink that refuses more resources than may wait is asked for nothing else until one is through', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    sink.refuseOne = () => true;
    for (let n = 0; n < MOST_BLOCKED * 2; n += 1) outbox.append({ resource: `volume:${n}` });
    running(t, { outbox, sinks: [sink], batch: 7 });
    const tried = (): number => new Set(sink.offered.map(({ seq }) => seq)).size;
    await until(() => tried() === MOST_BLOCKED && sink.offered.length > MOST_BLOCKED * 3);
    assert.equal(tried(), MOST_BLOCKED);
    sink.refuseOne = ({ resource }) => resource !== 'volume:5';
    await until(() => sink.taken.length === 1 && tried() === MOST_BLOCKED + 1);
    sink.refuseOne = () => false;
    await until(() => sink.taken.length === MOST_BLOCKED * 2);
  });

  test('what a sink had no time for is offered again, and is no failure', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    const deliver = sink.deliver.bind(sink);
    sink.deliver = (events) => deliver(events.slice(0, 3));
    for (let n = 0; n < 20; n += 1) outbox.append();
    const { troubles } = running(t, { outbox, sinks: [sink], pollMs: 1_000_000 });
    await until(() => sink.taken.length === 20);
    assert.equal(troubles.find('events', 'a'), undefined);
    assert.deepEqual(
      sink.seqs,
      outbox.events.map(({ seq }) => seq),
    );
  });

  test('a sink that never does anything with its events is in trouble', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    sink.deliver = async () => ({ taken: [], refused: [] });
    outbox.append();
    const { troubles } = running(t, { outbox, sinks: [sink] });
    await until(() => troubles.find('events', 'a') !== undefined);
  });

  test('an event that can be seen later than a younger one is not left out', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    const commit = outbox.begin({ resource: 'volume:slow' });
    outbox.append({ resource: 'volume:quick' });
    running(t, { outbox, sinks: [sink] });
    await until(() => sink.taken.length === 1);
    commit();
    await until(() => sink.taken.length === 2);
    assert.deepEqual(sink.seqs, [2, 1]);
  });

  test('does nothing unless it leads', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    outbox.append();
    let asked = 0;
    let leads = false;
    running(t, {
      outbox,
      sinks: [sink],
      leads: async () => {
        asked += 1;
        return leads;
      },
    });
    await until(() => asked > 5);
    assert.deepEqual([sink.taken, outbox.floors], [[], []]);
    leads = true;
    await until(() => sink.taken.length === 1);
  });

  test('a sink that hangs is given up and asked again', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    let hung = 0;
    const hanging: Sink = {
      name: 'a',
      deliver: (events, signal) => {
        if (hung > 0) return sink.deliver(events);
        hung += 1;
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
      close: () => sink.close(),
    };
    outbox.append();
    running(t, { outbox, sinks: [hanging], deliveryTimeoutMs: 5 });
    await until(() => sink.taken.length === 1);
  });

  test('forgets events that are old and had by every sink, and no others', async (t) => {
    const outbox = new MemoryOutbox();
    const [quick, slow] = [new TestSink('quick'), new TestSink('slow')];
    const old = fromNow(-8 * 24 * 3_600_000);
    for (let n = 0; n < 600; n += 1) outbox.append({ createdAt: old });
    for (let n = 0; n < 3; n += 1) outbox.append();
    const seqs = outbox.events.map(({ seq }) => seq);
    await outbox.note('quick', seqs);
    await outbox.note('slow', seqs.slice(1));
    slow.refuse = () => 0;
    running(t, { outbox, sinks: [quick, slow] });
    await until(() => outbox.events.length === 4);
    assert.deepEqual(
      outbox.events.map(({ seq }) => seq),
      [1, 601, 602, 603],
    );
  });

  test('ends when it is told to, with the sinks closed', async (t) => {
    const outbox = new MemoryOutbox();
    const sink = new TestSink('a');
    sink.refuse = () => 0;
    outbox.append();
    const { end } = running(t, { outbox, sinks: [sink], backoffMs: 1_000_000, maxBackoffMs: 1_000_000 });
    await until(() => sink.batches === 1);
    await end();
    assert.ok(sink.closed);
  });

  test('whatever fails and whenever it crashes, every event arrives, those of a resource in order', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), resource: fc.nat({ max: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.infiniteStream(fc.option(fc.nat({ max: 4 }), { nil: null, freq: 3 })),
        fc.infiniteStream(fc.nat({ max: 3 })),
        fc.infiniteStream(fc.nat({ max: 3 })),
        fc.integer({ min: 1, max: 7 }),
        async (steps, refusals, singles, lostMarks, batch) => {
          const outbox = new MemoryOutbox();
          const note = outbox.note.bind(outbox);
          // The crash between delivery and mark, as seen by who comes after.
          outbox.note = async (...noted) => {
            if (lostMarks.next().value === 0) throw new Error('died before the mark');
            await note(...noted);
          };
          const sinks = ['a', 'b', 'c'].map((name) => new TestSink(name));
          for (const sink of sinks) {
            sink.refuse = () => refusals.next().value ?? null;
            sink.refuseOne = () => singles.next().value === 0;
          }
          let end = start();
          for (const each of steps) {
            if (each.do === 'append') outbox.append({ resource: `volume:${each.resource}` });
            else {
              await end();
              end = start();
            }
          }
          const all = outbox.events.map(({ messageId }) => messageId);
          await until(() =>
            sinks.every(({ name }) => outbox.delivered.get(name)?.size === all.length || all.length === 0),
          );
          await until(() =>
            [...outbox.states.values()].every(({ waiting, failing }) => !failing && waiting.length === 0),
          );
          await end();
          for (const { taken } of sinks) {
            const first = [...new Map(taken.map((event) => [event.messageId, event])).values()];
            assert.deepEqual(first.map(({ messageId }) => messageId).sort(), all.toSorted());
            for (const resource of new Set(first.map((event) => event.resource))) {
              const seqs = first.filter((event) => event.resource === resource).map(({ seq }) => seq);
              assert.deepEqual(
                seqs,
                seqs.toSorted((a, b) => a - b),
              );
            }
          }

          function start(): () => Promise<void> {
            for (const sink of sinks) sink.closed = false;
            const stop = new AbortController();
            const done = new Dispatcher({
              ...QUICK,
              troubles: new Troubles({ log: silentLog }),
              outbox,
              sinks,
              batch,
            }).run(stop.signal);
            return () => {
              stop.abort();
              return done;
            };
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
