/**
 * An hour of each upkeep with a cause that never goes away: it goes on trying, it is told once, its reason is kept for the doctor,
 * and neither the database nor the log fills. The hour passes in a moment, on a clock that only the upkeep sees; everything
 * else is real.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as rest, setImmediate as turn } from 'node:timers/promises';
import { Keystone } from '../../src/clients/keystone.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { keepBase } from '../../src/db/backup-bases.ts';
import { keepDamage } from '../../src/db/backup-checks.ts';
import { giveUpContent, keepContent } from '../../src/db/backup-contents.ts';
import { insertSchedule } from '../../src/db/backup-schedules.ts';
import { scopeOfVolume } from '../../src/db/backup-scopes.ts';
import { doomImage } from '../../src/db/doomed-images.ts';
import { evictCachedImage, putCachedImage } from '../../src/db/image-cache.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { appendEvents } from '../../src/db/outbox.ts';
import { insertToken } from '../../src/db/tokens.ts';
import { listTroubles } from '../../src/db/troubles.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { EngineEvent } from '../../src/engine/events.ts';
import { logEvent } from '../../src/events/log-of-flows.ts';
import { type Clock, fromNow, uuid } from '../../src/lib/clock.ts';
import { keepUp } from '../../src/lib/keep-up.ts';
import { createLog } from '../../src/lib/logging.ts';
import type { Connector } from '../../src/model/attachment.ts';
import { UPKEEP, type UpkeepName } from '../../src/model/upkeep.ts';
import { SpanQueue } from '../../src/traces/span-queue.ts';
import { dump, freshWorld, PROJECT, type World } from '../api/world.ts';
import { answer, identityServer } from '../clients/identity-server.ts';
import { makeBackup, scheduleOf } from '../db/rows.ts';
import { killTgtd, noTgt } from '../drivers/exports/tgt-world.ts';
import { freePort } from '../free-port.ts';

const HOUR_MS = 3_600_000;
const HOST = 'node@file';
const FEW = 20;
const NEVER = new AbortController().signal;
/** For whom it is taken. */
const port = await freePort();

/** Passes when it is waited for, and ends everything after an hour. */
class QuickClock implements Clock {
  readonly #hour = new AbortController();
  #ms = 0;
  /** What must be at rest before time goes on. */
  settle: () => Promise<void> = async () => {};
  /** A pause of an hour lets others use the time, and does not end it. */
  shared = false;

  get signal(): AbortSignal {
    return this.#hour.signal;
  }

  elapsed(): number {
    return this.#ms;
  }

