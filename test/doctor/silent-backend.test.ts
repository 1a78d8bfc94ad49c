import assert from 'node:assert/strict';
import { it } from 'node:test';
import { backends } from '../../src/doctor/checks/backends.ts';
import { BackendUnanswered } from '../../src/model/errors.ts';
import { makeVolume } from '../db/rows.ts';
import { liveSite } from '../flows/live-site.ts';

it('a backend that falls silent while the doctor looks is told of, and the others are looked at', async (context) => {
  const { site, database } = await liveSite(context);
  site.interpose('alpha', 'list', () => Promise.reject(new BackendUnanswered('The cluster does not answer.')));
  const lost = await makeVolume(database, { host: 'node@beta#beta' });
  const found = await backends.examine({
    db: database,
    config: site.config,
    patienceMs: 0,
    backends: ['node@alpha', 'node@beta'].map((host) => ({ host, driver: site.tools.driver(host) })),
    signal: AbortSignal.timeout(60_000),
  });
  assert.deepEqual(
    found.map(({ about, says }) => [about, says]),
    [
      ['node@alpha', 'cannot be used: The cluster does not answer.'],
      [`volume:${lost.id}`, 'is available, and is not on node@beta'],
    ],
  );
});
