/** An image is fetched where the flow runs. A flow that goes on elsewhere fetches it there, and what it left is swept. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { DatabaseJournal } from '../../../src/db/journal.ts';
import { processName } from '../../../src/db/sql/ownership.ts';
import type { Tx } from '../../../src/db/sql/tx.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { FLOWS } from '../../../src/flows/registry.ts';
import type { Tools } from '../../../src/flows/tools.ts';
import { downloadName, sweepDownloads } from '../../../src/flows/volumes/sweep-downloads.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { freshSqlite } from '../../databases.ts';
import { volumeRequest } from '../requests.ts';
import { BACKENDS, caller, Site } from '../site.ts';
import { BOOT_SECTOR, diskImages } from '../site-images.ts';

async function freshSite(context: TestContext): Promise<{ site: Site; database: Database }> {
  const fresh = await freshSqlite();
  const database = await openDatabase(fresh.url, { as: 'server' });
  const site = await Site.open(database);
  context.after(async () => {
    await database.close();
    site.close();
    await fresh.remove();
  });
  return { site, database };
}

/** A process that serves all backends, with its own directory for downloads. */
async function life(context: TestContext, { site, database }: { site: Site; database: Database }, directory: string) {
  const engine = new Engine<Tools, Tx>({
    journal: new DatabaseJournal(database),
    tools: { ...site.tools, conversionDirectory: directory },
    flows: FLOWS,
    pollMs: 10,
  });
  await database.ownership.take(processName(engine.process));
  await engine.start(BACKENDS.map((backend) => `host:node@${backend}`));
  const end = async (): Promise<void> => {
    await engine.stop();
    await database.ownership.release(processName(engine.process));
  };
  context.after(end);
  return { engine, end };
}

describe('an image that was fetched', () => {
  it('is fetched again by a process on another host, where it is not', async (context) => {
    const given = await freshSite(context);
    const { site, database } = given;
    const [here, there] = [site.path('conversion'), site.path('elsewhere')];
    mkdirSync(there);
    const image = await site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
    const copying = Promise.withResolvers<void>();
    for (const backend of BACKENDS)
      site.interpose(backend, 'copyImageToVolume', (_proceed, args) => {
        const { signal } = args[2] as { readonly signal: AbortSignal };
        copying.resolve();
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      });
    const first = await life(context, given, here);
    const { id } = await createVolume(
      site.desk(first.engine),
      caller,
      volumeRequest({ imageId: image.id, sizeGiB: 1 }),
    );
    await copying.promise;
    await first.end();

    for (const backend of BACKENDS) site.interpose(backend, 'copyImageToVolume', null);
    renameSync(here, `${here}-of-another-host`);
    const second = await life(context, given, there);
    const [flow] = await new DatabaseJournal(database).list({ resource: `volume:${id}` });
    await second.engine.settled(flow?.id ?? '', AbortSignal.timeout(20_000));

    const volume = await getVolume(database.read, id);
    assert.equal(volume.status, 'available');
    const content = site.content(Site.objectOf('volume', id, volume.host), BOOT_SECTOR.length);
    assert.deepEqual(content, BOOT_SECTOR);
    assert.deepEqual(readdirSync(there), []);
    const left = [downloadName(flow?.id ?? '')];
    assert.deepEqual(readdirSync(`${here}-of-another-host`), left);
    assert.deepEqual(await sweepDownloads(database.read, `${here}-of-another-host`), left);
    assert.deepEqual(readdirSync(`${here}-of-another-host`), []);
  });

  it('is not swept while its flow may come back for it, nor is anything else', async (context) => {
    const { site, database } = await freshSite(context);
    const idle = new Engine<Tools, Tx>({ journal: new DatabaseJournal(database), tools: site.tools, flows: FLOWS });
    await createVolume(site.desk(idle), caller, volumeRequest({ sizeGiB: 1 }));
    const [flow] = await new DatabaseJournal(database).list({ unended: true });
    const [wanted, forgotten] = [downloadName(flow?.id ?? ''), downloadName(uuid())];
    for (const name of [wanted, forgotten, `${forgotten}.unpacked`, 'notes.image'])
      writeFileSync(site.path('conversion', name), '');
    const swept = await sweepDownloads(database.read, site.path('conversion'));
    assert.deepEqual(swept.toSorted(), [forgotten, `${forgotten}.unpacked`]);
    assert.deepEqual(readdirSync(site.path('conversion')).sort(), [wanted, 'notes.image'].sort());
  });
});
