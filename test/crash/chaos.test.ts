/** The short form of `npm run chaos`: a storm on each database, and every promise kept. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dialect } from './site.ts';
import { storm } from './storm.ts';

const STORMS: Readonly<Record<Dialect, { readonly title: string; readonly kills: number }>> = {
  sqlite: { title: 'one process on SQLite', kills: 12 },
  postgresql: { title: 'three processes on PostgreSQL, of two hosts, one of them frozen now and then', kills: 6 },
};

describe('killed at random under load, all promises are kept by', { concurrency: true }, () => {
  for (const [dialect, { title, kills }] of Object.entries(STORMS) as [Dialect, (typeof STORMS)[Dialect]][]) {
    it(title, async (context) => {
      const seed = Math.trunc(Math.random() * 1e9);
      context.diagnostic(`npm run chaos -- --database ${dialect} --kills ${kills} --seed ${seed}`);
      const report = await storm({ dialect, kills, seed, clients: 4, patience: 60 });
      if ('missing' in report) {
        context.skip(report.missing);
        return;
      }
      const { violations, ...counts } = report;
      context.diagnostic(JSON.stringify(counts));
      assert.deepEqual(violations, []);
      assert.equal(counts.kills + counts.freezes, kills);
    });
  }
});
