import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { beginConnection } from '../../../src/commands/attachments/connect.ts';
import { createAttachment } from '../../../src/commands/attachments/create-attachment.ts';
import { initializeConnection as initialize } from '../../../src/commands/attachments/initialize-connection.ts';
import { updateAttachment } from '../../../src/commands/attachments/update-attachment.ts';
import type { Desk } from '../../../src/commands/desk.ts';
import { attachmentsOf, findAttachment, getAttachment } from '../../../src/db/attachments.ts';
import { insertQosSpecs } from '../../../src/db/qos-specs.ts';
import { updateVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import type { ExportRef } from '../../../src/drivers/driver.ts';
import {
  type InitializeConnection,
  initializeConnection,
} from '../../../src/flows/attachments/initialize-connection.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Attachment, NewAttachment } from '../../../src/model/attachment.ts';
import { DriverFailed, InvalidConnector, OperationFailed } from '../../../src/model/errors.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { CONNECTED, givenAttachment, givenVolume, HERE } from '../given.ts';
import { refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

type How = Pick<InitializeConnection, 'attaching' | 'failed'>;

const begins = (volume: Volume, attachment: Attachment, how: How) => (desk: Desk) =>
  desk.db.write((tx) => beginConnection(desk, tx, caller, volume, attachment, how));

async function prepared(site: Site, given: Partial<NewAttachment>, status: Volume['status'] = 'reserved') {
  const volume = await givenVolume(site, { status });
  const attachment = await givenAttachment(site, volume, given);
  return {
    volume,
    attachment,
    now: async () => ({ ...(await getVolume(site.database.read, volume.id)) }),
    row: () => findAttachment(site.database.read, attachment.id),
    link: `alpha/.export-${attachment.id}`,
  };
}

proveFlow(
  'initialize_connection of an attachment',
  initializeConnection,
  onSite(async (site) => {
    const { volume, attachment, now, row, link } = await prepared(site, { connector: HERE });
    return {
      begin: begins(volume, attachment, { attaching: true, failed: 'error' }),
      done: async () => {
        assert.ok(site.objects().includes(link));
        const found = await row();
        assert.partialDeepStrictEqual(found, { attachStatus: 'attaching', attachedHost: HERE.host });
        assert.partialDeepStrictEqual(found?.connectionInfo, {
          driver_volume_type: 'local',
          data: { device_path: site.path(link), access_mode: 'rw', encrypted: false },
        });
        assert.equal((await now()).status, 'attaching');
        assert.deepEqual(await site.events(), ['volume.attach.start']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        const after = { attachStatus: 'error_attaching', connector: null, connectionInfo: null } as const;
        assert.partialDeepStrictEqual(await row(), after);
        assert.equal((await now()).status, 'reserved');
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);

proveVariant(
  'initialize_connection that made its attachment',
  initializeConnection,
  onSite(async (site) => {
    const { volume, attachment, now, row, link } = await prepared(
      site,
      { connector: HERE, attachStatus: 'detached' },
      'available',
    );
    return {
      begin: begins(volume, attachment, { attaching: false, failed: 'gone' }),
      done: async () => {
        assert.ok(site.objects().includes(link));
        assert.partialDeepStrictEqual(await row(), { attachStatus: 'detached' });
        assert.equal((await now()).status, 'available');
        assert.deepEqual(await site.events(), []);
      },
      undone: async () => {
        assert.equal(await row(), undefined);
        assert.equal((await now()).status, 'available');
      },
    };
  }),
);

proveVariant(
  'initialize_connection of what is connected already',
  initializeConnection,
  onSite(async (site) => {
    const given = { ...CONNECTED, attachStatus: 'attached' } as const;
    const { volume, attachment, now, row, link } = await prepared(site, given, 'in-use');
    return {
      begin: begins(volume, attachment, { attaching: false, failed: 'unchanged' }),
      done: async () => {
        assert.ok(site.objects().includes(link));
        assert.equal((await now()).status, 'in-use');
      },
      undone: async () => {
        assert.ok(site.objects().includes(link));
        assert.partialDeepStrictEqual(await row(), given);
        assert.deepEqual(await site.messages(), []);
      },
    };
  }),
);

proveVariant(
  'initialize_connection of what another service has opened',
  initializeConnection,
  onSite(async (site) => {
    const given = { ...CONNECTED, attachStatus: 'attached', takenOver: true } as const;
    const { volume, attachment, row, link } = await prepared(site, given, 'in-use');
    rmSync(site.path(link));
    return {
      begin: begins(volume, attachment, { attaching: false, failed: 'taken_over' }),
      done: async () => {
        assert.ok(site.objects().includes(link));
        assert.partialDeepStrictEqual(await row(), { takenOver: false, attachStatus: 'attached' });
      },
      undone: async () => {
        assert.ok(!site.objects().includes(link));
        assert.partialDeepStrictEqual(await row(), given);
        assert.deepEqual(await site.messages(), []);
      },
    };
  }),
);

provesEveryTask(initializeConnection);

const demand = (): void => undefined;

describe('initialize_connection', () => {
  it('journals no secret, and tells none', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const request = { volumeId: volume.id, instanceId: null, connector: HERE, mode: null, demand };
    const { id } = await createAttachment(live.desk, caller, request);
    const { secret } = await getAttachment(live.database.read, id);
    const written = await Promise.all(
      (['flow', 'flow_step', 'outbox', 'message'] as const).map((table) =>
        live.database.read.selectFrom(table).selectAll().execute(),
      ),
    );
    assert.ok(JSON.stringify(written).includes(id));
    assert.ok(!JSON.stringify([written, live.events]).includes(secret));
  });

  it('tells what the type of the volume asks of the host, and the backend what it asks of that', async (context) => {
    const live = await liveSite(context);
    const { volumeTypeId } = await givenVolume(live.site);
    const request = { volumeId: '', instanceId: null, connector: HERE, mode: 'ro', demand } as const;
    const told = async (consumer: 'front-end' | 'back-end') => {
      await live.database.write(async (tx) => {
        const qos = await insertQosSpecs(tx, { id: uuid(), name: consumer, consumer, specs: { total_iops_sec: '9' } });
        const extraSpecs = { cacheable: '<is> True' };
        await updateVolumeType(tx, volumeTypeId, { qosSpecsId: qos.id, extraSpecs });
      });
      const volumeId = (await givenVolume(live.site)).id;
      return (await createAttachment(live.desk, caller, { ...request, volumeId })).connectionInfo?.data;
    };
    const limits: unknown[] = [];
    live.site.interpose('alpha', 'ensureExport', async (proceed, [wanted]) => {
      limits.push(await (wanted as ExportRef).limits?.());
      return proceed();
    });
    const qos_specs = { total_iops_sec: '9' };
    assert.partialDeepStrictEqual(await told('front-end'), { qos_specs, cacheable: true, access_mode: 'ro' });
    assert.partialDeepStrictEqual(await told('back-end'), { qos_specs: null });
    assert.deepEqual(limits, [{}, { total_iops_sec: '9' }]);
  });

  it('that the backend refuses leaves no attachment of a request that was to make one', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    live.site.interpose('alpha', 'ensureExport', refuses(new DriverFailed('No.')));
    const request = { volumeId: volume.id, instanceId: null, connector: HERE, mode: null, demand };
    await assert.rejects(createAttachment(live.desk, caller, request), OperationFailed);
    assert.deepEqual(await attachmentsOf(live.database.read, volume.id), []);
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_004_021']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('of a machine that cannot be connected says what is wrong with it', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const elsewhere = { host: 'elsewhere' };
    await assert.rejects(initialize(live.desk, caller, volume.id, elsewhere), InvalidConnector);
    const reserved = await createAttachment(live.desk, caller, {
      volumeId: volume.id,
      instanceId: null,
      connector: null,
      mode: null,
      demand,
    });
    const request = { connector: elsewhere, mode: null };
    await assert.rejects(updateAttachment(live.desk, caller, reserved.id, request), InvalidConnector);
    const after = await getAttachment(live.database.read, reserved.id);
    assert.partialDeepStrictEqual(after, { attachStatus: 'error_attaching', connector: null });
    const again = await updateAttachment(live.desk, caller, reserved.id, { connector: HERE, mode: null });
    assert.equal(again.attachStatus, 'attaching');
  });

  it('keeps where the machine shows the volume, as the connector says, until it says otherwise', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const request = { volumeId: volume.id, instanceId: null, mode: null, demand };
    const { id, mountpoint } = await createAttachment(live.desk, caller, {
      ...request,
      connector: { ...HERE, mountpoint: '/dev/vdb' },
    });
    const again = async (given: object) =>
      (await updateAttachment(live.desk, caller, id, { connector: { ...HERE, ...given }, mode: null })).mountpoint;
    assert.deepEqual(
      [mountpoint, await again({}), await again({ mountpoint: '/dev/vdc' }), await again({ mountpoint: 7 })],
      ['/dev/vdb', '/dev/vdb', '/dev/vdc', '/dev/vdc'],
    );
  });
});
