/**
 * Deletes by eight clients, of volumes that are files on XFS: how fast `DELETE /volumes/{id}` is accepted, how long one is waited
 * for, how soon all are gone, and what a delete costs in CPU. Beside: the creates of the same volumes by the same clients.
 */
import { Agent } from 'node:http';
import { join } from 'node:path';
import { cannotMount, mountFileSystem } from '../test/drivers/file/file-systems.ts';
import { type Asked, allGone, byClients, CLIENTS } from './clients.ts';
import { allAvailable, ask } from './creates.ts';
import type { Part } from './part.ts';
import { type Server, startServer } from './processes.ts';
import { quantity, type Result, type Row, ratios } from './report.ts';
import { rounds } from './rounds.ts';
import { path } from './subject.ts';
import { DIALECTS, type Dialect, dropDatabase, newDatabase, type World } from './world.ts';

const VOLUMES = 400;
const MIB = 300;

export interface DeleteFigures {
  readonly creates: Asked;
  readonly deletes: Asked;
  /** From the first request until the last volume is gone. */
  readonly goneSeconds: number;
  /** With its flow. */
  readonly cpuMs: number;
}

export const deletes: Part = {
  limit:
    'To accept a delete takes one shared sync, as of a create, so the same creates are beside it. The rest is the ' +
    "removal of a file, which the file system's journal makes durable, and a second shared sync.",
  measure: measureDeletes,
};

async function measureDeletes(world: World): Promise<Result[]> {
  const results: Result[] = [];
  const cannot = cannotMount('xfs');
  for (const dialect of ['sqlite', 'postgresql'] as const) {
    const missing =
      cannot ?? (dialect === 'postgresql' && 'missing' in world.postgresql ? world.postgresql.missing : null);
    if (missing === null) results.push(...(await deletesOn(world, dialect)));
    else results.push({ figure: `deletes, ${DIALECTS[dialect]}`, skipped: missing });
  }
  return results;
}

async function deletesOn(world: World, dialect: Dialect): Promise<Result[]> {
  const { ours } = await rounds(
    world.rounds,
    {
      ours: async () => {
        const database = await newDatabase(world, dialect);
        const figures = await deletesIn(world, database);
        await dropDatabase(world, database);
        return figures;
      },
    },
    world.tell,
  );
  const of = (measure: (figures: DeleteFigures) => number): number[] => ours.map(measure);
  const besideCreates = (figure: string, key: keyof Asked, unit: string): Row => {
    const [measured, beside] = [of((each) => each.deletes[key]), of((each) => each.creates[key])];
    return {
      figure: `${figure}, ${CLIENTS} clients, files on XFS, ${DIALECTS[dialect]}`,
      measured: quantity(measured, unit),
      beside: { what: 'POST of the same volumes', quantity: quantity(beside, unit) },
      ratio: ratios(measured, beside),
    };
  };
  const alone = (figure: string, measured: readonly number[], unit: string): Row => ({
    figure: `${figure}, ${CLIENTS} clients, files on XFS, ${DIALECTS[dialect]}`,
    measured: quantity(measured, unit),
  });
  return [
    besideCreates('DELETE /volumes accepted', 'perSecond', '/s'),
    { ...besideCreates('median answer to a DELETE', 'waitMs', 'ms'), wanted: { of: 'ratio', atMost: 1 } },
    alone(
      `time until ${VOLUMES / world.haste} volumes are gone`,
      of((each) => each.goneSeconds),
      's',
    ),
    alone(
      'CPU of a delete and its flow',
      of((each) => each.cpuMs),
      'ms',
    ),
  ];
}

/** A new service on this database and a new file system; `service` is another build's, for a comparison by hand. */
export async function deletesIn(world: World, database: string, service = 'service.ts'): Promise<DeleteFigures> {
  const mounted = mountFileSystem('xfs', MIB);
  const server = await startServer(service, [database, join(mounted.path, 'data')]);
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  try {
    const count = VOLUMES / world.haste;
    await deleted(server, agent, await created(server, agent, count));
    const { ids, asked } = await created(server, agent, count);
    return { creates: asked, ...(await deleted(server, agent, { ids })) };
  } finally {
    agent.destroy();
    await server.stop();
    mounted.remove();
  }
}

const BODY = JSON.stringify({ volume: { size: 1, name: 'a volume' } });

async function created(server: Server, agent: Agent, volumes: number) {
  const ids: string[] = [];
  const asked = await byClients(volumes, async () => {
    const { volume } = (await ask(agent, 'POST', `${server.address}${path('/volumes')}`, BODY)) as {
      readonly volume: { readonly id: string };
    };
    ids.push(volume.id);
  });
  await allAvailable(server, agent);
  return { ids, asked };
}

async function deleted(server: Server, agent: Agent, { ids }: { readonly ids: readonly string[] }) {
  const before = await server.usage();
  const begun = performance.now();
  const deletes = await byClients(ids.length, async (at) => {
    await ask(agent, 'DELETE', `${server.address}${path(`/volumes/${ids[at]}`)}`);
  });
  await allGone(server, agent, 'volumes');
  const goneSeconds = (performance.now() - begun) / 1000;
  const after = await server.usage();
  return { deletes, goneSeconds, cpuMs: (after.cpuMs - before.cpuMs) / ids.length };
}
