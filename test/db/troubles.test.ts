import assert from 'node:assert/strict';
import { processName } from '../../src/db/sql/ownership.ts';
import { dropTrouble, dropTroublesOf, dropTroublesOfTheDead, listTroubles, putTrouble } from '../../src/db/troubles.ts';
import { uuid } from '../../src/lib/clock.ts';
import { proveStore } from '../prove-store.ts';

const TROUBLE = { upkeep: 'events', about: 'amqp', node: 'n1', since: '2026-01-31T12:00:00.000001' };

proveStore('kept troubles', (test) => {
  test('are one for each process and thing, and say the last reason', async ({ database }) => {
    const process = uuid();
    await database.ownership.take(processName(process));
    for (const reason of ['no broker', 'no queue'])
      await database.write((tx) => putTrouble(tx, { ...TROUBLE, process, reason }));
    await database.write((tx) => putTrouble(tx, { ...TROUBLE, process, about: 'file', reason: 'no room' }));
    assert.deepEqual(
      (await listTroubles(database)).map(({ about, reason }) => [about, reason]),
      [
        ['amqp', 'no queue'],
        ['file', 'no room'],
      ],
    );
    await database.write((tx) => dropTrouble(tx, { process, upkeep: 'events', about: 'amqp' }));
    assert.deepEqual(
      (await listTroubles(database)).map(({ about }) => about),
      ['file'],
    );
    await dropTroublesOf(database, process);
    assert.deepEqual(await listTroubles(database), []);
  });

  test('of processes that were killed are dropped by the next one, and those of the living stay', async ({
    database,
  }) => {
    const [living, dead] = [uuid(), uuid()];
    await database.ownership.take(processName(living));
    for (const process of [living, dead])
      await database.write((tx) => putTrouble(tx, { ...TROUBLE, process, reason: 'no broker' }));
    await dropTroublesOfTheDead(database);
    const left = await database.read.selectFrom('trouble').select('process').execute();
    assert.deepEqual(
      left.map(({ process }) => process),
      [living],
    );
  });
});
