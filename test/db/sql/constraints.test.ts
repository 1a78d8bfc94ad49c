import assert from 'node:assert/strict';
import { isDuplicate, isReferenced } from '../../../src/db/sql/constraints.ts';
import { deleteVolumeTypeRow, insertVolumeType } from '../../../src/db/volume-types.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { proveStore } from '../../prove-store.ts';
import { makeVolume } from '../rows.ts';

proveStore('what the schema forbids', (test) => {
  test('is told apart: a row that is there twice, and a row that others need', async ({ database }) => {
    const make = () => database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold' }));
    const { id } = await make();
    await assert.rejects(make(), (error) => isDuplicate(error) && !isReferenced(error));
    const volume = await makeVolume(database, { volumeTypeId: id });
    await assert.rejects(makeVolume(database, { id: volume.id }), isDuplicate);
    const remove = database.write((tx) => deleteVolumeTypeRow(tx, id));
    await assert.rejects(remove, (error) => isReferenced(error) && !isDuplicate(error));
    assert.equal(isDuplicate(new RangeError('no')) || isReferenced(undefined), false);
  });
});
