import assert from 'node:assert/strict';
import { unmanageVolume as command } from '../../../src/commands/volumes/unmanage-volume.ts';
import { allBases } from '../../../src/db/backup-bases.ts';
import { findVolume } from '../../../src/db/volumes.ts';
import { unmanageVolume } from '../../../src/flows/volumes/unmanage-volume.ts';
import { refOf } from '../../../src/model/volume.ts';
import { calm } from '../../drivers/driver-world.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenBase, givenVolume } from '../given.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

/** A volume that is given back under `name`, its old one; when it has none, or that is taken, it keeps ours. */
const given = (name: 'their-disk' | null, taken = false) =>
  onSite(async (site: Site) => {
    const managedRef = name === null ? null : { 'source-name': name };
    const volume = await givenVolume(site, { managedRef });
    if (taken) site.foreignFile('alpha', 'their-disk', 2);
    const ours = `alpha/volume-${volume.id}`;
    const back = name === null || taken ? ours : `alpha/${name}`;
    const mark = `alpha/.unmanaged-volume-${volume.id}`;
    const before = site.objects();
    const content = contentOf(volume);
    return {
      foreign: ['alpha/their-disk', ours, mark],
      begin: (desk) => command(desk, caller, volume.id),
      done: async () => {
        assert.equal(await findVolume(site.database.read, volume.id), undefined);
        const rest = taken ? ['alpha/their-disk'] : [];
        assert.deepEqual(site.objects(), [...rest, back, ...(back === ours ? [mark] : [])].sort());
        assert.deepEqual(site.content(back, content.length), content);
        assert.deepEqual(await site.events(), ['volume.unmanage.start', 'volume.unmanage.end']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const refused = failure?.task === 'unmanage' && failure.name !== 'Cancelled';
        const status = refused ? 'error_unmanaging' : 'available';
        assert.partialDeepStrictEqual(await findVolume(site.database.read, volume.id), {
          status,
          managedRef,
          terminatedAt: null,
        });
        assert.deepEqual(site.objects(), before);
        assert.deepEqual(site.content(ours, content.length), content);
        assert.ok(!(await site.events()).includes('volume.unmanage.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

/** Whoever has it then knows nothing of what was kept for its next backup. */
const withBase = onSite(async (site: Site) => {
  const { volume, parent } = await givenBase(site, { managedRef: { 'source-name': 'their-disk' } });
  const base = `alpha/backup-${parent.id}`;
  const ours = `alpha/volume-${volume.id}`;
  assert.deepEqual(site.objects(), [base, ours]);
  return {
    foreign: ['alpha/their-disk', base],
    begin: (desk) => command(desk, caller, volume.id),
    done: async () => {
      assert.deepEqual(site.objects(), ['alpha/their-disk']);
      assert.deepEqual(await allBases(site.database.read), []);
    },
    undone: async () => {
      // Without it the next increment reads more.
      const bases = await allBases(site.database.read);
      assert.deepEqual(site.objects(), [...(bases.length > 0 ? [base] : []), ours]);
    },
  };
});

/** A volume whose taking over has failed: its backend never had it. */
const neverThere = onSite(async (site: Site) => {
  const volume = await givenVolume(site, { status: 'error_managing' });
  await site.tools.driver('node@alpha#alpha').deleteVolume(refOf(volume), calm());
  return {
    begin: (desk) => command(desk, caller, volume.id),
    done: async () => {
      assert.equal(await findVolume(site.database.read, volume.id), undefined);
      assert.deepEqual(site.objects(), []);
    },
    undone: async ([failure]) => {
      const refused = failure?.task === 'unmanage' && failure.name !== 'Cancelled';
      const status = refused ? 'error_unmanaging' : 'error_managing';
      assert.partialDeepStrictEqual(await findVolume(site.database.read, volume.id), { status });
      assert.deepEqual(site.objects(), []);
    },
  };
});

proveFlow('unmanage_volume of one that was taken over', unmanageVolume, given('their-disk'));
proveVariant('unmanage_volume of one that was made here', unmanageVolume, given(null));
proveVariant('unmanage_volume of one whose old name was taken meanwhile', unmanageVolume, given('their-disk', true));
proveVariant('unmanage_volume of one of which a base is kept', unmanageVolume, withBase);
proveVariant('unmanage_volume of one that was never there', unmanageVolume, neverThere);
provesEveryTask(unmanageVolume);
