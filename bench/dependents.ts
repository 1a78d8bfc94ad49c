/**
 * What hangs on volumes, which are files on XFS, by eight clients: snapshots, from the first request until all are available and all are gone again; and
 * attachments, each made with a connector, completed and deleted. Beside: another build.
 */
import { Agent } from 'node:http';
import { join } from 'node:path';
import { cannotMount, mountFileSystem } from '../test/drivers/file/file-systems.ts';
import { type Build, THIS_BUILD } from './build.ts';
import { allGone, byClients, CLIENTS } from './clients.ts';
import { allAvailable, ask } from './creates.ts';
import type { Part } from './part.ts';
import { type Server, startServer } from './processes.ts';
import { besideBuild, quantity, type Result, type Row } from './report.ts';
import { rounds } from './rounds.ts';
import { PROJECT, path } from './subject.ts';
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
    'A snapshot made and deleted is four shared syncs of the database and a file made and removed; an attachment ' +
    'made, completed and deleted is one shared sync for each of its commits, one behind the other. A bare server ' +
    'that writes the same rows in as many transactions is the limit.',
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
    const figures = await measure(world, database, build);
    await dropDatabase(world, database);
    return figures;
  };
  const { other } = world;
  const { ours, theirs } = await rounds(
    world.rounds,
    { ours: newOnes(THIS_BUILD), theirs: other && newOnes(other) },
    world.tell,
  );
  const row = (figure: string, key: keyof Figures, unit: string): Row => {
    const of = (all: readonly Figures[]): number[] => all.map((each) => each[key]);
    return {
      figure: `${figure}, ${CLIENTS} clients, ${DIALECTS[dialect]}`,
      measured: quantity(of(ours), unit),
      ...(other !== undefined && besideBuild(other, of(ours), of(theirs), unit)),
    };
  };
  return [
    row('snapshots made and deleted', 'snapshotsPerSecond', '/s'),
    row('CPU of a snapshot, made and deleted', 'snapshotCpuMs', 'ms'),
    row('attachments made, completed and deleted', 'attachmentsPerSecond', '/s'),
    row('CPU of an attachment, made, completed and deleted', 'attachmentCpuMs', 'ms'),
  ];
}

async function measure(world: World, database: string, { root }: Build): Promise<Figures> {
  const mounted = mountFileSystem('xfs', MIB);
  const server = await startServer('service.ts', [database, join(mounted.path, 'data')], root);
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

const CONNECTOR = { host: 'bench', ip: '127.0.0.1', initiator: 'iqn.2026-01.example:bench', mountpoint: '/dev/vdb' };

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
