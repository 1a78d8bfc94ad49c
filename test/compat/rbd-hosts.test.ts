/**
 * Three processes on one Ceph pool and one PostgreSQL: what is made through one is used through the others, and whichever of them is killed or
 * frozen in the middle of its work, the others end it.
 *
 * `RBD_STRIKES=60` strikes so often, and prints how long it took until everything rested.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { noRbd, sharedCeph } from '../ceph-cluster.ts';
import { type Bench, type Pumice, withPumice } from '../cli/pumice-process.ts';
import { freshPostgresql } from '../databases.ts';
import { PoolBytes } from '../drivers/rbd/pool-bytes.ts';
import { makePool } from '../drivers/rbd/rbd-world.ts';

const PROJECT = '0123456789abcdef0123456789abcdef';
const NODES = ['one', 'two', 'three'] as const;
const STRIKES = Number(process.env.RBD_STRIKES ?? 6);
const DEADLINE_MS = 120_000;

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
type Answer = any;

interface Host {
  readonly process: Pumice;
  readonly address: string;
}

interface Site {
  readonly hosts: Map<string, Host>;
  begin(node: string): Promise<void>;
  ask(node: string, method: string, path: string, body?: object): Promise<Answer>;
  doctor(): Promise<string>;
  readonly pool: string;
  readonly bytes: PoolBytes;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + DEADLINE_MS; !(await holds()); await pause(30))
    if (performance.now() > deadline) throw new Error(`Never: ${what}.`);
}

async function site(context: TestContext, { directory, run }: Bench): Promise<Site | undefined> {
  const database = await freshPostgresql();
  if ('missing' in database) return context.skip(`PostgreSQL: ${database.missing}`) as undefined;
  context.after(() => database.remove());
  const ceph = await sharedCeph();
  const pool = await makePool(ceph);
  const hosts = new Map<string, Host>();
  const options = (node: string) => [
    ...[`node_name=${node}`, `data_directory=${directory}/${node}`, `database.url=${database.url}`, 'api.port=0'],
    ...['quota.quota_volumes=-1', 'quota.quota_gigabytes=-1', 'log.level=warn'],
    ...['services.report_interval=1', 'services.backend_stats_polling_interval=1'],
    ...['driver=rbd', 'backend_host=ceph', `rbd_pool=${pool}`, `rbd_ceph_conf=${ceph.config}`].map(
      (each) => `backends.rbd.${each}`,
    ),
  ];
  const set = (node: string) => options(node).flatMap((each) => ['--set', each]);
  return {
    hosts,
    pool,
    bytes: new PoolBytes(ceph),
    begin: async (node) => {
      const process = run('serve', ...set(node));
      hosts.set(node, { process, address: await process.address() });
    },
    ask: async (node, method, path, body) => {
      const headers = {
        'content-type': 'application/json',
        'x-auth-token': `u:${PROJECT}`,
        'openstack-api-version': 'volume 3.70',
      };
      const given = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(`${hosts.get(node)?.address}/v3/${PROJECT}${path}`, { method, headers, ...given });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === '' ? {} : JSON.parse(text);
    },
    doctor: async () => {
      const { out, err } = await run('doctor', ...set(NODES[0])).ended();
      return out + err;
    },
  };
}

describe('several processes on one Ceph pool', { skip: noRbd }, () => {
  it('use what another has made, and finish what another has begun that was killed or frozen', async (context) => {
    await withPumice(async (bench) => {
      const made = await site(context, bench);
      if (made === undefined) return;
      const { ask, begin, hosts } = made;
      for (const node of NODES) await begin(node);
      await until('the pool is served', async () => {
        const { pools } = await ask(NODES[0], 'GET', '/scheduler-stats/get_pools?detail=true');
        // Ceph itself does not know at once how large a new pool may become.
        return pools[0]?.capabilities.free_capacity_gb > 0;
      });
      const [one, two, three] = NODES;
      const rests = (node: string, kind: 'volume' | 'snapshot', id: string) =>
        until(`${kind} ${id} rests`, async () => {
          const { status } = (await ask(node, 'GET', `/${kind}s/${id}`))[kind];
          if (/error/.test(status)) assert.fail(JSON.stringify((await ask(node, 'GET', '/messages')).messages));
          return status === 'available';
        });
      const make = async (node: string, volume: object): Promise<string> =>
        (await ask(node, 'POST', '/volumes', { volume })).volume.id;

      const source = await make(one, { size: 1 });
      await rests(two, 'volume', source);
      const { volume } = await ask(three, 'GET', `/volumes/${source}`);
      assert.match(volume['os-vol-host-attr:host'], /^ceph@rbd#/);
      const connector = { host: 'compute', ip: '127.0.0.1' };
      const { attachment } = await ask(two, 'POST', '/attachments', { attachment: { volume_uuid: source, connector } });
      assert.equal(attachment.connection_info.driver_volume_type, 'rbd');
      await ask(three, 'DELETE', `/attachments/${attachment.id}`);
      await rests(one, 'volume', source);
      await ask(two, 'POST', `/volumes/${source}/action`, { 'os-extend': { new_size: 2 } });
      await rests(three, 'volume', source);
      const { snapshot } = await ask(three, 'POST', '/snapshots', { snapshot: { volume_id: source } });
      await rests(one, 'snapshot', snapshot.id);

      const volumes = [source];
      for (let round = 0; round < STRIKES; round += 1) {
        const signal = round % 2 === 0 ? 'SIGKILL' : 'SIGSTOP';
        const struck = NODES[round % NODES.length] as string;
        const others = NODES.filter((node) => node !== struck);
        const wanted = [{ size: 1 }, { size: 2, snapshot_id: snapshot.id }, { size: 2, source_volid: source }];
        const answers = await Promise.all(wanted.map((each) => make(struck, each)));
        // Those of the round before go meanwhile: the cluster is small.
        for (const id of volumes.splice(1, volumes.length, ...answers)) await ask(struck, 'DELETE', `/volumes/${id}`);
        await pause(40 * (round % 8));
        const { process } = hosts.get(struck) as Host;
        process.signal(signal);
        const began = performance.now();
        for (const id of answers) await rests(others[round % 2] as string, 'volume', id);
        context.diagnostic(`${signal}: all rested after ${Math.round(performance.now() - began)} ms`);
        if (signal === 'SIGSTOP') {
          await until('it was left behind', async () => {
            const { services } = await ask(others[0] as string, 'GET', '/os-services?binary=cinder-volume');
            return services.every(({ state }: { readonly state: string }) => state === 'up');
          });
          process.signal('SIGCONT');
          // One that was not missed for long enough goes on.
          await Promise.race([process.ended(), pause(3_000)]);
          process.signal('SIGKILL');
        }
        await process.ended();
        await begin(struck);
      }
      assert.match(await made.doctor(), /All is well/);
      assert.deepEqual(await made.bytes.ask(made.pool, 'leftovers'), []);

      await Promise.all(
        volumes.slice(1).map((id, index) => ask(NODES[index % 3] as string, 'DELETE', `/volumes/${id}`)),
      );
      const listed = async (kind: string): Promise<number> => (await ask(two, 'GET', `/${kind}`))[kind].length;
      await until('the copies are gone', async () => (await listed('volumes')) === 1);
      await ask(one, 'DELETE', `/snapshots/${snapshot.id}`);
      await until('the snapshot is gone', async () => (await listed('snapshots')) === 0);
      await ask(three, 'DELETE', `/volumes/${source}`);
      await until('all is gone', async () => (await listed('volumes')) === 0);
      const { limits } = await ask(one, 'GET', '/limits');
      assert.equal(limits.absolute.totalGigabytesUsed, 0);
      await until('the pool is empty', async () => {
        const objects = await made.bytes.ask<string[]>(made.pool, 'objects');
        return !objects.some((name) => /^rbd_(id|header|data|object_map)\./.test(name));
      });
    });
  });
});
