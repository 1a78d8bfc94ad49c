/**
 * Three machines on one Ceph pool and one PostgreSQL, each with a network to either: what is made through one is used through the others, and
 * whichever is killed, frozen or cut off in the middle of its work, the others end it. What it comes back to it changes no more, neither in the
 * database nor in the pool.
 *
 * How long everything waited is printed. What bounds it: silence of a process counts as its end after `services.process_down_time`; a pool that
 * does not answer is noticed within two times 4 s, and left to the others at their next look, a second later.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { noRbd } from '../ceph-cluster.ts';
import { Child } from '../crash/child.ts';
import { condition } from '../crash/condition.ts';
import { type Machine, noMachines } from '../crash/machines.ts';
import { DATABASE, STORAGE, StormPool } from '../crash/storm-pool.ts';
import { freshPostgresql } from '../databases.ts';
import { scratchDirectory } from '../scratch.ts';

const PROJECT = '0123456789abcdef0123456789abcdef';
const NAMES = ['one', 'two', 'three'] as const;
type Name = (typeof NAMES)[number];
const PORT = 8776;
const PATIENCE_MS = 90_000;
/** As it is by default; only how often what is reported is looked at more often. */
const PROCESS_DOWN_S = 6;

// biome-ignore lint/suspicious/noExplicitAny: answers have every shape
type Answer = any;

interface Strike {
  readonly what: string;
  begin(child: Child, machine: Machine): void;
  end(child: Child, machine: Machine): void;
}

const cut = (...networks: readonly string[]): Strike => ({
  what: `cut off from ${networks.join(' and ')}`,
  begin: (_, machine) => networks.forEach((each) => void machine.cut(each)),
  end: (_, machine) => networks.forEach((each) => void machine.mend(each)),
});

const SILENT = cut(STORAGE).what;
const STRIKES: readonly Strike[] = [
  { what: 'killed', begin: (child) => void child.kill(), end: () => {} },
  { what: 'frozen', begin: (child) => child.freeze(), end: (child) => child.thaw() },
  cut(DATABASE),
  cut(STORAGE),
  cut(DATABASE, STORAGE),
];

