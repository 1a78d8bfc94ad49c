/** What two processes say of the same volume type at once. On SQLite they take turns by nature, on PostgreSQL by locks. */
import assert from 'node:assert/strict';
import type { Desk } from '../../../src/commands/desk.ts';
import { createTypeEncryption } from '../../../src/commands/types/change-type-encryption.ts';
import { associateQosSpecs, deleteQosSpecs } from '../../../src/commands/types/qos-specs.ts';
import type { Database } from '../../../src/db/database.ts';
import { getQosSpecs, insertQosSpecs } from '../../../src/db/qos-specs.ts';
import { findTypeEncryption } from '../../../src/db/type-encryption.ts';
import { getVolumeType, insertVolumeType, isVolumeTypeInUse } from '../../../src/db/volume-types.ts';
import { insertVolume } from '../../../src/db/volumes.ts';
import { checkNotEncrypted } from '../../../src/flows/encryption.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Caller } from '../../../src/model/caller.ts';
import { proveStore } from '../../prove-store.ts';

const ROUNDS = 8;

const caller: Caller = {
  userId: 'u',
  projectId: 'p',
  roles: ['admin'],
  isAdmin: true,
  serviceRoles: [],
  requestId: 'req-1',
};

/** These commands need no more of it. */
const deskOver = (db: Database): Desk => ({ db }) as Desk;

const freshType = (database: Database) =>
  database.write((tx) => insertVolumeType(tx, { id: uuid(), name: `type ${uuid()}` }));

proveStore('a volume type of which two processes say something at once', (test) => {
  test('never has QoS specs that are gone', async ({ database, open }) => {
    const other = await open();
    for (let round = 0; round < ROUNDS; round++) {
      const type = await freshType(database);
      const qos = await database.write((tx) =>
        insertQosSpecs(tx, { id: uuid(), name: `specs ${round}`, consumer: 'both', specs: {} }),
      );
      const outcomes = await Promise.allSettled([
        associateQosSpecs(deskOver(database), caller, qos.id, type.id),
        deleteQosSpecs(deskOver(other), caller, qos.id, { force: false }),
      ]);
      const { qosSpecsId } = await getVolumeType(database.read, type.id);
      if (qosSpecsId !== null) await getQosSpecs(database.read, qosSpecsId);
      assert.ok(outcomes.some(({ status }) => status === 'fulfilled'));
    }
  });

  test('never has both an encryption and a volume', async ({ database, open }) => {
    const other = await open();
    for (let round = 0; round < ROUNDS; round++) {
      const type = await freshType(database);
      const volume = { id: uuid(), projectId: 'p', userId: 'u', sizeGiB: 1, status: 'creating' } as const;
      const luks = { provider: 'luks', controlLocation: 'front-end', cipher: null, keySize: null } as const;
      const outcomes = await Promise.allSettled([
        other.write(async (tx) => {
          await insertVolume(tx, { ...volume, volumeTypeId: type.id });
          await checkNotEncrypted(tx.db, type);
        }),
        createTypeEncryption(deskOver(database), caller, type.id, luks),
      ]);
      const encrypted = (await findTypeEncryption(database.read, type.id)) !== undefined;
      assert.equal(await isVolumeTypeInUse(database.read, type.id), !encrypted);
      assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    }
  });
});
