/** What is asked of the database before a kept view is shown. */
import assert from 'node:assert/strict';
import pg from 'pg';
import { recordHeartbeat } from '../../src/db/services.ts';
import { dataVersionOf } from '../../src/db/sql/data-version.ts';
import { findViewKey } from '../../src/db/view-keys.ts';
import { readViewNames } from '../../src/db/view-names.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import { proveStore } from '../prove-store.ts';
import { makeSnapshot, makeVolume } from './rows.ts';

proveStore('views', (test) => {
  test('know whose a row is and how often it has changed', async ({ database }) => {
    const volume = await makeVolume(database, { projectId: 'mine' });
    const snapshot = await makeSnapshot(database, volume, { projectId: 'theirs' });
    await database.write((tx) => updateVolume(tx, volume.id, { name: 'new' }));
    const { reader } = database;
    assert.deepEqual({ ...(await findViewKey(reader, 'volume', volume.id)) }, { projectId: 'mine', revision: 2 });
    assert.deepEqual({ ...(await findViewKey(reader, 'snapshot', snapshot.id)) }, { projectId: 'theirs', revision: 1 });
    assert.equal(await findViewKey(reader, 'volume', snapshot.id), undefined);
  });

  test('know types by name and volume services by id', async ({ database }) => {
    const id = uuid();
    await database.write(async (tx) => {
      await insertVolumeType(tx, { id, name: 'a "quoted" näme' });
      for (const binary of ['cinder-volume', 'cinder-scheduler']) {
        const host = `${binary}-host`;
        await recordHeartbeat(tx, { host, binary, availabilityZone: 'nova', pools: [], failure: null });
      }
    });
    const names = await readViewNames(database.reader);
    assert.equal(JSON.parse(names.types)[id], 'a "quoted" näme');
    assert.deepEqual(Object.keys(JSON.parse(names.services)), ['cinder-volume-host']);
    assert.deepEqual({ ...(await readViewNames(database.reader)) }, { ...names });
  });

  test('know where nothing has changed', async ({ database, open }) => {
    const version = dataVersionOf(database.reader);
    const before = await version();
    assert.equal(await version(), before);
    const volume = await makeVolume(database);
    const after = await version();
    assert.notEqual(after, before);
    const other = await open();
    await other.write((tx) => updateVolume(tx, volume.id, { name: 'another process' }));
    assert.notEqual(await version(), after);
  });

  test('know when a transaction ends that ran already, though another ended after it had begun', async (world) => {
    const { database, url } = world;
    if (database.dialect === 'sqlite') return;
    const version = dataVersionOf(database.reader);
    const [client, other] = [new pg.Client(url), new pg.Client(url)];
    try {
      for (const each of [client, other]) await each.connect();
      for (const end of ['COMMIT', 'ROLLBACK', 'ROLLBACK TO part; COMMIT']) {
        await client.query('BEGIN; SELECT pg_current_xact_id(); SAVEPOINT part; DELETE FROM volume');
        await other.query('SELECT pg_current_xact_id()');
        const open = await version();
        assert.equal(await version(), open, 'what still runs changes nothing');
        await client.query(end);
        const ended = await version();
        assert.notEqual(ended, open);
        assert.equal(await version(), ended);
      }
    } finally {
      for (const each of [client, other]) await each.end();
    }
  });
});
