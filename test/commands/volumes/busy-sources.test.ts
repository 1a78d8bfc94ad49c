import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { deleteAttachment } from '../../../src/commands/attachments/delete-attachment.ts';
import { deleteSnapshot } from '../../../src/commands/snapshots/delete-snapshot.ts';
import { unmanageSnapshot } from '../../../src/commands/snapshots/unmanage-snapshot.ts';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { extendVolume } from '../../../src/commands/volumes/extend-volume.ts';
import { resetVolumeStatus } from '../../../src/commands/volumes/reset-volume-status.ts';
import { unmanageVolume } from '../../../src/commands/volumes/unmanage-volume.ts';
import { findSnapshot, getSnapshot } from '../../../src/db/snapshots.ts';
import { findVolume, getVolume } from '../../../src/db/volumes.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { Gate } from '../../engine/gate.ts';
import { CONNECTED, givenAttachment, givenSnapshot, givenVolume } from '../../flows/given.ts';
import { type LiveSite, liveSite } from '../../flows/live-site.ts';
import { volumeRequest } from '../../flows/requests.ts';
import { caller } from '../../flows/site.ts';
import { refused } from '../refused.ts';

/** A volume with a snapshot, each of which is being copied to a new volume until the gate is opened. */
class Busy {
  readonly live: LiveSite;
  readonly volume: Volume;
  readonly snapshot: Snapshot;
  /** A volume without snapshots. */
  readonly plain: Volume;
  readonly copies: readonly Volume[];
  readonly #gates: readonly Gate[];

  constructor(
    live: LiveSite,
    sources: readonly [Volume, Snapshot, Volume],
    copies: readonly Volume[],
    gates: readonly Gate[],
  ) {
    this.live = live;
    [this.volume, this.snapshot, this.plain] = sources;
    this.copies = copies;
    this.#gates = gates;
  }

  static async begin(context: TestContext): Promise<Busy> {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site, { status: 'available' });
    const snapshot = await givenSnapshot(live.site, volume);
    const plain = await givenVolume(live.site, { status: 'available' });
    const gates = [new Gate(), new Gate()] as const;
    for (const [index, method] of (['createVolumeFromSnapshot', 'createClonedVolume'] as const).entries())
      live.site.interpose('alpha', method, async (proceed) => {
        await gates[index]?.passDeaf();
        return proceed();
      });
    const copies = [
      await createVolume(live.desk, caller, volumeRequest({ snapshotId: snapshot.id })),
      await createVolume(live.desk, caller, volumeRequest({ sourceVolumeId: plain.id })),
    ];
    for (const gate of gates) await gate.arrived;
    return new Busy(live, [volume, snapshot, plain], copies, gates);
  }

  /** The copies are done. */
  async end(): Promise<void> {
    for (const gate of this.#gates) gate.open();
    for (const copy of this.copies) assert.equal((await this.live.settledVolume(copy)).status, 'available');
  }
}

const plainly = { cascade: false, force: false };

interface Deed {
  readonly name: string;
  readonly resource: (busy: Busy) => string;
  readonly ask: (busy: Busy) => Promise<void>;
  readonly status: string;
  readonly gone: boolean;
}

const volumeOf = (busy: Busy): string => `volume:${busy.plain.id}`;
const snapshotOf = (busy: Busy): string => `snapshot:${busy.snapshot.id}`;

const DEEDS: readonly Deed[] = [
  {
    name: 'the delete of a volume',
    resource: volumeOf,
    ask: ({ live, plain }) => deleteVolume(live.desk, caller, plain.id, plainly),
    status: 'deleting',
    gone: true,
  },
  {
    name: 'the delete of a volume by force',
    resource: volumeOf,
    ask: ({ live, plain }) => deleteVolume(live.desk, caller, plain.id, { cascade: false, force: true }),
    status: 'deleting',
    gone: true,
  },
  {
    name: 'the delete of a volume with the snapshot that is copied',
    resource: ({ volume }) => `volume:${volume.id}`,
    ask: ({ live, volume }) => deleteVolume(live.desk, caller, volume.id, { cascade: true, force: false }),
    status: 'deleting',
    gone: true,
  },
  {
    name: 'the delete of a snapshot',
    resource: snapshotOf,
    ask: ({ live, snapshot }) => deleteSnapshot(live.desk, caller, snapshot.id, { force: false }),
    status: 'deleting',
    gone: true,
  },
  {
    name: 'the delete of a snapshot by force',
    resource: snapshotOf,
    ask: ({ live, snapshot }) => deleteSnapshot(live.desk, caller, snapshot.id, { force: true }),
    status: 'deleting',
    gone: true,
  },
  {
    name: 'the unmanage of a volume',
    resource: volumeOf,
    ask: ({ live, plain }) => unmanageVolume(live.desk, caller, plain.id),
    status: 'unmanaging',
    gone: true,
  },
  {
    name: 'the unmanage of a snapshot',
    resource: snapshotOf,
    ask: ({ live, snapshot }) => unmanageSnapshot(live.desk, caller, snapshot.id),
    status: 'unmanaging',
    gone: true,
  },
  {
    name: 'the extend of a volume',
    resource: volumeOf,
    ask: ({ live, plain }) => extendVolume(live.desk, caller, plain.id, 3, { inUseAllowed: false }),
    status: 'extending',
    gone: false,
  },
];

