import assert from 'node:assert/strict';
import { unmanageSnapshot as command } from '../../../src/commands/snapshots/unmanage-snapshot.ts';
import { findSnapshot } from '../../../src/db/snapshots.ts';
import { unmanageSnapshot } from '../../../src/flows/snapshots/unmanage-snapshot.ts';
import { snapshotRefOf } from '../../../src/model/snapshot.ts';
import { calm } from '../../drivers/driver-world.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenSnapshot, givenVolume } from '../given.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const given = (name: 'their-shot' | null) =>
  onSite(async (site) => {
    const managedRef = name === null ? null : { 'source-name': name };
    const volume = await givenVolume(site);
    const snapshot = await givenSnapshot(site, volume, { managedRef });
    const ours = `alpha/snapshot-${snapshot.id}`;
    const back = name === null ? ours : `alpha/${name}`;
    const mark = `alpha/.unmanaged-snapshot-${snapshot.id}`;
    const before = site.objects();
    const content = contentOf(snapshot);
    return {
      foreign: ['alpha/their-shot', ours, mark],
      begin: (desk) => command(desk, caller, snapshot.id),
      done: async () => {
        assert.equal(await findSnapshot(site.database.read, snapshot.id), undefined);
        const rest = [`alpha/volume-${volume.id}`, ...(back === ours ? [mark] : [])];
        assert.deepEqual(site.objects(), [...rest, back].sort());
        assert.deepEqual(site.content(back, content.length), content);
        assert.deepEqual(await site.events(), ['snapshot.unmanage.start', 'snapshot.unmanage.end']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const refused = failure?.task === 'unmanage' && failure.name !== 'Cancelled';
        const status = refused ? 'error_unmanaging' : 'available';
        assert.partialDeepStrictEqual(await findSnapshot(site.database.read, snapshot.id), { status, managedRef });
        assert.deepEqual(site.objects(), before);
        assert.deepEqual(site.content(ours, content.length), content);
        assert.ok(!(await site.events()).includes('snapshot.unmanage.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

/** A snapshot that could not be made: its backend never had it. */
const neverThere = onSite(async (site) => {
  const volume = await givenVolume(site);
  const snapshot = await givenSnapshot(site, volume, { status: 'error' });
  await site.tools.driver('node@alpha#alpha').deleteSnapshot(snapshotRefOf(snapshot, volume), calm());
  const objects = [`alpha/volume-${volume.id}`];
  return {
    begin: (desk) => command(desk, caller, snapshot.id),
    done: async () => {
      assert.equal(await findSnapshot(site.database.read, snapshot.id), undefined);
      assert.deepEqual(site.objects(), objects);
    },
    undone: async ([failure]) => {
      const refused = failure?.task === 'unmanage' && failure.name !== 'Cancelled';
      const status = refused ? 'error_unmanaging' : 'error';
      assert.partialDeepStrictEqual(await findSnapshot(site.database.read, snapshot.id), { status });
      assert.deepEqual(site.objects(), objects);
    },
  };
});

proveFlow('unmanage_snapshot of one that was taken over', unmanageSnapshot, given('their-shot'));
proveVariant('unmanage_snapshot of one that was made here', unmanageSnapshot, given(null));
proveVariant('unmanage_snapshot of one that was never there', unmanageSnapshot, neverThere);
provesEveryTask(unmanageSnapshot);
