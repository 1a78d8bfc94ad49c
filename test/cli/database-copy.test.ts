import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { freshPostgresql } from '../databases.ts';
import { withPumice } from './pumice-process.ts';

const PROJECT = '0123456789abcdef0123456789abcdef';
/** As many as a project may have. */
const MANY = 10;

async function ask(address: string, method: string, path: string, body?: object) {
  const headers = { 'content-type': 'application/json', 'x-auth-token': `u:${PROJECT}` };
  const given = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${address}/v3/${PROJECT}${path}`, { method, headers, ...given });
  // biome-ignore lint/suspicious/noExplicitAny: answers of two shapes
  return (await response.json()) as any;
}

describe('pumice database copy', () => {
  it('takes a service to PostgreSQL, and what was under way when it was killed ends there', async (context) => {
    const there = await freshPostgresql();
    if ('missing' in there) return context.skip(`PostgreSQL: ${there.missing}`);
    context.after(() => there.remove());
    await withPumice(async ({ directory, run }) => {
      const on = (url: string) => ['--set', `data_directory=${directory}`, '--set', `database.url=${url}`];
      const file = `${directory}/one.sqlite`;
      const copy = () => run('database', 'copy', '--from', file, ...on(there.url)).ended();
      const nothing = await copy();
      assert.equal(nothing.code, 2);
      assert.match(nothing.err, /There is no file/);

      const first = run('serve', '--set', 'api.port=0', ...on(`sqlite:${file}`));
      const before = await first.address();
      const running = await copy();
      assert.equal(running.code, 1);
      assert.match(running.err, /Another Pumice server uses the database .* Stop it first/);
      const made = await Promise.all(
        Array.from({ length: MANY }, () => ask(before, 'POST', '/volumes', { volume: { size: 1 } })),
      );
      first.signal('SIGKILL');
      await first.ended();

      const copied = await copy();
      assert.equal(copied.code, 0, copied.err);
      assert.match(copied.out, new RegExp(`^ +${MANY} {2}volume$`, 'm'));
      const again = await copy();
      assert.equal(again.code, 1);
      assert.match(again.err, /The target has rows in volume/);

      const second = run('serve', '--set', 'api.port=0', ...on(there.url));
      const after = await second.address();
      for (const { volume } of made) {
        const status = async () => (await ask(after, 'GET', `/volumes/${volume.id}`)).volume.status;
        while ((await status()) !== 'available') await pause(20);
      }
    });
  });
});
