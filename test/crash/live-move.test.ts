/**
 * A volume of two clients, which write to it over iSCSI, moves to another backend, with the real program, which is killed on the way: in the
 * end it is whole in one file, which its row names and both clients have open, and holds all that they were answered.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Bench, type Pumice, withPumice } from '../cli/pumice-process.ts';
import { AcknowledgedWriter, WRITTEN_BYTES } from '../drivers/exports/acknowledged-writer.ts';
import { IscsiSession } from '../drivers/exports/iscsi-session.ts';
import { killTgtd, noTgt } from '../drivers/exports/tgt-world.ts';
import { cannotMount, mountFileSystem } from '../drivers/file/file-systems.ts';
import { freePort } from '../free-port.ts';
import { condition } from './condition.ts';

const LATE_MS = 60_000;
const DIES_MOVING = join(import.meta.dirname, 'dies-moving.ts');
const PLACES = ['copied', 'held', 'received', 'bound', 'committed', 'half', 'moved', 'removing'] as const;
const skip = noTgt ?? cannotMount('xfs') ?? cannotMount('ext4') ?? false;

/** Asks a service that may be another one after each start. */
class Client {
  address = '';

  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  async ask(method: string, path: string, body?: object): Promise<any> {
    const headers = { 'x-auth-token': 'demo:cafe', 'openstack-api-version': 'volume 3.71' };
    const response = await fetch(`${this.address}/v3/cafe${path}`, {
      method,
      headers: { ...headers, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a volume, as it is answered
  async volumeWhen(id: string, what: string, isSo: (volume: any) => boolean): Promise<any> {
    let volume: unknown;
    await condition(`the volume is ${what}`, LATE_MS, async () => {
      volume = (await this.ask('GET', `/volumes/${id}`)).volume;
      return isSo(volume);
    });
    return volume;
  }
}

interface Move {
  readonly client: Client;
  readonly id: string;
  /** The service that made it. */
  readonly first: Pumice;
  start(): Promise<Pumice>;
  /** Looks at all there is when it has ended: the backend that the volume is on. */
  settled(): Promise<'fast' | 'slow'>;
}

async function withMove(bench: Bench, place: string, body: (move: Move) => Promise<void>): Promise<void> {
  // The larger one is chosen.
  const mounted = { fast: mountFileSystem('xfs', 700), slow: mountFileSystem('ext4', 400) };
  const directoryOf = (backend: 'fast' | 'slow'): string => join(mounted[backend].path, 'volumes');
  const settings = ['enabled_backends=["fast","slow"]', 'api.port=0'];
  for (const name of ['fast', 'slow'] as const) {
    const section = { driver: 'file', path: directoryOf(name), create: true, target_protocol: 'iscsi' };
    for (const [key, value] of Object.entries({ ...section, target_port: await freePort() }))
      settings.push(`backends.${name}.${key}=${value}`);
  }
  const client = new Client();
  const started: Pumice[] = [];
  const writers: AcknowledgedWriter[] = [];
  const start = async (env: NodeJS.ProcessEnv = {}): Promise<Pumice> => {
    const args = settings.flatMap((each) => ['--set', each]);
    const pumice = bench.runWith(env, 'serve', '--data', bench.directory, ...args);
    started.push(pumice);
    client.address = await pumice.address();
    return pumice;
  };
  /** What the daemon of the backend where it was attached has open. */
  const opened = (): string[] => {
    const shown = execFileSync('tgtadm', ['--lld', 'iscsi', '--op', 'show', '--mode', 'target'], {
      env: { ...process.env, TGT_IPC_SOCKET: join(directoryOf('fast'), '.tgtd') },
      encoding: 'utf8',
    });
    return [...shown.matchAll(/Backing store path: (\/.*)/g)].map(([, path]) => path as string);
  };
  try {
    const first = await start({ NODE_OPTIONS: `--import ${DIES_MOVING}`, DIES_AT: place });
    const type = { name: 'many', extra_specs: { multiattach: '<is> True' } };
    await client.ask('POST', '/types', { volume_type: type });
    const { id } = (await client.ask('POST', '/volumes', { volume: { size: 1, volume_type: 'many' } })).volume;
    const made = await client.volumeWhen(id, 'made', ({ status }) => status === 'available');
    assert.match(made['os-vol-host-attr:host'], /@fast#/);
    for (const [at, host] of ['one', 'two'].entries()) {
      const connector = { host, initiator: `iqn.2004-10.test:${host}` };
      const { attachment } = await client.ask('POST', '/attachments', { attachment: { volume_uuid: id, connector } });
      await client.ask('POST', `/attachments/${attachment.id}/action`, { 'os-complete': null });
      const session = await IscsiSession.open(connector.initiator, attachment.connection_info);
      writers.push(new AcknowledgedWriter(session, at * WRITTEN_BYTES));
    }
    const settled = async (): Promise<'fast' | 'slow'> => {
      const ends = ['success', 'error'];
      const volume = await client.volumeWhen(id, 'where it is to be', ({ migration_status }) =>
        ends.includes(migration_status),
      );
      assert.equal(volume.status, 'in-use');
      for (const writer of writers) await writer.goesOn();
      const backend = /@(fast|slow)#/.exec(volume['os-vol-host-attr:host'])?.[1] as 'fast' | 'slow';
      assert.equal(backend === 'slow', volume.migration_status === 'success');
      const file = `volume-${volume['os-vol-mig-status-attr:name_id'] ?? id}`;
      const path = join(directoryOf(backend), file);
      assert.deepEqual(opened(), [path, path]);
      const files = (['fast', 'slow'] as const).flatMap((each) => readdirSync(directoryOf(each)));
      assert.deepEqual(
        files.filter((name) => /^(volume-|\.(tmp|del)-)/.test(name)),
        [file],
      );
      for (const writer of writers) await writer.stop();
      for (const writer of writers) assert.equal(await writer.missing(path), 0);
      return backend;
    };
    for (const writer of writers) await writer.goesOn();
    await body({ client, id, first, start, settled });
  } finally {
    for (const writer of writers) await writer.stop();
    for (const pumice of started) pumice.signal('SIGKILL');
    await Promise.all(started.map((pumice) => pumice.ended()));
    for (const { path } of Object.values(mounted)) await killTgtd(path);
    for (const each of Object.values(mounted)) each.remove();
  }
}

describe('a volume that moves while two clients write to it', { skip }, () => {
  for (const place of PLACES) {
    test(`is whole, with all that was answered, when Pumice is killed on the way (${place})`, () =>
      withPumice((bench) =>
        withMove(bench, place, async ({ client, id, first, start, settled }) => {
          const { volume } = await client.ask('GET', `/volumes/${id}`);
          const host = volume['os-vol-host-attr:host'].replaceAll('fast', 'slow');
          await client.ask('POST', `/volumes/${id}/action`, { 'os-migrate_volume': { host } });
          assert.equal((await first.ended()).code, null);
          await start();
          assert.equal(await settled(), 'slow');
        }),
      ));
  }
});
