/** A machine that is gone for good: its backend is served by another under the name that it had (`docs/operations.md`). */
import assert from 'node:assert/strict';
import { mkdir, rename } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { withPumice } from '../cli/pumice-process.ts';
import { freshPostgresql } from '../databases.ts';

const PROJECT = '0123456789abcdef0123456789abcdef';

function client(address: string) {
  return async (method: string, path: string, body?: object) => {
    const headers = { 'content-type': 'application/json', 'x-auth-token': `u:${PROJECT}` };
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${address}/v3/${PROJECT}${path}`, { method, headers, ...given });
    const text = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as any };
  };
}

describe('a backend whose machine is gone for good', () => {
  for (const kept of [true, false])
    it(`is served by another machine ${kept ? 'with its disk, and lacks nothing' : 'as an empty one, so that what was lost can be deleted'}`, async (context) => {
      const database = await freshPostgresql();
      if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`);
      context.after(() => database.remove());
      await withPumice(async ({ directory, run }) => {
        const serve = (node: string, path: string, ...more: readonly string[]) => {
          const backend = ['driver=file', 'create=true', `path=${path}`, ...more].map(
            (each) => `backends.file.${each}`,
          );
          const set = [
            `node_name=${node}`,
            `data_directory=${directory}/${node}`,
            `database.url=${database.url}`,
            'api.port=0',
          ];
          return run('serve', ...[...set, ...backend].flatMap((each) => ['--set', each]));
        };
        const first = serve('one', `${directory}/disk`);
        const ask = client(await first.address());
        const make = async (body: object) => (await ask('POST', '/volumes', { volume: body })).body.volume.id as string;
        const whole = await make({ size: 1 });
        while ((await ask('GET', `/volumes/${whole}`)).body.volume.status !== 'available') await pause(20);
        const underWay = await Promise.all([1, 2, 3].map(() => make({ size: 1, source_volid: whole })));
        first.signal('SIGKILL');
        await first.ended();

        await rename(`${directory}/disk`, `${directory}/moved`);
        if (!kept) await mkdir(`${directory}/empty`);
        const second = serve('two', `${directory}/${kept ? 'moved' : 'empty'}`, 'backend_host=one');
        const again = client(await second.address());
        const statusOf = async (id: string) => (await again('GET', `/volumes/${id}`)).body.volume?.status as string;
        for (const id of underWay) {
          const ends = kept ? ['available'] : ['available', 'error'];
          while (!ends.includes(await statusOf(id))) await pause(20);
        }
        const { volume } = (await again('GET', `/volumes/${whole}`)).body;
        assert.equal(volume['os-vol-host-attr:host'], 'one@file#file');
        for (const id of [...underWay, whole]) {
          assert.equal((await again('DELETE', `/volumes/${id}`)).status, 202);
          while ((await statusOf(id)) !== undefined) await pause(20);
        }
        const { limits } = (await again('GET', '/limits')).body;
        assert.equal(limits.absolute.totalVolumesUsed, 0);
      });
    });
});
