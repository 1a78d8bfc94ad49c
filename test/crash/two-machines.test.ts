/**
 * A volume moves between two machines on one PostgreSQL: each has its own network and sees no file of the other. Processes are killed in
 * the middle, of either machine and of both, and what serves the export. Afterwards there is one volume, whole, where its row
 * says, and nothing else on either machine: no file, no target, no secret, no hold.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { freshPostgresql } from '../databases.ts';
import { killTgtd, noTgt } from '../drivers/exports/tgt-world.ts';
import { scratchDirectory } from '../scratch.ts';
import { Child, survivors } from './child.ts';
import { condition } from './condition.ts';
import { GIB } from './content.ts';
import { Door } from './door.ts';
import { type Machine, makeNetwork, type Network, noMachines } from './machines.ts';

const PROJECT = '0123456789abcdef0123456789abcdef';
const PATIENCE_MS = 60_000;
const PORT = 8776;
const MIB = 1024 ** 2;
/** Some seconds of copying. */
const DATA_MIB = 20;
const MIB_PER_SECOND = 6;

const poolOf = ({ name }: Machine): string => `${name}@disk#disk`;
const filesOf = ({ directory }: Machine): string => join(directory, 'disk');

const configOf = ({ name, address, directory }: Machine, database: string): string => `
data_directory = "${join(directory, 'data')}"
node_name = "${name}"
max_copies = 1
volume_copy_bps_limit = ${MIB_PER_SECOND * MIB}
api.host = "${address}"
api.port = ${PORT}
api.listen_beyond_loopback = true
database.url = "${database}"
log.level = "warn"
services.report_interval = 1
[backends.disk]
driver = "file"
path = "${filesOf({ directory } as Machine)}"
create = true
target_protocol = "iscsi"
target_ip_address = "${address}"
`;

const skip = noMachines() ?? noTgt ?? false;

