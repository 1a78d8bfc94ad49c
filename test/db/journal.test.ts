import assert from 'node:assert/strict';
import { DatabaseJournal, FLOWS_CHANNEL } from '../../src/db/journal.ts';
import { type Begun, Held, type NewFlow, type Write } from '../../src/engine/journal.ts';
import { proveStore } from '../prove-store.ts';

const GOES_ON: Write = { steps: [], state: 'running', lane: 'control', ended: false, released: false };
const ENDS: Write = { ...GOES_ON, state: 'success', ended: true };
const LEAVES: Write = { steps: [], state: 'running', lane: 'host:far', ended: false, released: true };

proveStore('the journal', (test) => {
  test('tells all processes of a flow that leaves for another lane, from where it began or later', async ({
    database,
  }) => {
    const journal = new DatabaseJournal(database);
    let heard = Promise.withResolvers<void>();
    await database.ownership.listen(FLOWS_CHANNEL, () => heard.resolve());
    const insert = (id: string, ahead: Write | undefined): Promise<void> =>
      database.write((tx) =>
        journal.insert(
          tx,
          aFlow(id),
          ahead,
          () => {},
          (held) => held,
        ),
      );

    await insert('a', LEAVES);
    await soon(heard.promise);
    heard = Promise.withResolvers();
    await insert('b', undefined);
    await journal.append({ id: 'b', epoch: 1, seq: 0 }, LEAVES);
    await soon(heard.promise);
  });

  test('lets no flow begin in the transaction in which what it needs is let go, since its caller has seen what was before', async ({
    database,
  }) => {
    const journal = new DatabaseJournal(database);
    const holds = [{ resource: 'volume:v', mode: 'exclusive' }] as const;
    const insert = (id: string, more: Partial<NewFlow> = {}): Promise<Begun> =>
      database
        .write(async (tx) => {
          let begun: Begun = 'there';
          const told = (what: Begun): void => {
            begun = what;
          };
          await journal.insert(tx, { ...aFlow(id), ...more }, undefined, told, (held) => held);
          return () => begun;
        })
        .then((told) => told());
    await Promise.all([insert('other'), insert('ends', { holds })]);
    const [, late] = await Promise.allSettled([
      journal.append({ id: 'other', epoch: 1, seq: 0 }, GOES_ON),
      insert('late', { holds }),
      journal.append({ id: 'ends', epoch: 1, seq: 0 }, ENDS),
    ]);
    assert.ok(late.status === 'rejected' && late.reason instanceof Held, 'it is refused');
    assert.equal(await insert('later', { holds }), 'made');
  });
});

const aFlow = (id: string): NewFlow => ({
  id,
  name: 'f',
  version: 1,
  lane: 'control',
  input: {},
  owner: 'p',
  resource: `r:${id}`,
  projectId: 'p',
  requestId: 'r',
  trace: null,
  holds: [],
});

async function soon(told: Promise<void>): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const never = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new assert.AssertionError({ message: 'Nobody was told.' })), 10_000);
  });
  await Promise.race([told, never]).finally(() => clearTimeout(late));
}
