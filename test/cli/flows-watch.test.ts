import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { type WatchOptions, watchFlows } from '../../src/cli/flows-watch.ts';
import type { Keyboard } from '../../src/cli/keyboard.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import type { FlowState } from '../../src/engine/journal.ts';
import { fromNow, now } from '../../src/lib/clock.ts';
import { condition } from '../crash/condition.ts';
import { freshSqlite } from '../databases.ts';
import { proveStore } from '../prove-store.ts';
import { beginFlow } from './begin-flow.ts';
import { type Captured, captured, capturedCommand } from './captured.ts';

const PATIENCE_MS = 60_000;

/** A watch that goes on, and how it is ended whatever happens. */
async function watching(
  url: string,
  ids: readonly string[],
  body: (watch: { readonly out: Captured; readonly code: Promise<number>; stop(): void }) => Promise<void>,
  { out = captured(), keyboard, ...options }: Partial<WatchOptions> & { out?: Captured; keyboard?: Keyboard } = {},
): Promise<void> {
  const ending = new AbortController();
  const { around } = capturedCommand(ending.signal, { out, ...(keyboard && { keyboard }) });
  const code = watchFlows(ids, { set: [`database.url=${url}`], ...options }, around);
  try {
    await body({ out, code, stop: () => ending.abort() });
  } finally {
    ending.abort();
    await code.catch(() => {});
  }
}

const says = ({ out }: { readonly out: Captured }, pattern: RegExp): Promise<void> =>
  condition(`it says ${pattern}`, PATIENCE_MS, () => pattern.test(out.text));

async function end(database: Database, id: string, state: FlowState): Promise<void> {
  await database.write(({ db }) => db.deleteFrom('hold').where('flow_id', '=', id).execute());
  await database.write(({ db }) =>
    db.updateTable('flow').set({ state, doing: null, owner: null, ended_at: now() }).where('id', '=', id).execute(),
  );
}

proveStore('pumice flows watch', (test) => {
  test('says each change of those that are named, and ends well when they have ended', async ({ database, url }) => {
    const [first, second] = [await beginFlow(database, 'volume:a'), await beginFlow(database, 'volume:b')];
    const still = await beginFlow(database, 'volume:still');
    await beginFlow(database, 'volume:other');
    await end(database, second, 'success');
    await watching(url, [first, second, still], async (watch) => {
      await says(watch, /create_volume \S+ on volume:a pending: waits\n/);
      await says(watch, /create_volume \S+ on volume:b success in /);
      for (const tenth of [1, 2, 3]) {
        const doing = { node: 'fill', since: fromNow(-1_000), progress: tenth / 10 + 0.01 };
        await new DatabaseJournal(database).doing(first, doing);
        await says(watch, new RegExp(` on volume:a pending: fill ${tenth}0 %\\n`));
      }
      await end(database, still, 'success');
      await end(database, first, 'reverted');
      assert.equal(await watch.code, 0);
      assert.match(watch.out.text, / on volume:a reverted in /);
      assert.doesNotMatch(watch.out.text, /volume:other/);
      // What has not changed is not said again.
      assert.equal(watch.out.text.match(/volume:still pending: waits/g)?.length, 1, watch.out.text);
    });
  });

  test('watches all that are in flight, of one project if asked, until it is interrupted', async ({
    database,
    url,
  }) => {
    const mine = await beginFlow(database, 'volume:a', { projectId: 'mine' });
    await beginFlow(database, 'volume:b', { projectId: 'other' });
    await watching(
      url,
      [],
      async (watch) => {
        await says(watch, /on volume:a pending/);
        await beginFlow(database, 'volume:c', { projectId: 'mine' });
        await says(watch, /on volume:c pending/);
        await end(database, mine, 'success');
        await says(watch, /on volume:a success in/);
        watch.stop();
        assert.equal(await watch.code, 130);
        assert.doesNotMatch(watch.out.text, /volume:b/);
      },
      { project: 'mine' },
    );
  });
});

class FakeKeyboard extends EventEmitter implements Keyboard {
  raw = false;
  paused = true;
  setRawMode = (raw: boolean): void => {
    this.raw = raw;
  };
  resume = (): void => {
    this.paused = false;
  };
  pause = (): void => {
    this.paused = true;
  };
}

describe('pumice flows watch on a terminal', () => {
  for (const [name, key] of [
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
  ] as const)
    test(`draws over what it drew until ${name}, and gives the keyboard back`, async () => {
      const { url, remove } = await freshSqlite();
      const database = await openDatabase(url, { as: 'server' });
      const keyboard = new FakeKeyboard();
      try {
        await beginFlow(database, 'volume:a');
        await watching(
          url,
          [],
          async (watch) => {
            await condition('it is drawn again', PATIENCE_MS, () => {
              const [first = '', second = ''] = watch.out.text.split('\u001B[3A\r\u001B[J');
              return /volume:a.*waits/.test(first) && /volume:a.*waits/.test(second);
            });
            assert.deepEqual([keyboard.raw, keyboard.paused], [true, false]);
            keyboard.emit('data', Buffer.from('x'));
            keyboard.emit('data', Buffer.from(key));
            assert.equal(await watch.code, 130);
            assert.deepEqual([keyboard.raw, keyboard.paused, keyboard.listenerCount('data')], [false, true, 0]);
          },
          { out: captured(100), keyboard },
        );
      } finally {
        await database.close();
        await remove();
      }
    });
});
