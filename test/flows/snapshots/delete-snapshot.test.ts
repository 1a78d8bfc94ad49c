import assert from 'node:assert/strict';
import { deleteSnapshot as command } from '../../../src/commands/snapshots/delete-snapshot.ts';
import { findSnapshot } from '../../../src/db/snapshots.ts';
import { deleteSnapshot } from '../../../src/flows/snapshots/delete-snapshot.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenSnapshot, givenVolume } from '../given.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

proveFlow(
  'delete_snapshot',
  deleteSnapshot,
  onSite(async (site) => {
    const volume = await givenVolume(site);
    const snapshot = await givenSnapshot(site, volume);
    const other = await givenSnapshot(site, volume);
    const found = () => findSnapshot(site.database.read, snapshot.id);
    return {
      begin: (desk) => command(desk, caller, snapshot.id, { force: false }),
      done: async () => {
        assert.equal(await found(), undefined);
        assert.deepEqual(site.objects(), [`alpha/snapshot-${other.id}`, `alpha/volume-${volume.id}`]);
        assert.deepEqual(await site.events(), ['snapshot.delete.start', 'snapshot.delete.end']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const destroyed = /on_backend|on_finish/.test(failure?.task ?? '') && !failure?.before;
        assert.equal((await found())?.status, destroyed ? 'error_deleting' : 'available');
        if (!destroyed) assert.equal(site.objects().length, 3);
        assert.ok(!(await site.events()).includes('snapshot.delete.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(deleteSnapshot);
