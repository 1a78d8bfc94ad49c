/**
 * How long those wait who write to attached volumes: while groups of two are snapshotted in one moment, and while a volume moves to
 * another backend. Each writer has eight writes under way over iSCSI, and its pause is the longest time in which it was answered none;
 * beside it is the longest in as long a time in which nothing was asked for, since a machine's other work makes gaps, too. The service is
 * the real program, in a process of its own.
 */
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Reached } from '../test/crash/iscsi-client.ts';
import { AcknowledgedWriter } from '../test/drivers/exports/acknowledged-writer.ts';
import { IscsiSession } from '../test/drivers/exports/iscsi-session.ts';
import { killTgtd, noTgt } from '../test/drivers/exports/tgt-world.ts';
import { cannotMount, mountFileSystem } from '../test/drivers/file/file-systems.ts';
import { freePort } from '../test/free-port.ts';
import { ask } from './creates.ts';
import type { Part } from './part.ts';
import { startServer } from './processes.ts';
import { percentile, quantity, type Result, ratios } from './report.ts';
import { path } from './subject.ts';
import { dropDatabase, newDatabase, newDirectory, type World } from './world.ts';

/** In all rounds: a hundredth of them is to be told. */
const MOMENTS = 200;
const MOVES = 20;
const BACKENDS = ['one', 'two'] as const;
const ROOM_MIB = 1024;
const INITIATOR = 'iqn.2004-10.bench:writer';
const DEADLINE_MS = 60_000;

/** Milliseconds, one for each time. */
interface Pauses {
  readonly asked: number[];
  readonly idle: number[];
}

export const pauses: Part = {
  limit: 'A machine that is asked for nothing has gaps of its own, which are beside each pause.',
  measure: measurePauses,
};

async function measurePauses(world: World): Promise<Result[]> {
  const cannot = noTgt ?? cannotMount('xfs');
  if (cannot !== null) return [{ figure: 'pauses of who writes to attached volumes', skipped: cannot }];
  const moments: Pauses[] = [];
  const moves: Pauses[] = [];
  const each = (all: number): number => Math.ceil(all / world.rounds / world.haste);
  await withSite(world, async (site) => {
    const group = await site.group();
    const members = [await site.attached(group), await site.attached(group)];
    const moving = await site.attached();
    for (let round = 1; round <= world.rounds; round += 1) {
      world.tell(`round ${round} of ${world.rounds}: group snapshots`);
      moments.push(
        await site.written(members, (written) =>
          pausesOf(written, each(MOMENTS), async () => {
            const snapshot = await site.snapshotted(group);
            return () => site.forgotten(snapshot);
          }),
        ),
      );
      world.tell(`round ${round} of ${world.rounds}: moves`);
      moves.push(
        await site.written([moving], (written) => pausesOf(written, each(MOVES), () => site.moved(moving.id))),
      );
    }
  });
  const row = (figure: string, of: readonly Pauses[], part: number, atMost?: number): Result => {
    const [asked, idle] = (['asked', 'idle'] as const).map((which) => [
      percentile(
        of.flatMap((round) => round[which]),
        part,
      ),
    ]);
    return {
      figure,
      measured: quantity(asked ?? [], 'ms'),
      beside: { what: 'nothing is asked for', quantity: quantity(idle ?? [], 'ms') },
      ratio: ratios(asked ?? [], idle ?? []),
      ...(atMost !== undefined && { wanted: { of: 'measured', atMost } }),
    };
  };
  return [
    row(`${MOMENTS} group snapshots let their writers wait, p50`, moments, 0.5),
    row(`${MOMENTS} group snapshots let their writers wait, p99`, moments, 0.99, 50),
    row(`${MOVES} moves of an attached volume let its writer wait, p50`, moves, 0.5),
    row(`${MOVES} moves of an attached volume let its writer wait, the longest`, moves, 1, 150),
  ];
}

interface Attached {
  readonly id: string;
  readonly reached: Reached;
}

/** `work` resolves with what tidies up after it, which is not looked at. */
async function pausesOf(
  writers: readonly AcknowledgedWriter[],
  times: number,
  work: () => Promise<() => Promise<void>>,
): Promise<Pauses> {
  const found: Pauses = { asked: [], idle: [] };
  const longestGap = async (body: () => Promise<unknown>): Promise<number> => {
    for (const writer of writers) writer.longestGapMs = 0;
    await body();
    for (const writer of writers) await writer.goesOn();
    return Math.max(...writers.map(({ longestGapMs }) => longestGapMs));
  };
  for (let time = 0; time < times; time += 1) {
    const begun = performance.now();
    let tidy = async (): Promise<void> => {};
    found.asked.push(
      await longestGap(async () => {
        tidy = await work();
      }),
    );
    const ms = performance.now() - begun;
    await tidy();
    found.idle.push(await longestGap(() => delay(ms)));
  }
  return found;
}

interface Group {
  readonly group_id: string;
  readonly volume_type: string;
}

