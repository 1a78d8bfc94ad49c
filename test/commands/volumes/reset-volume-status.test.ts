/** What `os-reset_status` leaves: rows, exports and status that agree, whatever was attached and whatever was said. */
import assert from 'node:assert/strict';
import { attachVolume } from '../../../src/commands/attachments/attach-volume.ts';
import { createAttachment } from '../../../src/commands/attachments/create-attachment.ts';
import { deleteAttachment } from '../../../src/commands/attachments/delete-attachment.ts';
import { reserveVolume } from '../../../src/commands/attachments/volume-reservation.ts';
import { volumeFor } from '../../../src/commands/find.ts';
import { lockVolume } from '../../../src/commands/lock.ts';
import { resetSnapshotStatus } from '../../../src/commands/snapshots/reset-snapshot-status.ts';
import { createTransfer } from '../../../src/commands/transfers/create-transfer.ts';
import { whileUnheld } from '../../../src/commands/unheld.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { extendVolume } from '../../../src/commands/volumes/extend-volume.ts';
import { type ResetVolumeStatus, resetVolumeStatus } from '../../../src/commands/volumes/reset-volume-status.ts';
import { attachmentsOf } from '../../../src/db/attachments.ts';
import { listTransfers } from '../../../src/db/transfers.ts';
import { findVolume, getVolume, updateVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { NewAttachment } from '../../../src/model/attachment.ts';
import { VOLUME_RESET_STATUSES, type VolumeStatus } from '../../../src/model/status.ts';
import type { Volume, VolumePatch } from '../../../src/model/volume.ts';
import { CONNECTED, givenAttachment, givenSnapshot, givenVolume, HERE } from '../../flows/given.ts';
import { type LiveSite, liveSiteOn } from '../../flows/live-site.ts';
import { caller } from '../../flows/site.ts';
import { proveStore, type StoreWorld } from '../../prove-store.ts';

const SERVER = uuid();

interface Held {
  readonly volume: VolumePatch & Pick<Volume, 'status'>;
  readonly attachments: readonly Partial<NewAttachment>[];
}

/** Everything that an administrator can say of the two. */
const RESETS: readonly ResetVolumeStatus[] = [undefined, ...VOLUME_RESET_STATUSES]
  .flatMap((status) =>
    ([undefined, 'attached', 'detached'] as const).map((attachStatus) => ({
      ...(status && { status }),
      ...(attachStatus && { attachStatus }),
    })),
  )
  .filter((request) => Object.keys(request).length > 0);

const ATTACHED = { attachStatus: 'attached', instanceId: SERVER } as const;
const IN_USE = { status: 'in-use', attachStatus: 'attached' } as const;

const HELD: Readonly<Record<string, Held>> = {
  'nobody has': { volume: { status: 'available' }, attachments: [] },
  'a client of the old calls has reserved': { volume: { status: 'attaching' }, attachments: [] },
  'a client has reserved': { volume: { status: 'reserved' }, attachments: [{}] },
  'a client is attaching': {
    volume: { status: 'attaching' },
    attachments: [{ ...CONNECTED, attachStatus: 'attaching' }],
  },
  'a server has': { volume: IN_USE, attachments: [{ ...CONNECTED, ...ATTACHED }] },
  'a server has without an export': { volume: IN_USE, attachments: [ATTACHED] },
  'a server has twice, as it migrates': {
    volume: IN_USE,
    attachments: [
      { ...CONNECTED, ...ATTACHED },
      { ...CONNECTED, instanceId: SERVER, attachStatus: 'attaching' },
    ],
  },
  'somebody is connected to': {
    volume: { status: 'attaching' },
    attachments: [{ ...CONNECTED, attachStatus: 'detached' }],
  },
  'an operator gave up to detach': {
    volume: { status: 'in-use' },
    attachments: [{ ...CONNECTED, attachStatus: 'error_detaching' }],
  },
};

/** Null: the reset is refused. Else what the volume says afterwards. */
function expected(
  { volume, attachments }: Held,
  { status, attachStatus }: Pick<ResetVolumeStatus, 'status' | 'attachStatus'>,
): VolumeStatus | null {
  const detaches = attachStatus === 'detached';
  const attached = attachments.filter((each) => each.attachStatus !== 'detached');
  if (attachStatus === 'attached' && !attached.some((each) => each.attachStatus === 'attached')) return null;
  if (status === 'in-use' && (detaches || attached.length === 0)) return null;
  const free = status === 'available' || status === 'awaiting-transfer';
  if (free && attachments.length > 0 && !detaches) return null;
  return status ?? (detaches ? 'available' : volume.status);
}

async function onLiveSite({ database }: StoreWorld, body: (live: LiveSite) => Promise<void>): Promise<void> {
  const live = await liveSiteOn(database);
  try {
    await body(live);
    assert.deepEqual(await live.site.leftovers(), []);
  } finally {
    await live.close();
  }
}

async function given({ site }: LiveSite, { volume: of, attachments }: Held): Promise<Volume> {
  const volume = await givenVolume(site, of);
  for (const each of attachments) await givenAttachment(site, volume, each);
  return volume;
}

/** A free volume is held again. */
async function hold({ site, database }: LiveSite, volume: Volume, { volume: of, attachments }: Held): Promise<void> {
  await database.write((tx) => updateVolume(tx, volume.id, of));
  for (const each of attachments) await givenAttachment(site, volume, each);
}

const exportsOf = ({ site }: LiveSite): string[] => site.objects().filter((name) => name.includes('.export-'));

/** What there is of a volume, and what is exported for it. */
async function stateOf(live: LiveSite, { id }: Volume) {
  const { read } = live.database;
  const attachments = await attachmentsOf(read, id);
  const exported = attachments.filter((each) => exportsOf(live).includes(`alpha/.export-${each.id}`));
  return { volume: await getVolume(read, id), attachments, exported: exported.map((each) => each.id) };
}

async function eventsOf({ database }: LiveSite, { id }: Volume): Promise<readonly string[]> {
  const rows = await database.read
    .selectFrom('outbox')
    .select('event_type')
    .where('resource', '=', `volume:${id}`)
    .orderBy('seq')
    .execute();
  return rows.map(({ event_type }) => event_type);
}

/** Nothing says what another denies. */
async function agrees(live: LiveSite, given: Volume, what: string): Promise<void> {
  const { volume, attachments, exported } = await stateOf(live, given);
  const attached = attachments.some(({ attachStatus }) => attachStatus === 'attached');
  assert.equal(volume.attachStatus, attached ? 'attached' : 'detached', what);
  assert.deepEqual(
    exported,
    attachments.filter(({ connectionInfo }) => connectionInfo !== null).map(({ id }) => id),
    what,
  );
  if (volume.status === 'available' || volume.status === 'awaiting-transfer') assert.deepEqual(attachments, [], what);
  if (volume.status === 'in-use') assert.notDeepEqual(attachments, [], what);
}

/** Whoever has it, or is connected to it, stays alone; what is free is given to one who asks. */
async function letsInOneAtMost({ desk, database }: LiveSite, { id }: Volume, what: string): Promise<void> {
  const another = { volumeId: id, instanceId: uuid(), connector: HERE, mode: null, demand: () => {} };
  const { status } = await getVolume(database.read, id);
  const taken = (await attachmentsOf(database.read, id)).length > 0;
  if (status === 'available' && !taken) {
    const { id: attachment } = await createAttachment(desk, caller, another);
    await assert.rejects(createAttachment(desk, caller, another), { name: 'InvalidVolume' }, what);
    await deleteAttachment(desk, { ...caller, serviceRoles: ['service'] }, attachment);
    return;
  }
  await assert.rejects(createAttachment(desk, caller, another), { name: 'InvalidVolume' }, what);
  await assert.rejects(reserveVolume(desk, caller, id), { name: 'InvalidVolume' }, what);
  const claim = { instanceId: uuid(), hostName: null, mountpoint: '/dev/vdb', mode: null };
  const connected = (await attachmentsOf(database.read, id)).every((each) => each.attachStatus === 'detached');
  if (taken && !connected) await assert.rejects(attachVolume(desk, caller, id, claim), { name: 'InvalidVolume' }, what);
}

async function tryReset(live: LiveSite, volume: Volume, held: Held, request: ResetVolumeStatus): Promise<void> {
  const { desk } = live;
  const what = JSON.stringify(request);
  await hold(live, volume, held);
  const before = await stateOf(live, volume);
  const told = await eventsOf(live, volume);
  const says = expected(held, request);
  const reset = resetVolumeStatus(desk, caller, volume.id, request);
  if (says === null) {
    await assert.rejects(reset, { name: 'InvalidVolume', status: 400 }, what);
    assert.deepEqual(await stateOf(live, volume), before, what);
    assert.deepEqual(await eventsOf(live, volume), told, what);
  } else {
    await reset;
    const after = await stateOf(live, volume);
    assert.equal(after.volume.status, says, what);
    const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id);
    assert.deepEqual(ids(after.attachments), request.attachStatus === 'detached' ? [] : ids(before.attachments), what);
    const events = (await eventsOf(live, volume)).slice(told.length);
    assert.equal(events[0], 'volume.reset_status.start', what);
    assert.equal(events.at(-1), 'volume.reset_status.end', what);
  }
  await agrees(live, volume, what);
  await letsInOneAtMost(live, volume, what);

  await resetVolumeStatus(desk, caller, volume.id, { status: 'available', attachStatus: 'detached' });
  await agrees(live, volume, what);
  const { updatedAt, revision, ...now } = await getVolume(live.database.read, volume.id);
  // As it was before anybody had it: so it can be deleted.
  assert.deepEqual({ ...now, updatedAt: volume.updatedAt, revision: volume.revision }, volume, what);
}

