/** Fills a database as `pumice import run` does, and says each batch that is durable; behind the given one it goes no further. */
import { openDatabase } from '../../../src/db/database.ts';
import { findImport } from '../../../src/db/import-progress.ts';
import { cinderAddress } from '../../../src/import/cinder/cinder-address.ts';
import { openCinder } from '../../../src/import/cinder/open-cinder.ts';
import { mapWorld } from '../../../src/import/map/map-world.ts';
import { fillDatabase } from '../../../src/import/run/fill-database.ts';
import { now } from '../../../src/lib/clock.ts';
import { HOSTS } from '../small-cinder.ts';

const [from = '', into = '', batch = '', last = ''] = process.argv.slice(2);
const cinder = await openCinder(cinderAddress(from));
const db = await openDatabase(into, { as: 'server' });
const beganAt = (await findImport(db.read))?.beganAt ?? now();
const world = await mapWorld(cinder, { hosts: HOSTS, adoptType: null, revive: false, now: beganAt });
if ('noType' in world) throw new Error(world.noType);
let batches = 0;
await fillDatabase(cinder, world, db, {
  source: 'somewhere',
  batch: Number(batch),
  resume: true,
  recount: { snapshotGigabytes: true },
  told: () => {},
  filled: () => {
    batches += 1;
    console.log(`batch ${batches}`);
    if (batches === Number(last)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  signal: new AbortController().signal,
});
await db.close();
await cinder.close();
console.log('done');
