import assert from 'node:assert/strict';
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { deleteAttachment } from '../../src/commands/attachments/delete-attachment.ts';
import { updateAttachment as connectAttachment } from '../../src/commands/attachments/update-attachment.ts';
import { extendVolume } from '../../src/commands/volumes/extend-volume.ts';
import { updateAttachment } from '../../src/db/attachments.ts';
import { listMessages } from '../../src/db/messages.ts';
import { updateVolume } from '../../src/db/volumes.ts';
import { type Clock, uuid } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { Troubles } from '../../src/lib/troubles.ts';
import { DriverFailed } from '../../src/model/errors.ts';
import { ExportReconciler } from '../../src/upkeep/reconcile-exports.ts';
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
  let [ms, up] = [0, true];
  const clock: Clock = { elapsed: () => ms, pause: async () => {} };
  const troubles = new Troubles({ log: silentLog, clock });
  const keeper = new ExportReconciler(live.desk, { host: HOST, isUp: () => up, log: silentLog, troubles });
  return {
    live,
    volume,
    attachment,
    troubles,
    isExported: () => site.objects().includes(link),
    forget: () => rmSync(site.path(link)),
    passes: (more: number) => {
      ms += more;
    },
    goes: (how: 'up' | 'down') => {
      up = how === 'up';
    },
    /** Flows that were begun. */
    renewals: () => live.events.filter(({ is }) => is === 'flow-started').length,
    messages: () => listMessages(site.database, {}),
    renew: () => keeper.look(signal),
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

  it('leaves alone what another service has opened, until it is connected here', async (context) => {
    const { live, volume, attachment, isExported, forget, renew, renewals, messages } = await attached(context);
    const { database, desk } = live;
    await database.write((tx) => updateAttachment(tx, attachment.id, { takenOver: true }));
    // What there is by its name is not removed, either.
    assert.deepEqual(await renew(), { made: [], removed: [] });
    assert.ok(isExported());
    forget();
    for (let round = 0; round < 20; round++) assert.deepEqual(await renew(), { made: [], removed: [] });
    assert.equal(renewals(), 0);
    assert.deepEqual(await messages(), []);
    const connector = attachment.connector ?? {};
    const answer = await connectAttachment(desk, caller, attachment.id, { connector, mode: null });
    assert.partialDeepStrictEqual(answer, { takenOver: false, attachStatus: 'attached' });
    assert.ok(isExported());
    forget();
    assert.deepEqual(await renew(), { made: [attachment.id], removed: [] });
    await live.settledVolume(volume);
    assert.ok(isExported());
  });

  it('detaches what another service has opened', async (context) => {
    const { live, volume, attachment, forget } = await attached(context);
    await live.database.write((tx) => updateAttachment(tx, attachment.id, { takenOver: true }));
    forget();
    assert.deepEqual(await deleteAttachment(live.desk, caller, attachment.id), []);
    assert.equal((await live.settledVolume(volume)).status, 'available');
    assert.deepEqual(await live.site.leftovers(), []);
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

  describe('that cannot be made', () => {
    it('begins no flow while it pauses, and tells its project once', async (context) => {
      const { live, volume, attachment, forget, renew, passes, renewals, messages } = await attached(context);
      forget();
      live.site.interpose('alpha', 'ensureExport', async () => {
        throw new DriverFailed('Not today.');
      });
      assert.deepEqual((await renew()).made, [attachment.id]);
      await live.settledVolume(volume);
      for (let n = 0; n < 20; n += 1) assert.deepEqual(await renew(), { made: [], removed: [] });
      assert.equal(renewals(), 1);
      for (let n = 0; n < 4; n += 1) {
        passes(60_000);
        await renew();
        await live.settled(`volume:${volume.id}`);
      }
      assert.equal(renewals(), 2);
      await renew();
      assert.deepEqual(
        (await messages()).map(({ eventId, resourceId }) => [eventId, resourceId]),
        [['VOLUME_VOLUME_004_021', volume.id]],
      );
      assert.equal((await live.journal.list({ resource: `volume:${volume.id}` })).length, 1, 'the first tells all');
    });

    it('is made at once when the backend was down and is up again', async (context) => {
      const { live, volume, isExported, forget, renew, goes } = await attached(context);
      forget();
      live.site.interpose('alpha', 'ensureExport', async () => {
        throw new DriverFailed('Not today.');
      });
      await renew();
      await live.settledVolume(volume);
      await renew();
      live.site.interpose('alpha', 'ensureExport', null);
      goes('down');
      await renew();
      goes('up');
      await renew();
      await live.settledVolume(volume);
      assert.ok(isExported());
    });

    it('is made at once when what serves exports has lost another one', async (context) => {
      const { live, volume, attachment, isExported, forget, renew } = await attached(context);
      const other = await givenVolume(live.site, { status: 'in-use', attachStatus: 'attached' });
      const beside = await givenAttachment(live.site, other, { ...CONNECTED, attachStatus: 'attached' });
      forget();
      live.site.interpose('alpha', 'ensureExport', async () => {
        throw new DriverFailed('Not today.');
      });
      await renew();
      await live.settledVolume(volume);
      assert.deepEqual((await renew()).made, []);
      live.site.interpose('alpha', 'ensureExport', null);
      rmSync(live.site.path(`alpha/.export-${beside.id}`));
      assert.deepEqual((await renew()).made.toSorted(), [attachment.id, beside.id].toSorted());
      await live.settledVolume(volume);
      await live.settledVolume(other);
      assert.ok(isExported());
    });

    it('is not tried when its volume is not there, and is made when it is back', async (context) => {
      const { live, volume, isExported, forget, renew, passes, renewals, messages } = await attached(context);
      const file = live.site.path(`alpha/volume-${volume.id}`);
      renameSync(file, `${file}.away`);
      forget();
      for (let n = 0; n < 20; n += 1) {
        await renew();
        passes(60_000);
      }
      assert.deepEqual([renewals(), (await messages()).length], [0, 1]);
      renameSync(`${file}.away`, file);
      await renew();
      await live.settledVolume(volume);
      assert.ok(isExported());
    });

    it('for its connector is tried again when the attachment is another one', async (context) => {
      const { live, volume, attachment, isExported, forget, renew, passes, renewals, messages } =
        await attached(context);
      const { connector } = attachment;
      await live.database.write((tx) => updateAttachment(tx, attachment.id, { connector: { host: 'elsewhere' } }));
      forget();
      for (let n = 0; n < 20; n += 1) {
        await renew();
        await live.settled(`volume:${volume.id}`);
        passes(60_000);
      }
      assert.equal(renewals(), 1);
      assert.deepEqual(
        (await messages()).map(({ eventId }) => eventId),
        ['VOLUME_VOLUME_004_114'],
      );
      await live.database.write((tx) => updateAttachment(tx, attachment.id, { connector }));
      await renew();
      await live.settledVolume(volume);
      assert.ok(isExported());
    });

    it('is in trouble no more when it is detached', async (context) => {
      const { live, volume, attachment, forget, renew, troubles } = await attached(context);
      rmSync(live.site.path(`alpha/volume-${volume.id}`));
      forget();
      await renew();
      assert.ok(troubles.find('exports', `attachment:${attachment.id}`));
      await deleteAttachment(live.desk, caller, attachment.id);
      await renew();
      assert.equal(troubles.find('exports', `attachment:${attachment.id}`), undefined);
    });
  });

  it('makes those that are missing though one that nobody knows cannot be removed', async (context) => {
    const { live, volume, isExported, forget, renew } = await attached(context);
    symlinkSync('volume', live.site.path(`alpha/.export-${uuid()}`));
    live.site.interpose('alpha', 'removeExport', async () => {
      throw new DriverFailed('Not today.');
    });
    forget();
    await renew();
    await live.settledVolume(volume);
    assert.ok(isExported());
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