proveStore('a reset of a volume', (test) => {
  for (const [whose, held] of Object.entries(HELD)) {
    test(`that ${whose} leaves rows, exports and status that agree, whatever it says`, async (world) => {
      await onLiveSite(world, async (live) => {
        const volume = await givenVolume(live.site);
        for (const request of RESETS) await tryReset(live, volume, held, request);
        await deleteVolume(live.desk, caller, volume.id, { cascade: false, force: false });
        await live.settled(`volume:${volume.id}`);
        assert.equal(await findVolume(live.database.read, volume.id), undefined);
      });
    });
  }

  test('that says nothing but how it migrates leaves the rest as it was', async (world) => {
    await onLiveSite(world, async (live) => {
      for (const held of Object.values(HELD)) {
        const volume = await given(live, held);
        const before = await stateOf(live, volume);
        await resetVolumeStatus(live.desk, caller, volume.id, { migrationStatus: 'error' });
        const { volume: after, ...rest } = await stateOf(live, volume);
        const { status, attachStatus } = before.volume;
        assert.partialDeepStrictEqual(after, { status, attachStatus, migrationStatus: 'error' });
        assert.deepEqual(rest, { attachments: before.attachments, exported: before.exported });
      }
    });
  });

  test('that a flow has to itself is refused, and the flow says what it is', async (world) => {
    await onLiveSite(world, async (live) => {
      const { desk, site } = live;
      const volume = await givenVolume(site);
      const snapshot = await givenSnapshot(site, volume);
      let refusals = 0;
      site.interpose('alpha', 'extendVolume', async (proceed) => {
        const held = { name: 'ResourceHeld', status: 400, message: /extend volume.*pumice flows cancel/ };
        for (const request of [{ status: 'error' }, { status: 'available', attachStatus: 'detached' }] as const) {
          await assert.rejects(resetVolumeStatus(desk, caller, volume.id, request), held);
          refusals += 1;
        }
        return proceed();
      });
      await extendVolume(desk, caller, volume.id, 2, { inUseAllowed: false });
      assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'available', sizeGiB: 2 });
      assert.equal(refusals, 2);
      await resetSnapshotStatus(desk, caller, snapshot.id, 'error');
    });
  });

  test('that a flow takes to itself while it is looked at is refused', async (world) => {
    await onLiveSite(world, async (live) => {
      const { desk, site } = live;
      const { id } = await givenVolume(site);
      let refused = (): void => {};
      const over = new Promise<void>((resolve) => {
        refused = resolve;
      });
      site.interpose('alpha', 'extendVolume', async (proceed) => {
        await over;
        return proceed();
      });
      let looks = 0;
      const racing = whileUnheld(
        desk,
        {
          resource: `volume:${id}`,
          find: async (db) => {
            looks += 1;
            const seen = await volumeFor(db, caller, id);
            if (looks > 1) return seen;
            await extendVolume(desk, caller, id, 2, { inUseAllowed: false });
            return seen;
          },
          lock: (tx) => lockVolume(tx, caller, id),
        },
        () => assert.fail('a flow has it'),
      );
      await assert.rejects(racing, { name: 'ResourceHeld' });
      refused();
      assert.equal((await live.settledVolume({ id })).status, 'available');
    });
  });

  test('that is offered takes the offer back', async (world) => {
    await onLiveSite(world, async (live) => {
      const { desk, site, database } = live;
      const { id } = await givenVolume(site);
      await createTransfer(desk, caller, { volumeId: id, name: null, noSnapshots: false, encryptedAllowed: false });
      await resetVolumeStatus(desk, caller, id, { status: 'awaiting-transfer' });
      assert.equal((await listTransfers(database, {})).length, 1);
      await resetVolumeStatus(desk, caller, id, { status: 'error' });
      assert.deepEqual(await listTransfers(database, {}), []);
    });
  });
});
