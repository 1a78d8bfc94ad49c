import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { VOLUME_BINARY } from '../../src/db/pools.ts';
import { findService } from '../../src/db/services.ts';
import { processName } from '../../src/db/sql/ownership.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';
import { type Clock, uuid } from '../../src/lib/clock.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { exec } from '../../src/lib/exec.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { Troubles } from '../../src/lib/troubles.ts';
import { DriverNotInitialized } from '../../src/model/errors.ts';
import { BackendService } from '../../src/upkeep/serve-backend.ts';
import { freshPostgresql } from '../databases.ts';

const HOST = 'ceph@file';
const { signal } = new AbortController();

/** Files that every process may work on, which says who has. */
class SharedFiles extends FileDriver {
  override readonly servedBy = 'many';
  seen: string[] = [];
  down = false;

  override async start(until: AbortSignal): Promise<void> {
    if (this.down) throw new DriverNotInitialized('No monitor answers.');
    await super.start(until);
  }

  override async stats(until: AbortSignal) {
    if (this.down) throw new DriverNotInitialized('No monitor answers.');
    return super.stats(until);
  }

  override async processes() {
    return this.seen;
  }

  readonly fenced: string[] = [];

  override async fence(process = '') {
    this.fenced.push(process);
    this.seen = this.seen.filter((name) => name !== process);
  }
}

interface Served {
  readonly database: Database;
  readonly process: string;
  readonly driver: SharedFiles;
  readonly backend: BackendService;
  /** Whether it takes up the host's flows. */
  readonly takes: () => boolean;
}

/** Two processes, as far as the database knows, on one backend. */
async function twoProcesses(context: TestContext): Promise<readonly [Served, Served] | undefined> {
  const fresh = await freshPostgresql();
  if ('missing' in fresh) return context.skip(`PostgreSQL: ${fresh.missing}`) as undefined;
  const directory = await mkdtemp(join(tmpdir(), 'pumice-shared-'));
  const closers: (() => Promise<void>)[] = [];
  context.after(async () => {
    for (const close of closers) await close();
    await fresh.remove();
    await rm(directory, { recursive: true, force: true });
  });
  const serve = async (): Promise<Served> => {
    const database = await openDatabase(fresh.url, { as: 'server' });
    closers.push(() => database.close());
    const process = uuid();
    await database.ownership.take(processName(process));
    const driver = new SharedFiles({ name: 'file', directory, create: true, exec });
    driver.hold = async () => true;
    let takes = false;
    let ms = 0;
    // Looks at the backend each time that it is asked.
    const clock: Clock = { elapsed: () => (ms += 3_600_000), pause: async () => {} };
    const backend = new BackendService(
      { host: HOST, availabilityZone: 'nova', driver },
      {
        db: database,
        services: parseConfig({}).services,
        log: silentLog,
        troubles: new Troubles({ log: silentLog, clock }),
        process,
        owned: () => {
          takes = true;
        },
        left: () => {
          takes = false;
        },
      },
    );
    return { database, process, driver, backend, takes: () => takes };
  };
  return [await serve(), await serve()];
}

describe('a backend that many serve', () => {
  it('has its flows taken up by each of them', async (context) => {
    const both = await twoProcesses(context);
    for (const { backend } of both ?? []) await backend.start(signal);
    for (const { takes } of both ?? []) assert.ok(takes());
  });

  it('is left to those that can use it by one that cannot, which does not say that it is down', async (context) => {
    const both = await twoProcesses(context);
    if (both === undefined) return;
    const [here, there] = both;
    const failure = async () => (await findService(here.database.read, HOST, VOLUME_BINARY))?.failure;
    here.driver.down = true;
    await here.backend.start(signal);
    assert.ok(here.takes(), 'nobody else can');
    assert.match((await failure()) ?? '', /No monitor answers/);
    await there.backend.start(signal);
    assert.equal(await failure(), null);
    await here.backend.round(signal);
    assert.equal(here.takes(), false);
    assert.equal(await failure(), null);
    here.driver.down = false;
    await here.backend.round(signal);
    assert.ok(here.takes());

    for (const { driver } of both) driver.down = true;
    await there.backend.round(signal);
    // Nobody has said for long that it can.
    await there.database.write(({ db }) =>
      db.updateTable('service').set({ updated_at: '2026-01-01T00:00:00.000000' }).execute(),
    );
    await here.backend.round(signal);
    assert.match((await failure()) ?? '', /No monitor answers/);
    assert.ok(here.takes());
  });

  it('is fenced from processes that are gone, and from no other', async (context) => {
    const both = await twoProcesses(context);
    if (both === undefined) return;
    const [here, there] = both;
    await here.backend.start(signal);
    here.driver.seen = [here.process, there.process, 'dead'];
    assert.deepEqual(await here.backend.fenceTheDead(signal), ['dead']);
    assert.deepEqual(await here.backend.fenceTheDead(signal), []);
    await there.database.close();
    assert.deepEqual(await here.backend.fenceTheDead(signal), [there.process]);
    assert.deepEqual(here.driver.fenced, ['dead', there.process]);
  });
});