async function statusOf({ live }: Busy, resource: string): Promise<string | undefined> {
  const [kind, id = ''] = resource.split(':');
  const { read } = live.database;
  return (kind === 'volume' ? await findVolume(read, id) : await findSnapshot(read, id))?.status;
}

describe('while it is copied', () => {
  for (const { name, resource: resourceOf, ask, status, gone } of DEEDS) {
    it(`${name} is accepted, and done when the copy is done`, async (context) => {
      const busy = await Busy.begin(context);
      const resource = resourceOf(busy);
      await ask(busy);
      assert.equal(await statusOf(busy, resource), status);
      const { id, lane, owner } = await busy.live.flowOf(resource);
      assert.deepEqual([lane, owner], ['holds', null], 'it waits');
      await busy.end();
      assert.equal((await busy.live.settled(resource)).state, 'success');
      assert.equal((await busy.live.journal.find(id))?.state, 'success');
      assert.equal(await statusOf(busy, resource), gone ? undefined : 'available');
      if (status !== 'unmanaging') assert.deepEqual(await busy.live.site.leftovers(), []);
    });

    it(`${name} that is cancelled while it waits leaves all as it was`, async (context) => {
      const busy = await Busy.begin(context);
      const resource = resourceOf(busy);
      await ask(busy);
      const { id } = await busy.live.flowOf(resource);
      assert.equal(await busy.live.engine.wish(id, 'cancel', 'Not any more.'), true);
      assert.equal((await busy.live.settled(resource)).state, 'reverted');
      assert.equal(await statusOf(busy, resource), 'available');
      await busy.end();
      assert.deepEqual(await busy.live.site.leftovers(), []);
    });
  }

  it('a source whose delete waits is copied no more, and cannot be reset', async (context) => {
    const busy = await Busy.begin(context);
    const { live, plain } = busy;
    await deleteVolume(live.desk, caller, plain.id, plainly);
    const copied = () => createVolume(live.desk, caller, volumeRequest({ sourceVolumeId: plain.id }));
    await refused(live, copied, { name: 'InvalidVolume', status: 400 });
    const reset = () => resetVolumeStatus(live.desk, caller, plain.id, { status: 'available' });
    await refused(live, reset, { name: 'ResourceHeld', status: 400, message: /delete volume.*pumice flows cancel/ });
    await busy.end();
    await live.settled(`volume:${plain.id}`);
    assert.equal(await findVolume(live.database.read, plain.id), undefined);
  });

  it('a second delete by force takes the place of the first', async (context) => {
    const busy = await Busy.begin(context);
    const { live, snapshot } = busy;
    await deleteSnapshot(live.desk, caller, snapshot.id, { force: false });
    const first = await live.flowOf(`snapshot:${snapshot.id}`);
    await deleteSnapshot(live.desk, caller, snapshot.id, { force: true });
    assert.equal((await live.journal.find(first.id))?.state, 'reverted');
    assert.equal((await getSnapshot(live.database.read, snapshot.id)).status, 'deleting');
    await busy.end();
    assert.equal((await live.settled(`snapshot:${snapshot.id}`)).state, 'success');
  });

  it('a volume that is detached while its extend waits says afterwards that it is free', async (context) => {
    const live = await liveSite(context);
    const source = await givenVolume(live.site, { status: 'in-use', attachStatus: 'attached' });
    const { id } = await givenAttachment(live.site, source, { attachStatus: 'attached', ...CONNECTED });
    const gate = new Gate();
    live.site.interpose('alpha', 'createClonedVolume', async (proceed) => {
      await gate.passDeaf();
      return proceed();
    });
    await createVolume(live.desk, caller, volumeRequest({ sourceVolumeId: source.id }));
    await gate.arrived;
    await extendVolume(live.desk, caller, source.id, 2, { inUseAllowed: true });
    const extending = await live.flowOf(`volume:${source.id}`);
    await deleteAttachment(live.desk, caller, id);
    assert.partialDeepStrictEqual(await getVolume(live.database.read, source.id), {
      status: 'extending',
      attachStatus: 'detached',
    });
    gate.open();
    assert.equal((await live.engine.settled(extending.id, AbortSignal.timeout(60_000))).state, 'success');
    assert.partialDeepStrictEqual(await getVolume(live.database.read, source.id), {
      status: 'available',
      attachStatus: 'detached',
      previousStatus: null,
      sizeGiB: 2,
    });
  });
});
