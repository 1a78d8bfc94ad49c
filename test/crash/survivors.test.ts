/**
 * A copying program outlives the service that started it: SIGKILL ends the one and not the other. What it writes when the next
 * service is long at work must reach nothing but a file that means nothing.
 */
import assert from 'node:assert/strict';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { freePort } from '../free-port.ts';
import { temporaries } from './backends.ts';
import { Child, survivors } from './child.ts';
import { condition } from './condition.ts';
import { faultOfContent, GIB, writeContent } from './content.ts';
import { Door } from './door.ts';
import { makeSite, NODE, type Site } from './site.ts';

const PROJECT = '0123456789abcdef0123456789abcdef';
const PATIENCE_MS = 30_000;

/** One service on SQLite with one backend. */
async function place(context: TestContext) {
  const site = await makeSite('sqlite', ['file']);
  if ('missing' in site) throw new Error(site.missing);
  const port = await freePort();
  const config = await site.configure('one', { port, backends: ['file'], node: NODE, glanceUrl: undefined });
  const run = (): Child => new Child({ site, name: 'one', config, port, fault: undefined });
  const world = { site, directory: site.backends[0]?.directory ?? '', child: run() };
  context.after(async () => {
    await world.child.kill();
    await site.remove();
  });
  await world.child.ready();
  const door = new Door(() => world.child.url);
  return Object.assign(world, {
    restart: async () => {
      world.child = run();
      await world.child.ready();
    },
    make: async (path: string, body: object): Promise<string> => {
      const answer = await door.ask(PROJECT, { method: 'POST', path, body });
      assert.equal(answer?.status, 202);
      return answer?.body.volume.id;
    },
    becomes: (id: string, status: string) =>
      condition(`${id} is ${status}`, PATIENCE_MS, async () => {
        const answer = await door.ask(PROJECT, { method: 'GET', path: `/volumes/${id}` });
        return answer?.body?.volume?.status === status;
      }),
  });
}

/** From now on `qemu-img` waits, before it opens anything, for a file that is called `go`. */
async function holdCopies(site: Site): Promise<{ letNewOnesPass(): Promise<void>; letAllPass(): Promise<void> }> {
  const [hold, go] = [join(site.directory, 'hold'), join(site.directory, 'go')];
  await writeFile(hold, '');
  const script = `#!/bin/sh\nif [ -e ${hold} ]; then until [ -e ${go} ]; do sleep 0.05; done; fi\nexec /usr/bin/qemu-img "$@"\n`;
  await writeFile(join(site.programs, 'qemu-img'), script);
  return { letNewOnesPass: () => rm(hold), letAllPass: () => writeFile(go, '') };
}

describe('a copy that outlives its killed service', () => {
  it('writes to no volume, and leaves nothing', async (context) => {
    const world = await place(context);
    const { site, directory } = world;
    await writeContent(join(directory, 'brought'), 'brought', GIB);
    const ref = { 'source-name': 'brought' };
    const source = await world.make('/manageable_volumes', { volume: { host: `${NODE}@file#file`, ref } });
    await world.becomes(source, 'available');

    const copies = await holdCopies(site);
    const clone = await world.make('/volumes', { volume: { source_volid: source, size: 1 } });
    const copying = async (): Promise<boolean> =>
      (await survivors(directory)).some((line) => /\bqemu-img\b/.test(line));
    await condition('it is being copied', PATIENCE_MS, copying);
    await world.child.kill();
    assert.equal(await copying(), true, 'the copy has outlived its service');

    await copies.letNewOnesPass();
    await world.restart();
    await world.becomes(clone, 'available');
    const path = join(directory, `volume-${clone}`);
    const before = await stat(path);
    assert.equal(await copying(), true, 'it still waits');

    await copies.letAllPass();
    await condition('the old copy ends', PATIENCE_MS, async () => !(await copying()));
    const { ino, mtimeMs, ctimeMs } = await stat(path);
    assert.deepEqual({ ino, mtimeMs, ctimeMs }, { ino: before.ino, mtimeMs: before.mtimeMs, ctimeMs: before.ctimeMs });
    assert.equal(await faultOfContent(path, 'brought'), null);
    assert.deepEqual(await temporaries(site), [], 'it has made nothing');
    const files = (await readdir(directory)).filter((name) => !name.startsWith('.'));
    assert.deepEqual(files.sort(), [`volume-${clone}`, `volume-${source}`].sort());
  });
});
