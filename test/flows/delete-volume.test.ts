import assert from 'node:assert/strict';
import { deleteVolume as command } from '../../src/commands/delete-volume.ts';
import { findSnapshots } from '../../src/db/snapshots.ts';
import { findVolume } from '../../src/db/volumes.ts';
import { deleteVolume } from '../../src/flows/delete-volume.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import type { VolumeStatus } from '../../src/model/status.ts';
import { proveFlow } from '../prove-flow.ts';
import { givenSnapshot, givenVolume } from './given.ts';
import { caller, type Site } from './site.ts';
import { onSite, provesEveryTask, proveVariant } from './site-proof.ts';

/** Two volumes, one of which is deleted: the other stays as it is, whatever happens. */
const deleted = ({ status, snapshots: count }: { readonly status: VolumeStatus; readonly snapshots: number }) =>
  onSite(async (site: Site) => {
    const volume = await givenVolume(site, { status });
    const other = await givenVolume(site);
    const snapshots: Snapshot[] = [];
    for (let made = 0; made < count; made += 1) snapshots.push(await givenSnapshot(site, volume));
    const { read } = site.database;
    const left = () =>
      findSnapshots(
        read,
        snapshots.map(({ id }) => id),
      );
    const starts = ['volume.delete.start', ...snapshots.map(() => 'snapshot.delete.start')];
    return {
      begin: (desk) => command(desk, caller, volume.id, { cascade: count > 0, force: false }),
      done: async () => {
        assert.equal(await findVolume(read, volume.id), undefined);
        assert.deepEqual(await left(), []);
        assert.deepEqual(site.objects(), [`alpha/volume-${other.id}`]);
        assert.deepEqual(await site.events(), [
          ...starts,
          ...snapshots.map(() => 'snapshot.delete.end'),
          'volume.delete.end',
        ]);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const destroyed =
          /delete_.*on_backend|forget_snapshots|on_finish/.test(failure?.task ?? '') && !failure?.before;
        const now = await findVolume(read, volume.id);
        assert.equal(now?.status, destroyed ? 'error_deleting' : status);
        assert.equal(now?.terminatedAt, null);
        const remaining = await left();
        for (const snapshot of remaining) assert.equal(snapshot.status, destroyed ? 'error_deleting' : 'available');
        if (!destroyed) assert.equal(site.objects().length, 2 + remaining.length);
        assert.ok(!(await site.events()).includes('volume.delete.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

proveFlow('delete_volume', deleteVolume, deleted({ status: 'available', snapshots: 0 }));
proveVariant('delete_volume with its snapshots', deleteVolume, deleted({ status: 'error', snapshots: 2 }));
provesEveryTask(deleteVolume);
