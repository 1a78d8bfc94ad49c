/** Those who watch see each event once, whoever writes meanwhile and however slowly, and know when they must look anew. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../../src/db/database.ts';
import { appendEvents } from '../../src/db/outbox.ts';
import { adoptEvents, type EventPlace, isBehind, WatchedEvents } from '../../src/db/watched-events.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { NewEvent } from '../../src/model/event.ts';
import { proveStore } from '../prove-store.ts';

const WRITERS = 8;
const ROUNDS = 40;

const event = (resource: string): NewEvent => ({
  messageId: uuid(),
  resource,
  eventType: 'volume.create.end',
  priority: 'INFO',
  publisherId: 'volume.n@b',
  payload: '{}',
  projectId: 'p',
  userId: 'u',
  requestId: 'r',
});

const append = (database: Database, ...resources: readonly string[]): Promise<void> =>
  database.write((tx) => appendEvents(tx, resources.map(event)));

/** All that is behind a place, a few at a time, and where that ends. */
async function readOn(events: WatchedEvents, from: EventPlace): Promise<{ seen: string[]; place: EventPlace }> {
  const seen: string[] = [];
  let place = from;
  for (;;) {
    const some = await events.after(place, 3);
    seen.push(...some.map(({ resource }) => resource));
    place = some.at(-1)?.place ?? place;
    if (some.length < 3) return { seen, place };
  }
}

/** The event has its number, and its transaction stays open for a while, or is undone. */
async function writeSlowly(database: Database, resource: string): Promise<boolean> {
  const undone = Math.random() < 0.2;
  const unit = database.write(async (tx) => {
    await appendEvents(tx, [event(resource)]);
    await tx.db.selectFrom('outbox').select('seq').limit(1).execute();
    await delay(Math.random() * 8);
    if (undone) throw new RangeError('no');
  });
  await unit.catch((error: unknown) => assert.ok(error instanceof RangeError));
  return !undone;
}

proveStore('events that are watched', (test) => {
  test(`are each seen once, while ${WRITERS} write at their own speed`, async ({ database, open }) => {
    const events = new WatchedEvents(database);
    // On SQLite one at a time may have a transaction, so there several would only wait for each other.
    const writers =
      database.dialect === 'sqlite' ? [database] : await Promise.all(Array.from({ length: WRITERS }, open));
    const written: string[] = [];
    const all = Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let round = 0; round < ROUNDS; round += 1) {
          const resource = `volume:${writer}-${round}`;
          if (await writeSlowly(writers[writer % writers.length] as Database, resource)) written.push(resource);
        }
      }),
    );
    const seen: string[] = [];
    let done = false;
    const ends = all.then(() => (done = true));
    let place: EventPlace = null;
    for (let last = false; !last; ) {
      last = done;
      const more = await readOn(events, place);
      seen.push(...more.seen);
      place = more.place;
      await delay(1);
    }
    await ends;
    assert.equal(seen.length, new Set(seen).size);
    assert.deepEqual(seen.toSorted(), written.toSorted());
    assert.equal(place, await events.end());
  });

  test('can be read on from any of them, and from the end', async ({ database }) => {
    const events = new WatchedEvents(database);
    assert.equal(await events.end(), null);
    assert.deepEqual(await events.after(null, 9), []);
    await append(database, 'a', 'b');
    await append(database, 'c');
    const [a, b, c] = await events.after(null, 9);
    assert.ok(a && b && c);
    assert.deepEqual([a.resource, b.resource, c.resource], ['a', 'b', 'c']);
    assert.deepEqual(await readOn(events, a.place), { seen: ['b', 'c'], place: c.place });
    assert.equal(await events.end(), c.place);
    assert.deepEqual(
      [isBehind(b.place, a.place), isBehind(a.place, b.place), isBehind(a.place, a.place)],
      [true, false, false],
    );
    assert.ok(isBehind(a.place, null) && isBehind(c.place, b.place));
    for (const { place } of [a, b, c]) assert.ok(await events.isPlace(place));
    await database.write((tx) => appendEvents(tx, [{ ...event('d'), payload: '{"tenant_id":"owner"}' }]));
    const [d] = await events.after(c.place, 9);
    assert.deepEqual([d?.owner, c.owner], ['owner', null]);
  });

  test('what was never a place, or is none any more, is none', async ({ database }) => {
    const events = new WatchedEvents(database);
    await append(database, 'a', 'b');
    const [a, b] = await events.after(null, 9);
    assert.ok(a && b);
    const [xid, seq, digits] = a.place.split('.');
    const none = [
      '',
      'x',
      '0.0.0',
      `${xid}.${seq}`,
      `${xid}.${seq}.`,
      `${xid}.999.${digits}`,
      `${xid}.${seq}.00000000`,
    ];
    const long = [
      `${'9'.repeat(20)}.${seq}.${digits}`,
      `${xid}.${'9'.repeat(15)}.${digits}`,
      '9'.repeat(5_000),
      `${a.place}\0`,
    ];
    for (const text of [...none, ...long]) assert.equal(await events.isPlace(text), false, text.slice(0, 60));
    await database.write(({ db }) => db.deleteFrom('outbox').where('seq', '=', a.seq).execute());
    assert.equal(await events.isPlace(a.place), false);
    assert.ok(await events.isPlace(b.place));
  });

  test('of a database that was restored and written to since, the lost ones are no places', async ({ database }) => {
    const events = new WatchedEvents(database);
    await append(database, 'a');
    const kept = await events.end();
    await append(database, 'b', 'c');
    const lost = await events.end();
    assert.ok(kept && lost);
    // As a copy leaves it that was made after the first: the numbers are given again.
    const first = Number(kept.split('.')[1]);
    await database.write(async ({ db, connection }) => {
      await db.deleteFrom('outbox').where('seq', '>', first).execute();
      await connection.run(
        database.dialect === 'sqlite'
          ? `UPDATE sqlite_sequence SET seq = ${first} WHERE name = 'outbox'`
          : `SELECT setval(pg_get_serial_sequence('outbox', 'seq'), ${first}, true)`,
      );
    });
    assert.equal(await events.isPlace(lost), false);
    await append(database, 'd', 'e', 'f');
    assert.equal(await events.isPlace(lost), false);
    assert.ok(await events.isPlace(kept));
    assert.deepEqual((await readOn(events, kept)).seen, ['d', 'e', 'f']);
  });

  test('that a dump brought from another server are seen, and nobody reads on from where they stood there', async ({
    database,
    context,
  }) => {
    if (database.dialect === 'sqlite') return context.skip('SQLite has no ids of transactions');
    const events = new WatchedEvents(database);
    await append(database, 'a', 'b');
    await database.write(({ connection }) => connection.run(`UPDATE outbox SET xid = '999999999999'`));
    assert.deepEqual(await events.after(null, 9), []);
    const [there] = await database.read.selectFrom('outbox').select(['seq', 'message_id']).orderBy('seq').execute();
    await adoptEvents(database);
    assert.equal(await events.isPlace(`999999999999.${there?.seq}.${there?.message_id.slice(0, 8)}`), false);
    await append(database, 'c');
    const { seen, place } = await readOn(events, null);
    assert.deepEqual(seen, ['a', 'b', 'c']);
    await adoptEvents(database);
    assert.equal(await events.end(), place);
  });
});
