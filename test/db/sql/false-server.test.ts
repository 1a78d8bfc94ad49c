/** Whatever PostgreSQL, or what is between us and it, says: reads and writes end, nothing escapes, and afterwards all works again. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { openDatabase } from '../../../src/db/database.ts';
import { type FreshDatabase, freshPostgresql } from '../../databases.ts';
import { inTime } from '../../in-time.ts';
import { escaped } from '../../uncaught.ts';
import { garblingProxy, type Spoil } from './garbling-proxy.ts';

/** Pieces of three connections that open, a write and a read; and some more. */
const PIECES = 24;
/** From what was spoilt until the way is mended: a silence would last until the deadlines of statements. */
const MENDED_MS = 50;
const RUNS = 60;

const at = fc.nat(PIECES);
const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  fc.record({
    at,
    is: fc.constant('garbled' as const),
    places: fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ at, is: fc.constant('nonsense' as const), bytes }),
  fc.record({ at, is: fc.constant('twice' as const) }),
  fc.record({ at, is: fc.constant('cut' as const), after: fc.nat(64) }),
  fc.record({ at, is: fc.constant('stall' as const) }),
  fc.record({ at, is: fc.constant('flood' as const), bytes, times: fc.constant(20_000) }),
);

describe('a false PostgreSQL', () => {
  let fresh: FreshDatabase | { readonly missing: string };
  before(async () => {
    fresh = await freshPostgresql();
  });
  after(async () => {
    if (!('missing' in fresh)) await fresh.remove();
  });

  test('ends no process and holds no call; when it is mended, all works', async (context) => {
    if ('missing' in fresh) return context.skip(`PostgreSQL: ${fresh.missing}`);
    const { url } = fresh;
    const property = fc.asyncProperty(spoil, async (wrong) => {
      const proxy = await garblingProxy(url, wrong);
      void proxy.reached.then(() => pause(MENDED_MS)).then(() => proxy.mend());
      const errors = await escaped(async () => {
        try {
          await inTime('the whole', use(proxy.url));
        } finally {
          await proxy.close();
        }
      });
      assert.deepEqual(errors, []);
    });
    await fc.assert(property, { numRuns: RUNS });
  });
});

/** Opens, writes, reads and closes; each may fail, with an error. */
async function use(url: string): Promise<void> {
  const database = await openDatabase(url, { as: 'server', doubtMs: 2_000, patienceMs: 2_000 }).catch(isError);
  if (database === undefined) return;
  try {
    for (let n = 0; n < 3; n += 1) {
      await database.write(({ db }) => db.deleteFrom('pool_usage').where('pool', '=', 'x').execute()).catch(isError);
      await database.read.selectFrom('pool_usage').selectAll().execute().catch(isError);
      await database.ownership.take('host:x').catch(isError);
      await database.ownership.held(['host:x']).catch(isError);
    }
  } finally {
    await database.close();
  }
}

function isError(error: unknown): undefined {
  assert.ok(error instanceof Error, String(error));
}
