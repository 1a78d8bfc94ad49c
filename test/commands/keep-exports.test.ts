import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { deleteAttachment } from '../../src/commands/delete-attachment.ts';
import { extendVolume } from '../../src/commands/extend-volume.ts';
import { renewExports } from '../../src/commands/keep-exports.ts';
import { updateAttachment } from '../../src/db/attachments.ts';
import { updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import { CONNECTED, givenAttachment, givenVolume } from '../flows/given.ts';
import { liveSite } from '../flows/live-site.ts';
import { caller } from '../flows/site.ts';

const HOST = 'node@alpha';
const { signal } = new AbortController();

async function attached(context: TestContext, { running = true } = {}) {
  const live = await liveSite(context, { running });
  const { site } = live;
  const volume = await givenVolume(site, { status: 'in-use', attachStatus: 'attached' });
  const attachment = await givenAttachment(site, volume, { ...CONNECTED, attachStatus: 'attached' });
  const link = `alpha/.export-${attachment.id}`;
  return {
    live,
    volume,
    attachment,
    isExported: () => site.objects().includes(link),
    forget: () => rmSync(site.path(link)),
    renew: () => renewExports(live.desk, HOST, signal),
  };
}

describe('keeping exports', () => {
  it('makes those again that whatever served them has forgotten', async (context) => {
    const { live, volume, attachment, isExported, forget, renew } = await attached(context);
    assert.deepEqual(await renew(), { made: [], removed: [] });
    forget();
    assert.deepEqual(await renew(), { made: [attachment.id], removed: [] });
    const after = await live.settledVolume(volume);
    assert.ok(isExported());
    assert.equal(after.status, 'in-use');
    assert.deepEqual(await live.site.events(), []);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('makes them again whatever else is done to the volume', async (context) => {
    const { live, volume, isExported, forget, renew } = await attached(context);
    await live.database.write((tx) => updateVolume(tx, volume.id, { status: 'error_extending' }));
    forget();
    await renew();
    assert.equal((await live.settledVolume(volume)).status, 'error_extending');
    assert.ok(isExported());
  });

  it('leaves to its flow what one is at work on', async (context) => {
    const { forget, renew } = await attached(context, { running: false });
    forget();
    assert.equal((await renew()).made.length, 1);
    assert.deepEqual(await renew(), { made: [], removed: [] });
  });

  it('is waited for by who detaches meanwhile', async (context) => {
    const { live, volume, attachment, isExported, forget, renew } = await attached(context);
    forget();
    let detached: Promise<unknown> | undefined;
    live.site.interpose('alpha', 'ensureExport', async (proceed) => {
      live.site.interpose('alpha', 'ensureExport', null);
      detached = deleteAttachment(live.desk, caller, attachment.id);
      detached.catch(() => {});
      await live.heard(({ is }) => is === 'flow-started');
      return proceed();
    });
    await renew();
    await live.settledVolume(volume);
    assert.deepEqual(await detached, []);
    assert.ok(!isExported());
    assert.equal((await live.settledVolume(volume)).status, 'available');
  });

  it('waits, when it is removed, until the volume is extended', async (context) => {
    const { live, volume, attachment, isExported } = await attached(context);
    let detached: Promise<unknown> | undefined;
    live.site.interpose('alpha', 'extendVolume', async (proceed) => {
      detached = deleteAttachment(live.desk, caller, attachment.id);
      detached.catch(() => {});
      await live.database.read.selectFrom('hold').selectAll().execute();
      return proceed();
    });
    await extendVolume(live.desk, caller, volume.id, 2, { inUseAllowed: true });
    await live.settledVolume(volume);
    assert.deepEqual(await detached, []);
    assert.ok(!isExported());
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'available', sizeGiB: 2 });
  });

  it('does not make again what is to go', async (context) => {
    const { live, attachment, isExported, forget, renew } = await attached(context);
    await live.database.write((tx) => updateAttachment(tx, attachment.id, { connectionInfo: null }));
    assert.deepEqual(await renew(), { made: [], removed: [] });
    assert.ok(isExported());
    forget();
    assert.deepEqual(await renew(), { made: [], removed: [] });
    assert.ok(!isExported());
  });

  it('removes what no attachment knows', async (context) => {
    const { live, isExported, renew } = await attached(context);
    const unknown = uuid();
    const link = `alpha/.export-${unknown}`;
    symlinkSync('volume', live.site.path(link));
    assert.deepEqual(await renew(), { made: [], removed: [unknown] });
    assert.ok(!live.site.objects().includes(link));
    assert.ok(isExported());
  });
});
