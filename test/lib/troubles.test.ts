import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog } from '../../src/lib/logging.ts';
import { type Trouble, Troubles } from '../../src/lib/troubles.ts';

const PACE = { firstMs: 100, longestMs: 1_000 };

/** What is told and kept, and a clock that stands until it is moved. */
function bench() {
  const lines: string[] = [];
  const kept: string[] = [];
  let ms = 0;
  let trouble: Error | null = null;
  const log = createLog({ level: 'info', to: { write: (line) => void lines.push(line) } });
  const troubles = new Troubles({
    log,
    clock: { elapsed: () => ms, pause: async () => {} },
    keep: async (upkeep, about, which: Trouble | undefined) => {
      if (trouble) throw trouble;
      kept.push(`${upkeep} ${about}: ${which?.reason ?? 'over'}`);
    },
  });
  return {
    troubles,
    lines,
    kept,
    fails: (reason: string, about = 'a') => troubles.failed('sinks', about, new Error(reason), PACE),
    passes: (more: number) => {
      ms += more;
    },
    breaks: (error: Error | null) => {
      trouble = error;
    },
  };
}

describe('a trouble', () => {
  test('pauses longer each time, and not without end', () => {
    const { troubles, fails, passes } = bench();
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map(() => fails('no').pauseMs),
      [100, 200, 400, 800, 1_000, 1_000],
    );
    assert.equal(troubles.isDue('sinks', 'a'), false);
    passes(999);
    assert.equal(troubles.isDue('sinks', 'a'), false);
    passes(1);
    assert.equal(troubles.isDue('sinks', 'a'), true);
  });

  test('is told once, again when its reason is another one, and when it is over', async () => {
    const { troubles, fails, lines, kept } = bench();
    for (const reason of ['no room', 'no room', 'no rights', 'no room', 'no rights']) fails(reason);
    await troubles.kept();
    assert.equal(lines.length, 2);
    troubles.worked('sinks', 'a');
    troubles.worked('sinks', 'a');
    await troubles.kept();
    assert.equal(lines.length, 3);
    assert.deepEqual(kept.at(-1), 'sinks a: over');
    fails('no room');
    assert.equal(lines.length, 4);
  });

  test('has the same reason whatever numbers and ids are in it', () => {
    const { fails, lines } = bench();
    fails('No answer of 127.0.0.1:4711 after 31 ms for 0b6d3f36-5b3e-4a3c-9a2e-1f1f6d1c8a11.');
    fails('No answer of 127.0.0.1:53 after 29 ms for 9e107d9d-372b-4b6c-8c1d-3b5e6f7a8b9c.');
    assert.equal(lines.length, 1);
  });

  test('is not told for ever, though every reason is another one', () => {
    const { fails, lines } = bench();
    for (let n = 0; n < 100; n += 1) fails('x'.repeat(n + 1));
    assert.equal(lines.length, 10);
  });

  test('is its own, and no other waits for it', () => {
    const { troubles, fails } = bench();
    fails('no', 'a');
    assert.deepEqual([troubles.isDue('sinks', 'a'), troubles.isDue('sinks', 'b')], [false, true]);
    assert.equal(fails('no', 'b').pauseMs, 100);
  });

  test('is tried at once when something has changed, and nothing is told of it', () => {
    const { troubles, fails, lines } = bench();
    fails('no');
    fails('no');
    troubles.failed('sinks', 'never', new Error('refused'), PACE, { final: true });
    troubles.hurry('sinks');
    assert.deepEqual([troubles.isDue('sinks', 'a'), troubles.isDue('sinks', 'never')], [true, false]);
    assert.deepEqual(fails('no'), { pauseMs: 100, isNews: false });
    troubles.hurry('sinks', 'never');
    assert.equal(troubles.isDue('sinks', 'never'), true);
    assert.equal(lines.length, 2);
  });

  test('ends with what it is about', async () => {
    const { troubles, fails, kept } = bench();
    fails('no');
    troubles.gone('sinks', 'a');
    await troubles.kept();
    assert.equal(troubles.find('sinks', 'a'), undefined);
    assert.equal(kept.at(-1), 'sinks a: over');
  });

  test('is kept later when it cannot be kept now', async () => {
    const { troubles, fails, kept, breaks } = bench();
    breaks(new Error('the database is away'));
    fails('no');
    await troubles.kept();
    assert.deepEqual(kept, []);
    breaks(null);
    troubles.worked('heartbeat', 'node');
    await troubles.kept();
    assert.deepEqual(kept, ['sinks a: no']);
  });
});
