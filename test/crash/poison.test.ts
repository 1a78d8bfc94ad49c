/**
 * One request that kills the service each time the service is at it, among fifty that are in flight: the real program is started
 * again and again, as systemd would, until it stays up.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../free-port.ts';
import { Child } from './child.ts';
import { condition } from './condition.ts';
import { Door } from './door.ts';
import { type Dialect, makeSite, NODE, QUOTA, type Site } from './site.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** The size that `faulty-main.ts` dies of. */
const DEADLY_GIB = 7;
const FLOWS = 50;
/** Asked for last, when the others are at work. */
const CULPRIT = FLOWS - 1;
/** As configuration has it: claims without progress. */
const MAX_CLAIMS = 5;
const PATIENCE_MS = 180_000;

for (const dialect of ['sqlite', 'postgresql'] as const satisfies readonly Dialect[]) {
  describe(`a request that kills the service, on ${dialect}`, () => {
    it('is given up and told; what was in flight beside it is done', async (context) => {
      const site = await makeSite(dialect, ['file']);
      if ('missing' in site) return context.skip(site.missing);
      const port = await freePort();
      const config = await site.configure('one', { port, backends: ['file'], node: NODE, glanceUrl: undefined });
      let child = run(site, config, port);
      context.after(async () => {
        await child.kill();
        await site.remove();
      });
      await child.ready();
      const door = new Door(() => child.url);
      const ask = async (n: number) => {
        const project = projectOf(n);
        const size = n === CULPRIT ? DEADLY_GIB : 1;
        const answer = await door.ask(project, { method: 'POST', path: '/volumes', body: { volume: { size } } });
        assert.equal(answer?.status, 202);
        return { n, project, id: answer.body.volume.id as string };
      };
      const innocents = await Promise.all(Array.from({ length: CULPRIT }, (_, n) => ask(n)));
      const culprit = await ask(CULPRIT);
      const volumes = [...innocents, culprit];

      let deaths = 0;
      const statusOf = async ({ project, id }: (typeof volumes)[number]): Promise<string | undefined> =>
        (await door.ask(project, { method: 'GET', path: `/volumes/${id}` }))?.body?.volume?.status;
      await condition('all have come to rest', PATIENCE_MS, async () => {
        if (!child.alive) {
          deaths += 1;
          assert.ok(deaths <= MAX_CLAIMS + 1, 'it ends');
          child = run(site, config, port);
          // It may die before it listens.
          await child.ready().catch(() => {});
          return false;
        }
        const statuses = await Promise.all(volumes.map(statusOf));
        return statuses.every((status) => status === 'available' || status === 'error');
      });
      assert.equal(deaths, MAX_CLAIMS + 1);
      for (const volume of volumes)
        assert.equal(await statusOf(volume), volume.n === CULPRIT ? 'error' : 'available', `volume ${volume.n}`);

      const { messages } = (await door.ask(culprit.project, { method: 'GET', path: '/messages' }))?.body ?? {};
      assert.deepEqual(
        messages.map((message: Record<string, string>) => [message.resource_uuid, message.event_id]),
        [[culprit.id, 'VOLUME_VOLUME_008_115']],
      );
      const log = (await readFile(join(site.directory, 'one.log'), 'utf8')).split('\n');
      const told = log.filter((line) => line.includes('flow killed its process again and again'));
      assert.equal(told.length, 1);
      assert.match(told[0] ?? '', new RegExp(`volume:${culprit.id}`));
      const [flow] = JSON.parse(
        await pumice('flows', 'list', '--all', '--resource', culprit.id, '--json', '--config', config),
      );
      assert.equal(flow.state, 'reverted');
      assert.match(
        await pumice('flows', 'show', flow.id, '--config', config),
        /Poisonous: Its process died 6 times in a row while it stood at make\/create_volume_from_spec/,
      );
      await pumice('doctor', '--config', config);
    });
  });
}

/** Quota is a project's, and small. */
const projectOf = (n: number): string => `${Math.trunc(n / (QUOTA.volumes - 2))}`.padStart(32, '0');

const run = (site: Site, config: string, port: number): Child =>
  new Child({ site, name: 'one', config, port, fault: 'dies-of-a-size' });

/** Rejects when it ends with another code than 0. */
async function pumice(...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [MAIN, ...args])).stdout;
}
