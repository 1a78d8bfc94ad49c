/** What administrators define, and what they are shown: QoS specs, encryption, default types, types of groups, the use of a host. */
import assert from 'node:assert/strict';
import { findDefaultType, isDefaultOfProject, setDefaultType, unsetDefaultType } from '../../src/db/default-types.ts';
import {
  deleteGroupTypeRow,
  findGroupTypeByName,
  getGroupType,
  insertGroupType,
  listGroupTypes,
  updateGroupType,
} from '../../src/db/group-types.ts';
import { hostUsage } from '../../src/db/host-usage.ts';
import {
  getQosSpecs,
  insertQosSpecs,
  listQosSpecs,
  takeQosSpecsFromTypes,
  typesOfQosSpecs,
  updateQosSpecs,
} from '../../src/db/qos-specs.ts';
import { findTypeEncryption, insertTypeEncryption, updateTypeEncryption } from '../../src/db/type-encryption.ts';
import { deleteVolumeTypeRow, insertVolumeType, updateVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { GroupTypeNotFound } from '../../src/model/errors.ts';
import { proveStore } from '../prove-store.ts';
import { makeSnapshot, makeVolume } from './rows.ts';

proveStore('what administrators say of types', (test) => {
  test('QoS specs are read as they were made, listed, changed and taken from types', async ({ database }) => {
    const made = await database.write((tx) =>
      insertQosSpecs(tx, { id: uuid(), name: 'slow', consumer: 'both', specs: { iops: '1' } }),
    );
    assert.deepEqual(await getQosSpecs(database.read, made.id), made);
    const filters = [{ is: 'equal', field: 'consumer', value: 'both' }] as const;
    assert.deepEqual(await listQosSpecs(database.read, { filters, limit: 5 }), [made]);
    await database.write((tx) => updateQosSpecs(tx, made.id, { specs: { iops: '2' } }));
    assert.deepEqual((await getQosSpecs(database.read, made.id)).specs, { iops: '2' });
    const type = await database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold' }));
    await database.write((tx) => updateVolumeType(tx, type.id, { qosSpecsId: made.id }));
    assert.deepEqual(
      (await typesOfQosSpecs(database.read, made.id)).map(({ id, name }) => [id, name]),
      [[type.id, 'gold']],
    );
    await database.write((tx) => takeQosSpecsFromTypes(tx, made.id, uuid()));
    assert.equal((await typesOfQosSpecs(database.read, made.id)).length, 1);
    await database.write((tx) => takeQosSpecsFromTypes(tx, made.id));
    assert.deepEqual(await typesOfQosSpecs(database.read, made.id), []);
  });

  test('an encryption is read as it was made, and goes with its type', async ({ database }) => {
    const type = await database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'sealed' }));
    const made = await database.write((tx) =>
      insertTypeEncryption(tx, {
        encryptionId: uuid(),
        volumeTypeId: type.id,
        provider: 'luks',
        controlLocation: 'front-end',
        cipher: null,
        keySize: 256,
      }),
    );
    assert.deepEqual(await findTypeEncryption(database.read, type.id), made);
    await database.write((tx) => updateTypeEncryption(tx, type.id, { keySize: null }));
    assert.equal((await findTypeEncryption(database.read, type.id))?.keySize, null);
    await database.write((tx) => deleteVolumeTypeRow(tx, type.id));
    assert.equal(await findTypeEncryption(database.read, type.id), undefined);
  });

  test('a project has one default type, which cannot go', async ({ database }) => {
    const [gold, silver] = [uuid(), uuid()];
    await database.write((tx) => insertVolumeType(tx, { id: gold, name: 'gold' }));
    await database.write((tx) => insertVolumeType(tx, { id: silver, name: 'silver' }));
    for (const volumeTypeId of [gold, silver])
      await database.write((tx) => setDefaultType(tx, { projectId: 'p', volumeTypeId }));
    assert.deepEqual(await findDefaultType(database.read, 'p'), { projectId: 'p', volumeTypeId: silver });
    assert.equal(await isDefaultOfProject(database.read, gold), false);
    assert.equal(await isDefaultOfProject(database.read, silver), true);
    await assert.rejects(database.write((tx) => deleteVolumeTypeRow(tx, silver)));
    await database.write((tx) => unsetDefaultType(tx, 'p'));
    assert.equal(await findDefaultType(database.read, 'p'), undefined);
  });

  test('a type of groups is read as it was made, found by name, listed, changed and deleted', async ({ database }) => {
    const made = await database.write((tx) =>
      insertGroupType(tx, { id: uuid(), name: 'g', description: null, isPublic: false, groupSpecs: { k: 'v' } }),
    );
    assert.deepEqual(await findGroupTypeByName(database.read, 'g'), made);
    const filters = [{ is: 'equal', field: 'isPublic', value: false }] as const;
    assert.deepEqual(await listGroupTypes(database.read, { filters }), [made]);
    await database.write((tx) => updateGroupType(tx, made.id, { isPublic: true, groupSpecs: {} }));
    assert.partialDeepStrictEqual(await getGroupType(database.read, made.id), { isPublic: true, groupSpecs: {} });
    await database.write((tx) => deleteGroupTypeRow(tx, made.id));
    await assert.rejects(getGroupType(database.read, made.id), GroupTypeNotFound);
  });

  test('what projects have on a host is counted in all its pools', async ({ database }) => {
    const volume = await makeVolume(database, { host: 'n@b#one', sizeGiB: 2 });
    await makeVolume(database, { host: 'n@b', sizeGiB: 3 });
    await makeVolume(database, { host: 'n@b2#one', sizeGiB: 9 });
    await makeVolume(database, { host: null, sizeGiB: 9 });
    await makeSnapshot(database, volume, { volumeSizeGiB: 1, projectId: 'q' });
    assert.deepEqual(await hostUsage(database.read, 'n@b'), [
      { projectId: 'p', volumes: 2, volumesGiB: 5, snapshots: 0, snapshotsGiB: 0 },
      { projectId: 'q', volumes: 0, volumesGiB: 0, snapshots: 1, snapshotsGiB: 1 },
    ]);
  });
});