  async pause(ms: number, signal: AbortSignal): Promise<void> {
    await turn();
    await this.settle();
    signal.throwIfAborted();
    if (this.shared && ms >= HOUR_MS) await once(signal, 'abort');
    this.#ms += ms;
    if (this.#ms >= HOUR_MS) this.#hour.abort();
    signal.throwIfAborted();
  }
}

interface Bed {
  readonly world: World;
  readonly clock: QuickClock;
  readonly context: TestContext;
  /** The loop of the table, for an hour. */
  loop(upkeep: UpkeepName, about: string): Promise<void>;
  /** SQL on the real database. */
  run(sql: string): Promise<void>;
  /** On the backend. */
  path(...parts: readonly string[]): string;
}

interface Cause {
  readonly name: string;
  /** What the machine lacks for it. */
  readonly skip?: string;
  /** `section.key=value`; what is below the directory is removed afterwards. */
  readonly set?: (directory: string) => readonly string[];
  /** Breaks it, and may do what comes before the hour. Resolves with how it is kept up for an hour. */
  breaks(bed: Bed): Promise<() => Promise<void>>;
  /** How often at least it is tried in the hour. */
  readonly tries: number;
  /** What the trouble is about, and what its reason says. */
  readonly about: RegExp;
  readonly reason: RegExp;
}

const event = (createdAt?: string) => ({
  messageId: uuid(),
  resource: 'volume:a',
  eventType: 'volume.create.start',
  priority: 'INFO' as const,
  publisherId: 'x',
  payload: '{}',
  projectId: 'p',
  userId: 'u',
  requestId: 'r',
  ...(createdAt && { createdAt }),
});

/** Whoever writes so is refused, for ever. */
const refused = (when: string) =>
  `CREATE TRIGGER refused BEFORE ${when} BEGIN SELECT RAISE(ABORT, 'refused here'); END`;

/** A volume that is attached, and not exported. */
async function attached(
  { world, path, clock }: Bed,
  connector: Connector,
  { there }: { readonly there: boolean },
): Promise<void> {
  const { service } = world;
  const backend = service.backends[0];
  await service.engine.start();
  await backend?.start(NEVER);
  clock.settle = async () => {
    while (service.engine.running().length > 0) await rest(5);
  };
  const volume = await world.volume({ status: 'in-use', attachStatus: 'attached', host: `${HOST}#file` });
  if (there) writeFileSync(path(`volume-${volume.id}`), 'x');
  await service.db.write((tx) =>
    insertAttachment(tx, {
      id: uuid(),
      projectId: PROJECT,
      volumeId: volume.id,
      attachMode: 'rw',
      attachStatus: 'attached',
      connector,
      connectionInfo: { driver_volume_type: 'local', data: {} },
    }),
  );
}

const CAUSES: Readonly<Record<UpkeepName, readonly [Cause, ...Cause[]]>> = {
  heartbeat: [
    {
      name: 'no row of a service can be written',
      breaks: async ({ run, loop }) => {
        await run(refused('INSERT ON service'));
        return () => loop('heartbeat', 'node');
      },
      tries: 300,
      about: /^node$/,
      reason: /refused here/,
    },
  ],
  peers: [
    {
      name: 'the other processes cannot be asked after',
      breaks: async ({ world, loop }) => {
        world.service.db.ownership.endSilent = () => Promise.reject(new Error('permission denied'));
        return () => loop('peers', 'node');
      },
      tries: 3_000,
      about: /^node$/,
      reason: /permission denied/,
    },
  ],
  fences: [
    {
      name: 'a backend does not say who has worked on it',
      breaks: async ({ world, loop }) => {
        const backend = world.service.backends[0];
        await backend?.start(NEVER);
        Object.assign(backend?.driver ?? {}, { processes: () => Promise.reject(new Error('no monitor answers')) });
        return () => loop('fences', HOST);
      },
      tries: 50,
      about: /^node@file$/,
      reason: /no monitor answers/,
    },
  ],
  backend: [
    {
      name: 'its directory is gone',
      set: (directory) => ['backends.file.driver=file', `backends.file.path=${directory}/nonexistent`],
      breaks: async ({ world, loop }) => {
        await world.service.backends[0]?.start(NEVER);
        return () => loop('heartbeat', HOST);
      },
      tries: 50,
      about: /^node@file$/,
      reason: /nonexistent/,
    },
  ],
  exports: [
    {
      name: 'the volume is gone',
      breaks: async (bed) => {
        await attached(bed, { host: hostname() }, { there: false });
        return () => bed.loop('exports', HOST);
      },
      tries: 50,
      about: /^attachment:/,
      reason: /is not on node@file/,
    },
    {
      name: 'the connector is refused',
      breaks: async (bed) => {
        await attached(bed, { host: 'elsewhere' }, { there: true });
        return () => bed.loop('exports', HOST);
      },
      tries: 1,
      about: /^attachment:/,
      reason: /elsewhere/,
    },
    {
      name: 'tgtd cannot have its port',
      ...(noTgt && { skip: noTgt }),
      set: (directory) => [
        'backends.file.driver=file',
        `backends.file.path=${directory}`,
        'backends.file.create=true',
        'backends.file.target_protocol=iscsi',
        `backends.file.target_port=${port}`,
      ],
      breaks: async (bed) => {
        const other = createServer().listen(port, '127.0.0.1');
        await once(other, 'listening');
        bed.context.after(async () => {
          other.close();
          await killTgtd(bed.path());
        });
        await attached(bed, { host: 'client', initiator: 'iqn.2004-10.test:client' }, { there: true });
        return () => bed.loop('exports', HOST);
      },
      tries: 3,
      about: /^attachment:/,
      reason: /cannot listen/,
    },
  ],
  temporaries: [
    {
      name: 'one of them cannot be removed',
      breaks: async ({ world, path }) => {
        mkdirSync(path(`.tmp-volume-${uuid()}.${uuid()}`, 'full'), { recursive: true });
        return async () => world.service.backends[0]?.start(NEVER);
      },
      tries: 1,
      about: /^node@file$/,
      reason: /sweep the backend/,
    },
  ],
  downloads: [
    {
      name: 'their directory is none',
      breaks: async ({ world, loop }) => {
        const directory = world.config.images.image_conversion_dir;
        rmSync(directory, { recursive: true });
        writeFileSync(directory, '');
        return () => loop('downloads', 'node');
      },
      tries: 1,
      about: /^node$/,
      reason: /ENOTDIR/,
    },
  ],
  image_cache: [
    {
      name: 'what was evicted cannot be removed',
      breaks: async ({ world, path, loop }) => {
        const { db, backends } = world.service;
        const cached = { pool: `${HOST}#file`, id: uuid(), imageId: uuid(), sizeGiB: 1 };
        await db.write(async (tx) => {
          await putCachedImage(tx, cached);
          await evictCachedImage(tx, cached);
        });
        await backends[0]?.start(NEVER);
        mkdirSync(path(`cached-image-${cached.id}`));
        return () => loop('image_cache', HOST);
      },
      tries: 5,
      about: /^node@file$/,
      reason: /not a regular file/,
    },
  ],
  images: [
    {
      name: 'nobody answers',
      set: () => ['images.store=glance', `images.glance_url=http://127.0.0.1:${port}`],
      breaks: async ({ world, loop }) => {
        await world.service.db.write((tx) => doomImage(tx, uuid()));
        return () => loop('images', 'node');
      },
      tries: 5,
      about: /^node$/,
      reason: /cannot be reached/,
    },
  ],
  backups: [
    {
      name: 'their store is not there',
      set: () => ['backup_stores.main.backup_driver=posix', 'backup_stores.main.backup_posix_path=/nowhere/at/all'],
      breaks: async ({ world, loop }) => {
        const { db } = world.service;
        await db.write(async (tx) => {
          const { id } = await scopeOfVolume(tx, 'main', PROJECT, uuid());
          await keepContent(tx, { backupId: 'gone', scopeId: id, root: '', packs: ['gone/1-0'] });
          await giveUpContent(tx, 'gone', id);
        });
        return () => loop('backups', 'node');
      },
      tries: 5,
      about: /^node$/,
      reason: /nowhere/,
    },
  ],
  backup_bases: [
    {
      name: 'what is of no use cannot be removed',
      breaks: async ({ world, path, loop }) => {
        const { db, backends } = world.service;
        const [backupId, volume] = [uuid(), { id: uuid(), nameId: null }];
        await db.write((tx) => keepBase(tx, { backupId, volume, pool: `${HOST}#file`, root: '' }, true));
        await backends[0]?.start(NEVER);
        mkdirSync(path(`backup-${backupId}`));
        return () => loop('backup_bases', HOST);
      },
      tries: 5,
      about: /^node@file$/,
      reason: /not a regular file/,
    },
  ],
  schedules: [
    {
      name: 'they cannot be moved on',
      set: () => ['backup_stores.main.backup_driver=posix', 'backup_stores.main.backup_posix_path=/nowhere/at/all'],
      breaks: async ({ world, run, loop }) => {
        const schedule = scheduleOf({ nextRunAt: fromNow(-1) });
        await world.service.db.write((tx) => insertSchedule(tx, schedule));
        await run(refused('UPDATE ON backup_schedule'));
        return () => loop('schedules', 'node');
      },
      tries: 5,
      about: /^node$/,
      reason: /refused here/,
    },
  ],
  mending: [
    {
      name: 'its flow cannot begin',
      breaks: async ({ world, run, loop }) => {
        const { db } = world.service;
        const { id: scopeId } = await db.write((tx) => scopeOfVolume(tx, 'main', PROJECT, uuid()));
        const [one, two] = [await makeBackup(db, { scopeId }), await makeBackup(db, { scopeId })];
        await db.write(async (tx) => {
          for (const { id } of [one, two]) await keepContent(tx, { backupId: id, scopeId, root: '', packs: ['x/1-0'] });
          const damage = { what: '', depth: 'packs', ranges: [], foundAt: fromNow(-1) } as const;
          await keepDamage(tx, { ...damage, backupId: one.id, pack: 'x/1-0' });
        });
        await run(refused('INSERT ON flow'));
        return () => loop('mending', 'node');
      },
      tries: 5,
      about: /^node$/,
      reason: /refused here/,
    },
  ],
  verification: [
    {
      name: 'its flow cannot begin',
      set: () => [
        'backup_stores.main.backup_driver=posix',
        'backup_stores.main.backup_posix_path=/nowhere/at/all',
        `backup_verification.hour=${new Date().getUTCHours()}`,
      ],
      breaks: async ({ world, run, loop }) => {
        const { db } = world.service;
        const scope = await db.write((tx) => scopeOfVolume(tx, 'main', PROJECT, uuid()));
        const { id } = await makeBackup(db, { scopeId: scope.id });
        await db.write((tx) => keepContent(tx, { backupId: id, scopeId: scope.id, root: '', packs: [] }));
        await run(refused('INSERT ON flow'));
        return () => loop('verification', 'node');
      },
      tries: 5,
      about: /^node$/,
      reason: /refused here/,
    },
  ],
  alarms: [
    {
      name: 'they cannot be read',
      breaks: async ({ run, loop }) => {
        await run('ALTER TABLE alarm RENAME TO elsewhere');
        return () => loop('alarms', 'node');
      },
      tries: 5,
      about: /^node$/,
      reason: /no such table: alarm/,
    },
  ],
  examination: [
    {
      name: 'the doctor knows no schema like this one',
      breaks: async ({ run, loop }) => {
        await run("INSERT INTO schema_version (version, name, applied_at) VALUES (99, '0099-later', '')");
        return () => loop('examination', 'node');
      },
      tries: 2,
      about: /^node$/,
      reason: /could not examine: sh ended with 1: The database has schema 99/,
    },
  ],
  messages: [
    {
      name: 'they cannot be removed',
      breaks: async ({ world, run, loop }) => {
        const { db } = world.service;
        const message = { projectId: 'p', requestId: 'r', resourceType: 'VOLUME', resourceId: 'v', eventId: 'e' };
        await db.write((tx) => insertMessage(tx, { ...message, level: 'ERROR', text: 't', expiresAt: fromNow(-1) }));
        await run(refused('DELETE ON message'));
        return () => loop('messages', 'node');
      },
      tries: 1,
      about: /^node$/,
      reason: /refused here/,
    },
  ],
  tokens: [
    {
      name: 'they cannot be removed',
      breaks: async ({ world, run, loop }) => {
        const times = { issuedAt: fromNow(-2), expiresAt: fromNow(-1) };
        const token = {
          digest: 'd',
          auditId: 'a',
          methods: [],
          userId: 'u',
          projectId: null,
          secretMark: 's',
          ...times,
        };
        await world.service.db.write((tx) => insertToken(tx, { ...token, applicationCredentialId: null }));
        await run(refused('DELETE ON token'));
        return () => loop('tokens', 'node');
      },
      tries: 5,
      about: /^node$/,
      reason: /refused here/,
    },
  ],
  events: [
    {
      name: 'the file cannot be written',
      set: () => ['notifications.drivers=["file"]'],
      breaks: async ({ world, clock }) => {
        mkdirSync(world.config.notifications.file, { recursive: true });
        await world.service.db.write((tx) => appendEvents(tx, [event()]));
        clock.shared = true;
        return () => world.service.dispatcher.run(clock.signal);
      },
      tries: 30,
      about: /^file$/,
      reason: /./,
    },
    {
      name: 'no broker listens',
      set: () => ['notifications.drivers=["amqp"]', `notifications.amqp_url=amqp://127.0.0.1:${port}`],
      breaks: async ({ world, clock }) => {
        await world.service.db.write((tx) => appendEvents(tx, [event()]));
        clock.shared = true;
        return () => world.service.dispatcher.run(clock.signal);
      },
      tries: 30,
      about: /^amqp$/,
      reason: /ECONNREFUSED/,
    },
  ],
  traces: [
    {
      name: 'no collector listens',
      breaks: async ({ world }) => {
        const collector = {
          address: 'http://collector',
          send: () => Promise.reject(new Error('connect ECONNREFUSED')),
          close: async () => {},
        };
        const queue = new SpanQueue(collector, world.service.troubles);
        const span = { name: 'a', kind: 'internal', traceId: 'a', spanId: 'b', parentId: undefined } as const;
        const at = fromNow(0);
        return async () => {
          for (let tries = 1; tries <= 30; tries += 1) {
            queue.offer([{ ...span, start: at, end: at, attributes: {}, events: [] }]);
            while (queue.lost < tries) await turn();
          }
        };
      },
      tries: 30,
      about: /^http:..collector$/,
      reason: /ECONNREFUSED/,
    },
  ],
  outbox: [
    {
      name: 'they cannot be removed',
      breaks: async ({ world, run, clock }) => {
        const { db, troubles } = world.service;
        await db.write((tx) => appendEvents(tx, [event()]));
        await db.write((tx) =>
          tx.db
            .updateTable('outbox')
            .set({ created_at: fromNow(-HOUR_MS * 1_000) })
            .execute(),
        );
        await run(refused('DELETE ON outbox'));
        const { tidying } = world.service.dispatcher;
        return () => keepUp({ ...tidying, everyMs: 0 }, troubles, clock.signal);
      },
      tries: 5,
      about: /^events$/,
      reason: /refused here/,
    },
  ],
  journal: [
    {
      name: 'the queue cannot be read',
      breaks: async ({ world, context, run }) => {
        const { db, desk, troubles } = world.service;
        let failures = 0;
        const engine = new Engine<typeof desk.tools, Parameters<Parameters<typeof db.write>[0]>[0]>({
          journal: new DatabaseJournal(db),
          tools: desk.tools,
          flows: [],
          pollMs: 1,
          listen: (heard: EngineEvent) => {
            if (heard.is === 'journal-trouble') failures += 1;
            logEvent(desk.log, troubles, heard);
          },
        });
        context.after(() => engine.stop());
        await engine.start();
        return async () => {
          await run('ALTER TABLE flow RENAME TO taken_away');
          for (engine.wake(); failures < 100; engine.wake()) await turn();
          await engine.stop();
          await run('ALTER TABLE taken_away RENAME TO flow');
        };
      },
      tries: 100,
      about: /^queue$/,
      reason: /no such table/,
    },
  ],
  identity: [
    {
      name: 'our password is refused',
      breaks: async ({ world, context, clock }) => {
        const server = await identityServer(context);
        const { log } = world.service.desk;
        const { troubles } = world.service;
        const credentials = { applicationCredentialId: 'id', applicationCredentialSecret: 'old' };
        const keystone = new Keystone({ url: server.url, credentials, timeoutMs: 5_000, cacheMs: 1, log, troubles });
        return async () => {
          while (!clock.signal.aborted) {
            server.next.push(answer(401, {}));
            await assert.rejects(Promise.resolve(keystone.token('somebody')));
            server.next.length = 0;
            await clock.pause(1_000, clock.signal).catch(() => {});
          }
          assert.ok(server.requests.length < 100, `it was asked ${server.requests.length} times`);
        };
      },
      tries: 30,
      about: /^our credentials$/,
      reason: /answers 401 to our own credentials/,
    },
  ],
};

async function bed(context: TestContext, lines: string[], set: Cause['set']): Promise<Bed> {
  const directory = mkdtempSync(join(tmpdir(), 'pumice-hour-'));
  const clock = new QuickClock();
  const log = createLog({ level: 'info', to: { write: (line) => void lines.push(line) } });
  const world = await freshWorld(context, { clock, log, set: set?.(directory) ?? [] });
  context.after(() => rmSync(directory, { recursive: true }));
  const { service, config } = world;
  return {
    world,
    clock,
    context,
    loop: async (upkeep, about) => {
      const loop = service.upkeep.find((each) => each.upkeep === upkeep && each.about === about);
      assert.ok(loop, `${upkeep} ${about} is in the table`);
      // Its first round comes soon, and not after the hour.
      await keepUp({ ...loop, everyMs: Math.min(loop.everyMs, 1_000) }, service.troubles, clock.signal);
    },
    run: (sql) => service.db.write(({ connection }) => connection.run(sql)),
    path: (...parts) => join(config.backends.file?.driver === 'file' ? config.backends.file.path : '', ...parts),
  };
}

const rowsOf = async (world: World): Promise<number> =>
  Object.values(await dump(world)).reduce((sum, rows) => sum + rows.length, 0);

describe('an hour of upkeep that cannot succeed', () => {
  for (const [upkeep, causes] of Object.entries(CAUSES)) {
    for (const { name, skip = false, set, breaks, tries, about, reason } of causes) {
      test(`${upkeep}: ${name}`, { skip }, async (context) => {
        const lines: string[] = [];
        const made = await bed(context, lines, set);
        const hour = await breaks(made);
        const before = await rowsOf(made.world);
        lines.length = 0;
        await hour();
        const { service } = made.world;
        await service.troubles.kept();
        const grown = (await rowsOf(made.world)) - before;
        assert.ok(grown < FEW, `${grown} rows more`);
        assert.ok(lines.length < FEW, `${lines.length} lines: ${lines.slice(0, FEW).join('')}`);
        const kept = await listTroubles(service.db);
        const found = kept.filter((each) => each.upkeep === upkeep && about.test(each.about));
        assert.equal(found.length, 1, JSON.stringify(kept));
        assert.match(found[0]?.reason ?? '', reason);
        const tried = service.troubles.find(upkeep, found[0]?.about ?? '')?.tries ?? 0;
        assert.ok(tried >= tries, `it was tried ${tried} times`);
        const told = lines.filter((line) => line.includes(`"upkeep":"${upkeep}"`));
        assert.ok(told.length <= 1, told.join(''));
      });
    }
  }

  test('every loop of a service is one of those', async (context) => {
    const { world } = await bed(context, [], undefined);
    const known = Object.keys(UPKEEP);
    assert.deepEqual(
      world.service.upkeep.filter((loop) => !known.includes(loop.upkeep)),
      [],
    );
  });

  test('whatever else waits in a loop is known here, with its reason', () => {
    const waits = /\bpause\(|\bsetInterval\(|\bsetTimeout\(/;
    const found = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && waits.test(readFileSync(join('src', file), 'utf8')))
      .sort();
    assert.deepEqual(found, Object.keys(WAITING).sort());
  });

  test('docs/operations.md has each of them', () => {
    const text = readFileSync('docs/operations.md', 'utf8');
    const rows = Object.entries(UPKEEP).map(([name, { does, often }]) => `| \`${name}\` | ${does} | ${often} |`);
    assert.deepEqual(
      rows.filter((row) => !text.includes(row)),
      [],
    );
  });
});

/** Where something is waited for, and what ends it or keeps it from filling the log. */
const WAITING: Readonly<Record<string, string>> = {
  'api/pumice/event-stream.ts': 'a sign of life for who watches, and whether its token is good',
  'api/connections.ts': 'the time limits of a connection',
  'api/identity/sign-in-throttle.ts': 'a request with a wrong password waits once',
  'api/readiness.ts': 'a check of health waits two seconds for the database',
  'api/strategies.ts': 'hands the clock to the throttle',
  'backups/byte-rate.ts': 'time that bytes may take',
  'backups/stores/patient-store.ts': 'asks a store again, as long as the order has patience',
  'backups/stores/store-http.ts': 'who has put something new where others may have, too, looks once more',
  'backups/work.ts': 'a process tells that it lives, until it ends',
  'cli/demo/client.ts': 'a person watches',
  'cli/demo/flow-picture.ts': 'a person watches',
  'doctor/examine.ts': 'the second look',
  'cli/flows-watch.ts': 'a person watches',
  'cli/flows-wish.ts': 'a person waits',
  'cli/keyboard.ts': 'a person presses a key',
  'cli/top.ts': 'a person watches',
  'clients/glance-http.ts': 'a few tries of one request',
  'commands/volumes/upload-volume.ts': 'a request waits for the record of its image',
  'flows/backups/bite-recorder.ts': 'half a second between two commits of a copy, which ends with it',
  'flows/backups/run-backup-schedule.ts': 'a run waits for its backups, until its next one is due',
  'flows/volumes/move-attached.ts': 'a flow looks after the exports of what it moves, for as long as it copies',
  'db/sql/postgresql-transactor.ts': 'a transaction is tried again; its caller waits',
  'db/sql/ownership.ts': 'a session whose server does not answer is given up',
  'db/sql/sqlite.ts': 'a lock of another process; its caller waits',
  'db/sql/writer.ts': 'a commit is tried again; its callers wait',
  'metrics/metrics.ts': 'a scrape waits five seconds for the database',
  'drivers/exports/iscsi-exports.ts': 'has a deadline',
  'drivers/exports/tgtd.ts': 'has a deadline',
  'doctor/doctor-child.ts': 'keeps its process alive until it has examined',
  'drivers/host-copies.ts': 'a few looks for room',
  'drivers/rbd/convert.ts': 'ends with its copy, which it ends when the pool is full',
  'drivers/rbd/image-files.ts': 'the time limits of a beginning and an end',
  'drivers/rbd/rbd-driver.ts': 'a client has five seconds to close an image',
  'drivers/rbd/waits.ts': 'the time limits of a call and of its probe',
  'drivers/remote-copy.ts': 'ends with its copy, which it ends when the source is gone',
  'engine/engine.ts': 'upkeep: `journal`',
  'engine/runner.ts': 'upkeep: `journal`',
  'engine/work.ts': 'the tries of a task, told at the 1st, 2nd, 4th, 8th …',
  'events/amqp-publisher.ts': 'what is waited for ends with the connection',
  'events/event-count.ts': 'upkeep: `events`',
  'events/dispatcher.ts': 'upkeep: `events`',
  'events/hub.ts': 'somebody watches',
  'events/sink-amqp.ts': 'says goodbye once',
  'http/answer.ts': 'the time limit of one wait',
  'http/exchange.ts': 'the time limit of a connection and of a head',
  'http/peer.ts': 'the time limit of a whole request; one repetition',
  'lib/clock.ts': 'what the others wait with',
  'lib/exec.ts': 'the time limit of a program',
  'lib/keep-up.ts': 'the loop of upkeep',
  'main.ts': 'the end of the process',
  'traces/span-queue.ts': 'upkeep: `traces`; an orderly end waits for the last of them',
  'upkeep/serve-backend.ts': 'upkeep: `backend`; a name that another process has is asked for',
  'wiring.ts': 'the start',
};
