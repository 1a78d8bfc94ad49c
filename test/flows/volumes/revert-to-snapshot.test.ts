import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { revertToSnapshot as command } from '../../../src/commands/volumes/revert-to-snapshot.ts';
import { getSnapshot } from '../../../src/db/snapshots.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { revertToSnapshot } from '../../../src/flows/volumes/revert-to-snapshot.ts';
import { BackendFull } from '../../../src/model/errors.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenSnapshot, givenVolume } from '../given.ts';
import { refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { caller, Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

proveFlow(
  'revert_to_snapshot',
  revertToSnapshot,
  onSite(async (site) => {
    const volume = await givenVolume(site);
    const snapshot = await givenSnapshot(site, volume);
    const object = Site.objectOf('volume', volume.id, volume.host);
    const content = () => site.content(object, contentOf(volume).length).toString();
    const statuses = async () => [
      (await getVolume(site.database.read, volume.id)).status,
      (await getSnapshot(site.database.read, snapshot.id)).status,
    ];
    return {
      begin: (desk) => command(desk, caller, volume.id, snapshot.id),
      done: async () => {
        assert.deepEqual(await statuses(), ['available', 'available']);
        assert.equal(content(), contentOf(snapshot).toString());
        assert.equal(site.sizeGiB(object), 1);
        assert.deepEqual(await site.events(), [
          'volume.revert.start',
          'snapshot.revert.start',
          'volume.revert.end',
          'snapshot.revert.end',
        ]);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        assert.deepEqual(await statuses(), ['available', 'available']);
        const replaced = failure?.task === 'revert_on_finish;revert.end' || failure?.task === 'revert_on_backend';
        const whole = [contentOf(volume), ...(replaced && !failure?.before ? [contentOf(snapshot)] : [])];
        assert.ok(whole.map(String).includes(content()), content());
        assert.equal(site.sizeGiB(object), 1);
        assert.ok(!(await site.events()).some((name) => name.endsWith('.end')));
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(revertToSnapshot);

describe('revert_to_snapshot', () => {
  it('that the backend has no room for leaves the content and both statuses, and says so', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const snapshot = await givenSnapshot(live.site, volume);
    live.site.interpose('alpha', 'revertToSnapshot', refuses(new BackendFull('No.')));
    await command(live.desk, caller, volume.id, snapshot.id);
    assert.equal((await live.settledVolume(volume)).status, 'available');
    assert.equal((await getSnapshot(live.database.read, snapshot.id)).status, 'available');
    const object = Site.objectOf('volume', volume.id, volume.host);
    assert.deepEqual(live.site.content(object, contentOf(volume).length), contentOf(volume));
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_107_101']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('can be asked for again as soon as it has failed', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const snapshot = await givenSnapshot(live.site, volume);
    live.site.interpose('alpha', 'revertToSnapshot', refuses(new BackendFull('No.')));
    await command(live.desk, caller, volume.id, snapshot.id);
    await live.settledVolume(volume);
    live.site.interpose('alpha', 'revertToSnapshot', null);
    await command(live.desk, caller, volume.id, snapshot.id);
    await live.settledVolume(volume);
    const object = Site.objectOf('volume', volume.id, volume.host);
    assert.deepEqual(live.site.content(object, contentOf(snapshot).length), contentOf(snapshot));
  });
});
