/** Whatever a broker sends or does not, a delivery ends, with its value or an error, and nothing escapes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { AmqpSink } from '../../src/events/sink-amqp.ts';
import { inTime, NeverEnded } from '../in-time.ts';
import { escaped } from '../uncaught.ts';
import { type Fault, falseBroker, UNASKED } from './false-broker.ts';
import { anEvent } from './rows.ts';

/** Answers of a broker until an event is confirmed, and one more. */
const ANSWERS = 18;
/** From what the broker does wrong until the delivery is told to end. */
const PATIENCE_MS = 30;
const RUNS = 60;

const at = fc.nat(ANSWERS);
const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ at, is: fc.constant('nonsense' as const), bytes, after: fc.constantFrom('cut', 'stall', 'go on') }),
  fc.record({ at, is: fc.constant('more' as const), bytes }),
  fc.record({
    ...{ at, is: fc.constant('method' as const) },
    ...{ name: fc.constantFrom(...Object.keys(UNASKED)), channel: fc.nat(4) },
  }),
  fc.record({
    at,
    is: fc.constant('garbled' as const),
    places: fc.array(fc.tuple(fc.nat(64), fc.nat(255)), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ at, is: fc.constant('cut' as const), after: fc.nat(64) }),
  fc.record({ at, is: fc.constant('stall' as const), after: fc.nat(64) }),
  fc.record({ at, is: fc.constant('dribble' as const) }),
);

/** How a delivery to such a broker ended; null when it was taken. */
async function deliver(wrong: Fault): Promise<{ readonly error: Error | null; readonly flooded: number }> {
  const broker = await falseBroker(wrong);
  const sink = new AmqpSink({ url: broker.url, topics: ['t'] });
  const stop = new AbortController();
  if (wrong.is !== 'flood')
    void broker.reached.then(() => pause(PATIENCE_MS)).then(() => stop.abort(new Error('enough')));
  try {
    const delivered = sink.deliver([anEvent(1)], stop.signal);
    const error = await inTime('the delivery', delivered).then(
      () => null,
      (reason: unknown) => reason,
    );
    assert.ok(error === null || (error instanceof Error && !(error instanceof NeverEnded)), String(error));
    return { error, flooded: broker.flooded };
  } finally {
    await inTime('the end of the sink', sink.close());
    await broker.close();
  }
}

describe('a false broker', () => {
  test('ends no process and holds no delivery, nor the sink', async () => {
    const property = fc.asyncProperty(fault, async (wrong) => {
      assert.deepEqual(await escaped(async () => void (await deliver(wrong))), []);
    });
    await fc.assert(property, { numRuns: RUNS });
  });

  test('is heard out no further than 16 MiB', async () => {
    const heartbeats = Buffer.concat(Array.from({ length: 1024 }, () => Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce])));
    for (const at of [3, 8]) {
      const { error, flooded } = await deliver({ at, is: 'flood', bytes: heartbeats });
      assert.match(String(error), /sends more than it was asked for/);
      assert.ok(flooded < 64 * 1024 ** 2, `${flooded} bytes`);
    }
  });

  test('is believed no frame that is longer than one may be', async () => {
    for (const at of [0, 3]) {
      const { error } = await deliver({ at, is: 'flood', bytes: Buffer.alloc(65_536, 0x01) });
      assert.match(String(error), /exceeds maxFrameSize/);
    }
  });

  test('gets the events when it is mended: a client that failed is not the last', async () => {
    const sink = new AmqpSink({ url: 'no URL', topics: ['t'] });
    for (let n = 0; n < 2; n += 1)
      await assert.rejects(sink.deliver([anEvent(1)], new AbortController().signal), /The client of the broker failed/);
    await sink.close();
    assert.equal((await deliver({ at: 1_000, is: 'cut', after: 0 })).error, null);
  });
});