interface Site {
  /** One whose snapshots are of one moment. */
  group(): Promise<Group>;
  /** A new volume, in the group if there is one. */
  attached(group?: Group): Promise<Attached>;
  /** Only these are written to meanwhile. */
  written<Result>(
    volumes: readonly Attached[],
    body: (writers: readonly AcknowledgedWriter[]) => Promise<Result>,
  ): Promise<Result>;
  snapshotted(group: Group): Promise<string>;
  forgotten(groupSnapshot: string): Promise<void>;
  /** To the other backend. */
  moved(volume: string): Promise<() => Promise<void>>;
}

async function withSite(world: World, body: (site: Site) => Promise<void>): Promise<void> {
  const mounted = BACKENDS.map(() => mountFileSystem('xfs', ROOM_MIB));
  const settings = [`enabled_backends=${JSON.stringify(BACKENDS)}`];
  for (const [at, name] of BACKENDS.entries()) {
    const section = { driver: 'file', path: join(mounted[at]?.path ?? '', 'volumes'), create: true };
    const exported = { target_protocol: 'iscsi', target_port: await freePort() };
    for (const [key, value] of Object.entries({ ...section, ...exported }))
      settings.push(`backends.${name}.${key}=${value}`);
  }
  const database = await newDatabase(world, 'sqlite');
  const server = await startServer('service.ts', [database, newDirectory(world), 'noauth', ...settings]);
  const agent = new Agent({ keepAlive: true });
  try {
    await body(siteAt(server.address, agent));
  } finally {
    agent.destroy();
    await server.stop();
    for (const each of mounted) {
      await killTgtd(each.path);
      each.remove();
    }
    await dropDatabase(world, database);
  }
}

function siteAt(address: string, agent: Agent): Site {
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  const api = (method: string, rest: string, body?: object): Promise<any> =>
    ask(agent, method, `${address}${path(rest)}`, body && JSON.stringify(body));
  // biome-ignore lint/suspicious/noExplicitAny: a resource, as it is answered
  const until = async (rest: string, isSo: (resource: any) => boolean): Promise<any> => {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const [resource] = Object.values(await api('GET', rest));
      if (isSo(resource)) return resource;
      if (performance.now() > deadline) throw new Error(`${rest} stays ${JSON.stringify(resource)}.`);
      await delay(5);
    }
  };
  const available = ({ status }: { readonly status: string }): boolean => status === 'available';
  return {
    group: async () => {
      const { group_type } = await api('POST', '/group_types', { group_type: { name: 'moment' } });
      const group_specs = { consistent_group_snapshot_enabled: '<is> True' };
      await api('POST', `/group_types/${group_type.id}/group_specs`, { group_specs });
      const [type] = (await api('GET', '/types')).volume_types;
      const asked = { name: 'written', group_type: group_type.id, volume_types: [type.id] };
      const { group } = await api('POST', '/groups', { group: asked });
      await until(`/groups/${group.id}`, available);
      return { group_id: group.id, volume_type: type.id };
    },
    attached: async (group) => {
      const { id } = (await api('POST', '/volumes', { volume: { size: 1, ...group } })).volume;
      await until(`/volumes/${id}`, available);
      const connector = { host: 'bench', initiator: INITIATOR };
      const { attachment } = await api('POST', '/attachments', { attachment: { volume_uuid: id, connector } });
      await api('POST', `/attachments/${attachment.id}/action`, { 'os-complete': null });
      return { id, reached: attachment.connection_info };
    },
    written: async (volumes, body) => {
      const writers: AcknowledgedWriter[] = [];
      try {
        for (const { reached } of volumes)
          writers.push(new AcknowledgedWriter(await IscsiSession.open(INITIATOR, reached)));
        for (const writer of writers) await writer.goesOn();
        const result = await body(writers);
        for (const writer of writers) assert.equal(writer.failed, 0, 'no write is refused');
        return result;
      } finally {
        for (const writer of writers) await writer.stop();
      }
    },
    snapshotted: async ({ group_id }) => {
      const { group_snapshot } = await api('POST', '/group_snapshots', { group_snapshot: { group_id } });
      await until(`/group_snapshots/${group_snapshot.id}`, ({ status }) => {
        assert.notEqual(status, 'error');
        return status === 'available';
      });
      return group_snapshot.id;
    },
    forgotten: async (id) => {
      await api('DELETE', `/group_snapshots/${id}`);
      const deadline = performance.now() + DEADLINE_MS;
      while ((await api('GET', '/group_snapshots')).group_snapshots.length > 0) {
        if (performance.now() > deadline) throw new Error(`Group snapshot ${id} is not deleted.`);
        await delay(5);
      }
    },
    moved: async (id) => {
      const { volume } = await api('GET', `/volumes/${id}`);
      const here: string = volume['os-vol-host-attr:host'];
      const host = here.includes('@one#') ? here.replaceAll('one', 'two') : here.replaceAll('two', 'one');
      await api('POST', `/volumes/${id}/action`, { 'os-migrate_volume': { host } });
      await until(`/volumes/${id}`, ({ migration_status, 'os-vol-host-attr:host': at }) => {
        assert.notEqual(migration_status, 'error');
        return migration_status === 'success' && at === host;
      });
      return async () => {};
    },
  };
}