describe('two machines on one PostgreSQL', { skip }, () => {
  let directory = '';
  let network: Network;
  let database: Exclude<Awaited<ReturnType<typeof freshPostgresql>>, { missing: string }>;
  let client: pg.Client;
  const children = new Map<string, Child>();
  const door = new Door(() => [...children.values()].find(({ alive }) => alive)?.url);
  const machine = (name: 'a' | 'b'): Machine => network.machines.find((each) => each.name === name) as Machine;

  const start = async (...names: readonly ('a' | 'b')[]): Promise<void> => {
    for (const name of names) {
      const config = join(directory, `${name}.toml`);
      const site = { directory, programs: '' };
      children.set(name, new Child({ site, name, config, port: PORT, fault: undefined, machine: machine(name) }));
    }
    for (const name of names) await children.get(name)?.ready();
  };
  const kill = async (...names: readonly ('a' | 'b')[]): Promise<void> => {
    await Promise.all(names.map((name) => children.get(name)?.kill()));
  };

  before(async () => {
    directory = await mkdtemp(join(scratchDirectory(), `pumice-machines-${process.pid}-`));
    network = makeNetwork(directory, ['a', 'b']);
    const fresh = await freshPostgresql();
    if ('missing' in fresh) throw new Error(fresh.missing);
    database = fresh;
    client = new pg.Client({ connectionString: fresh.url });
    await client.connect();
    const url = new URL(fresh.url);
    const gate = await network.open(Number(url.port));
    url.host = `${gate.address}:${gate.port}`;
    for (const each of network.machines)
      await writeFile(join(directory, `${each.name}.toml`), configOf(each, url.href));
    await start('a', 'b');
  });

  after(async () => {
    await kill('a', 'b');
    await killTgtd(directory);
    await client.end();
    await database.remove();
    network.remove();
    await rm(directory, { recursive: true, force: true });
  });

  // biome-ignore lint/suspicious/noExplicitAny: answers have every shape
  const ask = async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<any> => {
    const answer = await door.ask(PROJECT, { method, path, ...(body && { body }) });
    assert.ok(answer !== undefined && answer.status < 300, `${method} ${path}: ${JSON.stringify(answer)}`);
    return answer.body;
  };
  const volumeOf = async (id: string) => (await ask('GET', `/volumes/${id}`)).volume;

  /** A volume on a, and a file with what it holds. */
  const given = async (): Promise<{ readonly id: string; readonly reference: string }> => {
    const name = `brought-${randomBytes(4).toString('hex')}`;
    const reference = join(directory, name);
    const file = await open(reference, 'wx');
    await file.truncate(GIB);
    for (let piece = 0; piece < DATA_MIB; piece += 1) await file.write(randomBytes(MIB), 0, MIB, piece * 8 * MIB);
    await file.close();
    execFileSync('cp', ['--sparse=always', reference, join(filesOf(machine('a')), name)]);
    const asked = { volume: { host: poolOf(machine('a')), ref: { 'source-name': name } } };
    const { id } = (await ask('POST', '/manageable_volumes', asked)).volume;
    await condition('it is managed', PATIENCE_MS, async () => (await volumeOf(id)).status === 'available');
    return { id, reference };
  };

  const isCopying = async (): Promise<boolean> => {
    const names = (await readdir(filesOf(machine('b')))).filter((name) => name.startsWith('.tmp-'));
    const sizes = await Promise.all(names.map((name) => stat(join(filesOf(machine('b')), name)).catch(() => null)));
    return sizes.some((found) => found !== null && found.blocks * 512 >= MIB);
  };

  const move = async (id: string): Promise<void> => {
    await ask('POST', `/volumes/${id}/action`, { 'os-migrate_volume': { host: poolOf(machine('b')) } });
    await condition('it is being copied', PATIENCE_MS, isCopying);
  };

  /** It has come to rest, as `outcome`, with nothing left anywhere; then it is deleted. */
  const endsAs = async (id: string, reference: string, outcome: 'success' | 'error'): Promise<void> => {
    await condition(`its migration is at rest`, PATIENCE_MS, async () => {
      const answer = await door.ask(PROJECT, { method: 'GET', path: `/volumes/${id}` });
      return ['success', 'error'].includes(answer?.body?.volume?.migration_status);
    });
    const volume = await volumeOf(id);
    const [there, other] =
      outcome === 'success' ? ([machine('b'), machine('a')] as const) : [machine('a'), machine('b')];
    assert.deepEqual(
      [volume.migration_status, volume['os-vol-host-attr:host'], volume.status],
      [outcome, poolOf(there), 'available'],
    );
    const path = join(filesOf(there), `volume-${volume['os-vol-mig-status-attr:name_id'] ?? id}`);
    execFileSync('cmp', [path, reference]);
    assert.ok((await stat(path)).blocks * 512 <= (DATA_MIB + 1) * MIB, 'holes are holes');
    const isBare = async ({ directory: place }: Machine, most: number): Promise<boolean> =>
      (await readdir(join(place, 'disk'))).filter((name) => /^(volume-|\.tmp-|\.del-)/.test(name)).length === most;
    await condition(
      'nothing else is on either',
      PATIENCE_MS,
      async () => (await isBare(other, 0)) && (await isBare(there, 1)),
    );
    await condition('no program is left', PATIENCE_MS, async () =>
      (await survivors(directory)).every((line) => !/tgtd|qemu-img/.test(line)),
    );
    for (const table of ['hold', 'move_secret', 'reservation']) {
      const { rows } = await client.query(`SELECT * FROM ${table}`);
      assert.deepEqual(rows, [], table);
    }
    await ask('DELETE', `/volumes/${id}`);
    await condition('it is deleted', PATIENCE_MS, async () => {
      const answer = await door.ask(PROJECT, { method: 'GET', path: `/volumes/${id}` });
      return answer?.status === 404;
    });
    await rm(reference);
  };

  it('see nothing of each other’s files', () => {
    const [a, b] = [machine('a'), machine('b')];
    const [program = '', ...args] = a.run;
    const list = (place: string): string => execFileSync(program, [...args, 'ls', place], { encoding: 'utf8' });
    assert.notEqual(list(a.directory), '');
    assert.equal(list(b.directory), '');
  });

  it('move a volume from one to the other', async () => {
    const { id, reference } = await given();
    await move(id);
    await endsAs(id, reference, 'success');
  });

  it('wait for a destination that is killed in the middle, and go on when it is back', async () => {
    const { id, reference } = await given();
    await move(id);
    await kill('b');
    assert.equal((await volumeOf(id)).migration_status, 'migrating');
    assert.equal((await door.ask(PROJECT, { method: 'DELETE', path: `/volumes/${id}` }))?.status, 400);
    await start('b');
    await endsAs(id, reference, 'success');
  });

  it('move it all the same when both are killed in the middle', async () => {
    const { id, reference } = await given();
    await move(id);
    await kill('a', 'b');
    await start('a', 'b');
    await endsAs(id, reference, 'success');
  });

  it('leave it open for the copy when the source is killed in the middle and started again', async () => {
    const { id, reference } = await given();
    await move(id);
    await kill('a');
    await start('a');
    await endsAs(id, reference, 'success');
  });

  it('move it when the source comes back after the copy, and only then remove what is there', async () => {
    const { id, reference } = await given();
    await move(id);
    await kill('a');
    await condition('it has moved', PATIENCE_MS, async () => (await volumeOf(id)).migration_status === 'completing');
    await start('a');
    await endsAs(id, reference, 'success');
  });

  it('keep it where it was when what serves the export is killed, and is not there again', async () => {
    const { id, reference } = await given();
    await move(id);
    assert.ok((await killTgtd(directory)) > 0);
    await endsAs(id, reference, 'error');
  });
});
