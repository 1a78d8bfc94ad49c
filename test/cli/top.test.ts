/** `pumice top`: its frames, a frame for a pipe and for programs, and a terminal that is as it was when it has ended. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { top } from '../../src/cli/top.ts';
import { type TopSeen, topLines } from '../../src/cli/top-frame.ts';
import { openDatabase } from '../../src/db/database.ts';
import { recordHeartbeat } from '../../src/db/services.ts';
import { WAITING_LANE } from '../../src/engine/journal.ts';
import type { BackendFacts } from '../../src/why/read-backends.ts';
import { pool } from '../api/heartbeats.ts';
import { freshSqlite } from '../databases.ts';
import { assertGolden } from '../golden.ts';
import { beginFlow } from './begin-flow.ts';
import { captured, capturedCommand } from './captured.ts';
import { ago, flowRow, NOW } from './stories.ts';

const backend = (given: Partial<BackendFacts>): BackendFacts => ({
  host: 'node1@nvme',
  availability_zone: 'nova',
  state: 'up',
  reason: null,
  seen_at: ago(3),
  pools: [
    {
      name: 'node1@nvme#nvme',
      total_gib: 2_000,
      free_gib: 780,
      allocated_gib: 2_500,
      promised_gib: 2_800,
      over_subscription_ratio: 20,
      volumes: 812,
    },
  ],
  copies: { running: 2, waiting: 3, rate: 180 * 2 ** 20 },
  ...given,
});

const COPYING = { bytes: 540 * 2 ** 20, of: 2 ** 31, from: 0, since: ago(60), at: NOW };
const SEEN: TopSeen = {
  at: NOW,
  backends: [
    backend({}),
    backend({ host: 'node2@hdd', state: 'down', reason: null, pools: [], copies: { running: 0, waiting: 0, rate: 0 } }),
  ],
  troubles: [
    {
      upkeep: 'exports',
      about: 'node1@nvme',
      process: 'p',
      node: 'node1',
      reason: 'tgtd does not answer.',
      since: ago(90),
    },
  ],
  flows: [
    flowRow({
      id: '01900000-0000-7000-8000-000000000003',
      doing: { node: 'fill/copy', since: ago(60), progress: 0.25, copying: COPYING },
    }),
    flowRow({
      id: '01900000-0000-7000-8000-000000000002',
      name: 'delete_volume',
      lane: WAITING_LANE,
      owner: null,
      state: 'pending',
    }),
    flowRow({
      id: '01900000-0000-7000-8000-000000000001',
      name: 'extend_volume',
      state: 'stuck',
      owner: null,
      createdAt: ago(840),
    }),
  ],
  holders: new Map(),
};

describe('a frame of top', () => {
  for (const columns of [120, 80, 40])
    test(`fits ${columns} columns, with what needs somebody first`, () => {
      const { terminal } = captured(columns);
      const lines = topLines(terminal, SEEN, 'The database does not answer.');
      assertGolden(`top-${columns}.txt`, `${lines.join('\n')}\n`);
    });

  test('is whole where it goes into a pipe', () => {
    assertGolden('top.txt', `${topLines(captured().terminal, SEEN, undefined).join('\n')}\n`);
  });
});

describe('pumice top', () => {
  async function withDatabase(body: (url: string) => Promise<void>): Promise<void> {
    const database = await freshSqlite();
    const db = await openDatabase(database.url, { as: 'server' });
    const beat = { host: 'node@good', binary: 'cinder-volume', availabilityZone: 'nova', pools: [pool('fast')] };
    await db.write((tx) => recordHeartbeat(tx, { ...beat, failure: null }));
    await beginFlow(db, 'volume:v1', { name: 'create_volume' });
    try {
      await body(database.url);
    } finally {
      await db.close();
      await database.remove();
    }
  }

  test('is one plain frame where the output is no terminal, and one line for programs', () =>
    withDatabase(async (url) => {
      const plain = capturedCommand();
      assert.equal(await top({ set: [`database.url=${url}`] }, plain.around), 0);
      assert.match(plain.out.text, /^0 running {2}1 waiting {2}0 stuck/);
      assert.match(plain.out.text, /node@good#fast +up/);
      assert.match(plain.out.text, /create_volume/);
      const json = capturedCommand();
      assert.equal(await top({ set: [`database.url=${url}`], json: true }, json.around), 0);
      assert.equal(json.out.text.trim().split('\n').length, 1);
      const told = JSON.parse(json.out.text);
      assert.deepEqual([told.waiting, told.flows.length, told.backends[0].host], [1, 1, 'node@good']);
    }));

  test('draws on a screen of its own, cuts each line to the width, and leaves the terminal as it was', () =>
    withDatabase(async (url) => {
      for (const columns of [80, 40]) {
        const stop = new AbortController();
        const out = captured(columns, 10);
        const { around } = capturedCommand(stop.signal, { out });
        const ended = top({ set: [`database.url=${url}`] }, around);
        const deadline = performance.now() + 20_000;
        while (!out.text.includes('\u001B[J')) {
          assert.ok(performance.now() < deadline, 'Nothing was drawn.');
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        stop.abort(new Error('SIGTERM came.'));
        assert.equal(await ended, 0);
        assert.ok(out.text.startsWith('\u001B[?1049h\u001B[?25l\u001B[H'));
        assert.ok(out.text.endsWith('\u001B[?25h\u001B[?1049l'));
        const [frame = ''] = out.text.split('\u001B[H').slice(1);
        const lines = stripVTControlCharacters(frame).split('\n');
        assert.ok(
          lines.every((line) => line.length <= columns),
          frame,
        );
        assert.ok(lines.length <= 10, frame);
      }
      assert.equal(process.listenerCount('SIGHUP'), 0);
    }));
});