describe('three machines on one Ceph pool and one PostgreSQL', { skip: noMachines() ?? noRbd }, () => {
  let directory = '';
  let pool: StormPool;
  let database: Exclude<Awaited<ReturnType<typeof freshPostgresql>>, { missing: string }>;
  let client: pg.Client;
  const children = new Map<Name, Child>();
  /** Milliseconds of the request that took longest since it was set to 0. */
  let longestMs = 0;

  const childOf = (name: Name): Child => children.get(name) as Child;
  const machineOf = (name: Name): Machine => pool.network.machines.find((each) => each.name === name) as Machine;
  const start = async (...names: readonly Name[]): Promise<void> => {
    for (const name of names) {
      const config = join(directory, `${name}.toml`);
      const machine = machineOf(name);
      const site = { directory, programs: '' };
      children.set(name, new Child({ site, name, config, port: PORT, fault: undefined, machine }));
    }
    for (const name of names) await childOf(name).ready();
  };

  const asked = async (name: Name, method: string, path: string, body?: object): Promise<Response> => {
    const began = performance.now();
    const response = await fetch(`${childOf(name).url}/v3/${PROJECT}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        'x-auth-token': `u:${PROJECT}`,
        'openstack-api-version': 'volume 3.70',
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    longestMs = Math.max(longestMs, performance.now() - began);
    return response;
  };
  const ask = async (name: Name, method: string, path: string, body?: object): Promise<Answer> => {
    const response = await asked(name, method, path, body);
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text === '' ? {} : JSON.parse(text);
  };
  const make = async (name: Name, volume: object): Promise<string> =>
    (await ask(name, 'POST', '/volumes', { volume })).volume.id;
  const rests = (name: Name, kind: 'volume' | 'snapshot', id: string): Promise<void> =>
    condition(`${kind} ${id} rests`, PATIENCE_MS, async () => {
      const { status } = (await ask(name, 'GET', `/${kind}s/${id}`))[kind];
      if (/error/.test(status)) assert.fail(JSON.stringify((await ask(name, 'GET', '/messages')).messages));
      return status === 'available' || status === 'in-use';
    });
  const gone = (name: Name, path: string): Promise<void> =>
    condition(`${path} is gone`, PATIENCE_MS, async () => (await asked(name, 'GET', path)).status === 404);
  const lies = async (): Promise<string[]> => (await pool.lying('ceph')).map((each) => each.name).sort();
  const journals = async (): Promise<unknown[]> =>
    (await client.query('SELECT id, owner, epoch, seq, state FROM flow ORDER BY id')).rows;

  before(async () => {
    directory = await mkdtemp(join(scratchDirectory(), `pumice-partitions-${process.pid}-`));
    pool = await StormPool.make(directory, NAMES);
    const fresh = await freshPostgresql();
    if ('missing' in fresh) throw new Error(fresh.missing);
    database = fresh;
    client = new pg.Client({ connectionString: fresh.url });
    await client.connect();
    const url = new URL(fresh.url);
    const gate = await pool.network.open(Number(url.port), DATABASE);
    url.host = `${gate.address}:${gate.port}`;
    for (const { name, address, directory: own } of pool.network.machines) {
      const text = `
node_name = "${name}"
data_directory = "${own}"
api.host = "${address}"
api.port = ${PORT}
api.listen_beyond_loopback = true
database.url = "${url.href}"
log.level = "warn"
services.report_interval = 1
quota.quota_volumes = 100
services.backend_stats_polling_interval = 1
services.process_down_time = ${PROCESS_DOWN_S}
[backends.ceph]
driver = "rbd"
backend_host = "pool"
rbd_pool = "${pool.name}"
rbd_ceph_conf = "${pool.ceph.config}"
`;
      await writeFile(join(directory, `${name}.toml`), text);
    }
    await start(...NAMES);
    await condition('the pool is served', PATIENCE_MS, async () => {
      const { pools } = await ask('one', 'GET', '/scheduler-stats/get_pools?detail=true');
      return pools[0]?.capabilities.free_capacity_gb > 0;
    });
  });

  after(async () => {
    for (const child of children.values()) await child.kill();
    await client?.end();
    await database?.remove();
    await pool?.remove();
    await rm(directory, { recursive: true, force: true });
  });

  it('have a volume of one attached, grown and snapshotted through the others', async () => {
    const id = await make('one', { size: 1 });
    await rests('two', 'volume', id);
    const connector = { host: 'compute', ip: '192.0.2.1' };
    const { attachment } = await ask('two', 'POST', '/attachments', { attachment: { volume_uuid: id, connector } });
    assert.equal(attachment.connection_info.name, `${pool.name}/volume-${id}`);
    await ask('three', 'POST', `/attachments/${attachment.id}/action`, { 'os-complete': null });
    await ask('one', 'POST', `/volumes/${id}/action`, { 'os-extend': { new_size: 2 } });
    await rests('three', 'volume', id);
    const { snapshot } = await ask('three', 'POST', '/snapshots', { snapshot: { volume_id: id, force: true } });
    await rests('one', 'snapshot', snapshot.id);
    assert.deepEqual(await lies(), [`.export-${attachment.id}`, `snapshot-${snapshot.id}`, `volume-${id}`]);
    await ask('one', 'DELETE', `/attachments/${attachment.id}`);
    await rests('two', 'volume', id);
    await ask('two', 'DELETE', `/snapshots/${snapshot.id}`);
    await gone('three', `/snapshots/${snapshot.id}`);
    await ask('three', 'DELETE', `/volumes/${id}`);
    await gone('one', `/volumes/${id}`);
    assert.deepEqual(await lies(), []);
  });

  for (const [round, { what, begin, end }] of STRIKES.entries()) {
    const name = NAMES[round % 3] as Name;
    it(`finish what one has begun that is ${what}, and it changes nothing when it is back`, async (context) => {
      const [other, third] = NAMES.filter((each) => each !== name) as [Name, Name];
      const source = await make(other, { size: 1 });
      await rests(other, 'volume', source);
      const [child, machine] = [childOf(name), machineOf(name)];
      const wanted = [{ size: 1 }, { size: 1 }, { size: 2, source_volid: source }, { size: 1 }];
      const made = Promise.all(wanted.map((each) => make(name, each)));
      // Answered they are promised, and some of the work is in the middle.
      const ids = await made;
      const { snapshot } = await ask(name, 'POST', '/snapshots', {
        snapshot: { volume_id: source, force: true },
      }).catch(() => ({ snapshot: null }));
      await pause(15 * round);
      longestMs = 0;
      begin(child, machine);
      const began = performance.now();
      // It takes requests all the same, and what they ask for cannot be done here.
      if (what === SILENT)
        ids.push(
          ...(await Promise.all([{ size: 1 }, { size: 1, source_volid: source }].map((each) => make(name, each)))),
        );
      let before: readonly unknown[] = [];
      try {
        for (const id of ids) await rests(other, 'volume', id);
        if (snapshot !== null) await rests(third, 'snapshot', snapshot.id);
        const restedMs = Math.round(performance.now() - began);
        context.diagnostic(
          `${what}: all rested after ${restedMs} ms; no request took longer than ${Math.round(longestMs)} ms`,
        );
        // All of it is gone before who was away is back: whatever it still did then would be seen.
        if (snapshot !== null) {
          await ask(third, 'DELETE', `/snapshots/${snapshot.id}`);
          await gone(third, `/snapshots/${snapshot.id}`);
        }
        for (const id of [...ids, source]) await ask(other, 'DELETE', `/volumes/${id}`);
        for (const id of [...ids, source]) await gone(third, `/volumes/${id}`);
        assert.deepEqual(await lies(), []);
        before = await journals();
      } finally {
        end(child, machine);
        await condition(`${name} has ended, or is there`, PATIENCE_MS, async () => {
          if (!child.alive) return true;
          const pools = await asked(name, 'GET', '/scheduler-stats/get_pools?detail=true').catch(() => undefined);
          return pools?.ok === true;
        });
        await child.ends(3_000);
        if (!child.alive) await start(name);
      }
      assert.deepEqual(await journals(), before);
      assert.deepEqual(await lies(), []);
      await condition('nothing is left in the trash', PATIENCE_MS, async () => (await pool.left()).length === 0);
      const again = await make(name, { size: 1 });
      await rests(name, 'volume', again);
      await ask(name, 'DELETE', `/volumes/${again}`);
      await gone(name, `/volumes/${again}`);
    });
  }

  it('have told each event once, and count what there is', async () => {
    const { rows: told } = await client.query<{ n: number; event_type: string }>(
      `SELECT resource, event_type, count(*)::int AS n FROM outbox
       WHERE event_type ~ '^(volume|snapshot)\\.(create|delete)\\.' GROUP BY 1, 2 HAVING count(*) <> 1`,
    );
    assert.deepEqual(told, []);
    const { limits } = await ask('one', 'GET', '/limits');
    assert.deepEqual([limits.absolute.totalVolumesUsed, limits.absolute.totalGigabytesUsed], [0, 0]);
    for (const table of ['hold', 'reservation'])
      assert.deepEqual((await client.query(`SELECT * FROM ${table}`)).rows, []);
    const { rows } = await client.query("SELECT name, state FROM flow WHERE state NOT IN ('success')");
    assert.deepEqual(rows, []);
  });
});
