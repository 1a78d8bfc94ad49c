/**
 * What hangs on volumes, which are files on XFS, by eight clients: snapshots, from the first request until all are available and all are gone again; and
 * attachments, each made with a connector, completed and deleted. Beside: another build, and on SQLite a bare server that writes all that they
 * write (`bare-operations.ts`), which is the limit.
 */
import { Agent } from 'node:http';
import { join } from 'node:path';
import { cannotMount, mountFileSystem } from '../test/drivers/file/file-systems.ts';
import { LEAST, startBarePeer } from './bare-peer.ts';
import { type Build, THIS_BUILD } from './build.ts';
import { allGone, byClients, CLIENTS } from './clients.ts';
import { allAvailable, ask } from './creates.ts';
import type { Part } from './part.ts';
import { type Server, startServer } from './processes.ts';
import { besideBuild, quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { CONNECTOR, PROJECT, path } from './subject.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, type World } from './world.ts';

const VOLUMES = 200;
const MIB = 300;

interface Figures {
  readonly snapshotsPerSecond: number;
  readonly snapshotCpuMs: number;
  readonly attachmentsPerSecond: number;
  readonly attachmentCpuMs: number;
}

export const dependents: Part = {
  limit:
    'A snapshot made and deleted is four shared syncs of the database and a file cloned and removed; an attachment made, ' +
    'completed and deleted is five, one behind the other. A bare server that writes the same rows in as many ' +
    'transactions, and clones and links the same files, is the limit.',
  measure: measureDependents,
};

async function measureDependents(world: World): Promise<Result[]> {
  const results: Result[] = [];
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    const missing =
      cannotMount('xfs') ??
      (dialect === 'postgresql' && 'missing' in world.postgresql ? world.postgresql.missing : null);
    if (missing === null) results.push(...(await dependentsOn(world, dialect)));
    else results.push({ figure: `snapshots and attachments, ${DIALECTS[dialect]}`, skipped: missing });
  }
  return results;
}

async function dependentsOn(world: World, dialect: Dialect): Promise<Result[]> {
  const newOnes = (build: Build) => async (): Promise<Figures> => {
    const database = await newDatabase(world, dialect);
    const figures = await measure(world, (directory) => startServer('service.ts', [database, directory], build.root));
    await dropDatabase(world, database);
    return figures;
  };
  const { other } = world;
  const least = (): Promise<Figures> => measure(world, (directory) => startBarePeer(world, directory));
  const { ours, theirs, limit } = await rounds(
    world.rounds,
    {
      ours: newOnes(THIS_BUILD),
      theirs: other && newOnes(other),
      limit: dialect === 'sqlite' ? least : undefined,
    },
    world.tell,
  );
  const of = (all: readonly Figures[], key: keyof Figures): number[] => all.map((each) => each[key]);
  const rows = (figure: string, key: keyof Figures, unit: string): Row[] => {
    const [mine, far, most] = [ours, theirs, limit].map((all) => of(all, key)) as [number[], number[], number[]];
    const row = { figure: `${figure}, ${CLIENTS} clients, ${DIALECTS[dialect]}`, measured: quantity(mine, unit) };
    const wanted = unit === '/s' ? ({ of: 'ratio', atLeast: 2 } as const) : undefined;
    const found: Row[] = [];
    if (other !== undefined) found.push({ ...row, ...besideBuild(other, mine, far, unit), ...(wanted && { wanted }) });
    if (most.length > 0)
      found.push({
        ...row,
        beside: { what: LEAST, quantity: quantity(most, unit), isLimit: true },
        ratio: ratios(mine, most),
      });
    return found.length > 0 ? found : [row];
  };
  return [
    ...rows('snapshots made and deleted', 'snapshotsPerSecond', '/s'),
    ...rows('CPU of a snapshot, made and deleted', 'snapshotCpuMs', 'ms'),
    ...rows('attachments made, completed and deleted', 'attachmentsPerSecond', '/s'),
    ...rows('CPU of an attachment, made, completed and deleted', 'attachmentCpuMs', 'ms'),
  ];
}

/** `start` is given the directory of the volumes, on a new file system. */
async function measure(world: World, start: (directory: string) => Promise<Server>): Promise<Figures> {
  const mounted = mountFileSystem('xfs', MIB);
  const server = await start(join(mounted.path, 'data'));
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const count = VOLUMES / world.haste;
  try {
    const quota = JSON.stringify({ quota_set: { snapshots: -1 } });
    await ask(agent, 'PUT', `${server.address}${path(`/os-quota-sets/${PROJECT}`)}`, quota);
    const volumes: string[] = [];
    await byClients(count, async () => {
      const made = await ask(agent, 'POST', `${server.address}${path('/volumes')}`, VOLUME);
      volumes.push((made as { readonly volume: { readonly id: string } }).volume.id);
    });
    await allAvailable(server, agent);
    const attach = await counted(server, count, () => attachments(server, agent, volumes));
    const snapshot = await counted(server, count, () => snapshots(server, agent, volumes));
    return {
      snapshotsPerSecond: snapshot.perSecond,
      snapshotCpuMs: snapshot.cpuMs,
      attachmentsPerSecond: attach.perSecond,
      attachmentCpuMs: attach.cpuMs,
    };
  } finally {
    agent.destroy();
    await server.stop();
    mounted.remove();
  }
}

const VOLUME = JSON.stringify({ volume: { size: 1, name: 'a volume' } });

/** Twice: the first time warms it up. */
async function counted(server: Server, times: number, work: () => Promise<void>) {
  await work();
  const before = await server.usage();
  const begun = performance.now();
  await work();
  const perSecond = (times / (performance.now() - begun)) * 1000;
  return { perSecond, cpuMs: ((await server.usage()).cpuMs - before.cpuMs) / times };
}

async function snapshots(server: Server, agent: Agent, volumes: readonly string[]): Promise<void> {
  const ids: string[] = [];
  await byClients(volumes.length, async (at) => {
    const body = JSON.stringify({ snapshot: { volume_id: volumes[at], name: 'a snapshot' } });
    const made = await ask(agent, 'POST', `${server.address}${path('/snapshots')}`, body);
    ids.push((made as { readonly snapshot: { readonly id: string } }).snapshot.id);
  });
  await allGone(server, agent, 'snapshots', '&status=creating');
  await byClients(ids.length, async (at) => {
    await ask(agent, 'DELETE', `${server.address}${path(`/snapshots/${ids[at]}`)}`);
  });
  await allGone(server, agent, 'snapshots');
}

async function attachments(server: Server, agent: Agent, volumes: readonly string[]): Promise<void> {
  const url = `${server.address}${path('/attachments')}`;
  await byClients(volumes.length, async (at) => {
    const body = { volume_uuid: volumes[at], connector: CONNECTOR };
    const made = await ask(agent, 'POST', url, JSON.stringify({ attachment: body }));
    const { id } = (made as { readonly attachment: { readonly id: string } }).attachment;
    await ask(agent, 'POST', `${url}/${id}/action`, JSON.stringify({ 'os-complete': {} }));
    await ask(agent, 'DELETE', `${url}/${id}`);
  });
}
