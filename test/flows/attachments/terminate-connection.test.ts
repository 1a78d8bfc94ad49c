import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beginDisconnection, type Disconnection } from '../../../src/commands/attachments/connect.ts';
import { deleteAttachment } from '../../../src/commands/attachments/delete-attachment.ts';
import type { Desk } from '../../../src/commands/desk.ts';
import { extendVolume } from '../../../src/commands/volumes/extend-volume.ts';
import { attachmentsOf, findAttachment } from '../../../src/db/attachments.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import type { Reset } from '../../../src/flows/attachments/attachments.ts';
import { terminateConnection } from '../../../src/flows/attachments/terminate-connection.ts';
import { DriverFailed } from '../../../src/model/errors.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { CONNECTED, givenAttachment, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const begins =
  (volume: Volume, disconnections: readonly Disconnection[], detaching: boolean, reset?: Reset) => (desk: Desk) =>
    desk.db.write((tx) => beginDisconnection(desk, tx, caller, volume, disconnections, { detaching, reset }));

const IN_USE = { status: 'in-use', attachStatus: 'attached', adminMetadata: { attached_mode: 'rw' } } as const;
const ATTACHED = { ...CONNECTED, attachStatus: 'attached' } as const;

proveFlow(
  'terminate_connection of the last attachment',
  terminateConnection,
  onSite(async (site) => {
    const volume = await givenVolume(site, IN_USE);
    const attachment = await givenAttachment(site, volume, ATTACHED);
    const now = () => getVolume(site.database.read, volume.id);
    const row = () => findAttachment(site.database.read, attachment.id);
    return {
      begin: begins(volume, [{ attachment, ends: true }], true),
      done: async () => {
        assert.ok(!site.objects().includes(`alpha/.export-${attachment.id}`));
        assert.equal(await row(), undefined);
        assert.partialDeepStrictEqual(await now(), { status: 'available', attachStatus: 'detached' });
        assert.deepEqual((await now()).adminMetadata, {});
        assert.deepEqual(await site.events(), ['volume.detach.start', 'volume.detach.end']);
      },
      // What was to be cut off may still be there: it is for the operator who gave up to say.
      foreign: [`alpha/.export-${attachment.id}`],
      undone: async () => {
        assert.partialDeepStrictEqual(await row(), { attachStatus: 'error_detaching', connectionInfo: null });
        assert.partialDeepStrictEqual(await now(), { status: 'in-use', attachStatus: 'detached' });
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);

proveVariant(
  'terminate_connection of all that reaches a volume, the status of which is reset',
  terminateConnection,
  onSite(async (site) => {
    const volume = await givenVolume(site, { ...IN_USE, status: 'error' });
    const attachment = await givenAttachment(site, volume, ATTACHED);
    const unclaimed = await givenAttachment(site, volume, { ...CONNECTED, attachStatus: 'detached' });
    const all = [attachment, unclaimed];
    const now = () => getVolume(site.database.read, volume.id);
    return {
      begin: begins(
        volume,
        all.map((each) => ({ attachment: each, ends: true })),
        true,
        { status: 'available' },
      ),
      done: async () => {
        assert.deepEqual(
          site.objects().filter((name) => name.includes('.export')),
          [],
        );
        assert.deepEqual(await attachmentsOf(site.database.read, volume.id), []);
        assert.partialDeepStrictEqual(await now(), { status: 'available', attachStatus: 'detached' });
        assert.deepEqual(await site.events(), ['volume.detach.start', 'volume.detach.end', 'volume.reset_status.end']);
      },
      foreign: all.map(({ id }) => `alpha/.export-${id}`),
      undone: async () => {
        assert.partialDeepStrictEqual(await now(), { status: 'error', attachStatus: 'detached' });
        for (const { id } of all)
          assert.equal((await findAttachment(site.database.read, id))?.attachStatus, 'error_detaching');
      },
    };
  }),
);

proveVariant(
  'terminate_connection of a connection, the attachment of which stays',
  terminateConnection,
  onSite(async (site) => {
    const volume = await givenVolume(site, IN_USE);
    const attachment = await givenAttachment(site, volume, ATTACHED);
    const unclaimed = await givenAttachment(site, volume, { ...CONNECTED, attachStatus: 'detached' });
    const disconnections = [
      { attachment, ends: false },
      { attachment: unclaimed, ends: true },
    ];
    return {
      begin: begins(volume, disconnections, false),
      done: async () => {
        const rows = await attachmentsOf(site.database.read, volume.id);
        assert.deepEqual(
          rows.map(({ id, attachStatus, connector }) => ({ id, attachStatus, connector })),
          [{ id: attachment.id, attachStatus: 'attached', connector: null }],
        );
        assert.partialDeepStrictEqual(await getVolume(site.database.read, volume.id), IN_USE);
        assert.deepEqual(await site.events(), []);
      },
      foreign: disconnections.map(({ attachment: { id } }) => `alpha/.export-${id}`),
      undone: async () => {
        assert.partialDeepStrictEqual(await getVolume(site.database.read, volume.id), IN_USE);
        assert.equal((await attachmentsOf(site.database.read, volume.id)).length, 2);
      },
    };
  }),
);

provesEveryTask(terminateConnection);

describe('terminate_connection', () => {
  it('and every other event of a volume tell to whom it is attached, and not how it is reached', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site, IN_USE);
    const attachment = await givenAttachment(live.site, volume, { ...ATTACHED, mountpoint: '/dev/vdb' });
    await extendVolume(live.desk, caller, volume.id, 2, { inUseAllowed: true });
    await live.settledVolume(volume);
    await deleteAttachment(live.desk, caller, attachment.id);
    const rows = await live.database.read
      .selectFrom('outbox')
      .select(['event_type', 'payload'])
      .orderBy('seq')
      .execute();
    assert.deepEqual(
      rows.map(({ event_type, payload }) => [event_type, JSON.parse(payload).volume_attachment]),
      [
        ['volume.resize.start', [told('attached')]],
        ['volume.resize.end', [told('attached')]],
        ['volume.detach.start', [told('detaching')]],
        ['volume.detach.end', []],
      ],
    );
    function told(attach_status: string) {
      const { id, attachedHost: attached_host } = attachment;
      const facts = { id, volume_id: volume.id, instance_uuid: null, attached_host, mountpoint: '/dev/vdb' };
      return { ...facts, attach_mode: 'rw', attach_status };
    }
  });

  it('says that the volume is free only when nobody reaches it, however often the backend fails', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site, IN_USE);
    const attachment = await givenAttachment(live.site, volume, ATTACHED);
    let failures = 0;
    live.site.interpose('alpha', 'removeExport', async (proceed) => {
      const { status } = await getVolume(live.database.read, volume.id);
      assert.equal(status, 'in-use');
      failures += 1;
      if (failures < 3) throw new DriverFailed('Not now.');
      return proceed();
    });
    assert.deepEqual(await deleteAttachment(live.desk, caller, attachment.id), []);
    assert.equal(failures, 3);
    assert.partialDeepStrictEqual(await getVolume(live.database.read, volume.id), { status: 'available' });
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
