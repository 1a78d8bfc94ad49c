/** What is proven of a store on a server of any kind: a backup with kills of everybody, and a whole service that keeps its backups there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bite, CopyOrder } from '../../src/backups/backups.ts';
import { makeBackups } from '../../src/backups/make-backups.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import type { StoreAddress } from '../../src/backups/stores/store-address.ts';
import { storeAt } from '../../src/backups/stores/store-at.ts';
import { exec } from '../../src/lib/exec.ts';
import { backupWorld, MIB, NEVER } from '../backups/backup-world.ts';
import { MAIN, withPumice } from '../cli/pumice-process.ts';
import { condition } from '../crash/condition.ts';
import { inTime } from '../in-time.ts';

export const PACK = 'scopes/s/packs/b/1-0';

/** Every call that a store has, of that pack. */
export const callsOf = (store: BackupStore) => [
  () => store.get(PACK, NEVER),
  () => store.get(PACK, NEVER, { at: 0, bytes: 1 }),
  () => store.head(PACK, NEVER),
  () => store.put(PACK, Buffer.from('x'), NEVER),
  () => store.putNew(PACK, Buffer.from('x'), NEVER),
  () => store.delete(PACK, NEVER),
  () => store.list('', NEVER)[Symbol.asyncIterator]().next(),
];

const CREATED_AT = '2026-01-31T12:00:00.000000';

/** Goes on after kills of who copies and of the server, leaves nothing that nobody needs, and is restored as it was. */
export async function backupWithKills(
  address: StoreAddress,
  server: { kill(): Promise<void>; begin(): Promise<void> },
): Promise<void> {
  const world = await backupWorld();
  try {
    const backups = makeBackups({ exec });
    const bytes = 72 * MIB;
    const file = await world.file('v', bytes, [[0, randomBytes(bytes)]]);
    const place = { store: address, scope: 'scope', keys: [], backupId: 'a' };
    await backups.openScope(place, null, NEVER);
    const order: Omit<CopyOrder, 'attempt'> = {
      place,
      source: { uri: `file:${file}`, bytes },
      parentId: null,
      changed: null,
      base: null,
      bites: [],
      patienceMs: 120_000,
    };
    const watch = { progress: () => {}, waiting: (_why: string | null): void => {}, signal: NEVER };

    // Each is killed with its pack on the way when the one before has been told.
    const bites: Bite[] = [];
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const cancel = new AbortController();
      const bite = (each: Bite): void => {
        if (cancel.signal.aborted) return;
        bites.push(each);
        cancel.abort(new Error('killed'));
      };
      const killed = backups.copy({ ...order, attempt, bites: [...bites] }, { ...watch, signal: cancel.signal, bite });
      await assert.rejects(inTime('the kill', killed), { message: 'killed' });
    }

    const waits: (string | null)[] = [];
    const waited = Promise.withResolvers<void>();
    const waiting = (why: string | null): void => {
      waits.push(why);
      waited.resolve();
    };
    let killing: Promise<void> | undefined;
    const bite = (each: Bite): void => {
      bites.push(each);
      killing ??= server.kill();
    };
    const copying = backups.copy({ ...order, attempt: 3, bites: [...bites] }, { ...watch, waiting, bite });
    await inTime('waiting', Promise.race([waited.promise, copying]));
    await killing;
    await server.begin();
    const { readBytes } = await copying;
    assert.ok(readBytes < bytes, 'it went on');
    assert.match(waits[0] ?? '', /The backup store \(http:\S+\) (could not be reached|ended the connection)/);
    assert.equal(waits.at(-1), null);

    const manifest = { place, parentId: null, bytes, bites, createdAt: CREATED_AT, metadata: null };
    const { packs } = await backups.writeManifest(manifest, NEVER);
    await backups.deleteUnrecorded(place, 3, bites, NEVER);
    const stored: string[] = [];
    for await (const { name } of (await storeAt(address)).list('scopes/scope/packs/', NEVER)) stored.push(name);
    assert.deepEqual(stored.sort(), packs.map(({ name }) => `scopes/scope/packs/${name}`).sort());
    const look = { place, backupIds: [place.backupId], depth: 'chunks', patienceMs: 0 } as const;
    assert.deepEqual((await backups.verify(look, { ...watch, looked: () => {} })).damage, []);
    const target = await world.file('target', bytes, []);
    await backups.restore(
      { place, target: { uri: `file:${target}`, bytes, isEmpty: true }, doneBytes: 0, patienceMs: 0 },
      { ...watch, done: () => {} },
    );
    assert.ok((await readFile(target)).equals(await readFile(join(world.path, 'v'))));
  } finally {
    await world.remove();
  }
}

export interface StoreOfService {
  readonly store: BackupStore;
  /** Of its section, with the secret in the file `secret`. */
  readonly options: string;
  readonly secret: string;
  /** The option with another secret, as `OPTION=VALUE`. */
  readonly wrong: string;
  /** What an operator is told of that. */
  readonly refusal: RegExp;
}

/** A service backs up to it, restores, and tells nobody its secret; `backup-store cat` reads it without a service. */
export async function backupOfService({ store, options, secret, wrong, refusal }: StoreOfService): Promise<void> {
  await withPumice(async ({ directory, run }) => {
    const at = (name: string): string => join(directory, name);
    const section = `[backup_stores.main]\n${options}`;
    await writeFile(at('store.toml'), section);
    await writeFile(at('secret'), `${secret}\n`);
    await writeFile(at('pumice.toml'), `data_directory = "."\n[api]\nport = 0\n[log]\nlevel = "debug"\n${section}`);

    const pumice = run('serve', '--config', at('pumice.toml'));
    const ask = asking(`${await pumice.address()}/v3/cafe`);
    const { volume } = await ask('POST', '/volumes', { volume: { size: 1 } });
    await ask.until(`/volumes/${volume.id}`, 'volume', 'available');
    const file = await open(at(`volumes/volume-${volume.id}`), 'r+');
    const data = randomBytes(3 * MIB);
    await file.write(data, 0, data.length, 5 * MIB);
    const { backup } = await ask('POST', '/backups', { backup: { volume_id: volume.id } });
    await ask.until(`/backups/${backup.id}`, 'backup', 'available');
    await file.write(Buffer.alloc(data.length), 0, data.length, 5 * MIB);
    await ask('POST', `/backups/${backup.id}/restore`, { restore: { volume_id: volume.id } });
    await ask.until(`/backups/${backup.id}`, 'backup', 'available');
    await ask.until(`/volumes/${volume.id}`, 'volume', 'available');
    const { buffer } = await file.read(Buffer.alloc(data.length), 0, data.length, 5 * MIB);
    await file.close();
    assert.ok(buffer.equals(data));
    pumice.signal('SIGTERM');
    const { code, out, err } = await pumice.ended();
    assert.equal(code, 0, err);

    const names: string[] = [];
    for await (const { name } of store.list('scopes/', NEVER)) names.push(name);
    const manifest = names.find((name) => name.endsWith(`/manifests/${backup.id}`)) ?? '';
    const argv = ['backup-store', 'cat', '--config', at('store.toml'), '--store', 'main', manifest];
    const cat = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
    let catAt = 0;
    for await (const piece of cat.stdout as AsyncIterable<Buffer>) {
      const from = catAt - 5 * MIB;
      const [start, end] = [Math.max(0, from), Math.min(data.length, from + piece.length)];
      if (start < end) assert.ok(piece.subarray(start - from, end - from).equals(data.subarray(start, end)));
      catAt += piece.length;
    }
    assert.equal(catAt, 1024 * MIB);

    const refused = run(...['serve', '--config', at('pumice.toml')], ...['--set', `backup_stores.main.${wrong}`]);
    const askWrong = asking(`${await refused.address()}/v3/cafe`);
    const { backup: failed } = await askWrong('POST', '/backups', { backup: { volume_id: volume.id } });
    await askWrong.until(`/backups/${failed.id}`, 'backup', 'error');
    await askWrong.until(`/volumes/${volume.id}`, 'volume', 'available');
    refused.signal('SIGTERM');
    const ended = await refused.ended();
    assert.match(ended.err, refusal);

    const told = [out, err, ended.out, ended.err];
    for (const name of await readdir(directory))
      if (name.startsWith('pumice.sqlite')) told.push((await readFile(at(name))).toString('latin1'));
    assert.ok(told.length > 4);
    assert.ok(!told.some((text) => text.includes(secret)));
  });
}

/** A client of a project's, and what waits for a status. */
function asking(url: string) {
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  const ask = async (method: string, path: string, body?: object): Promise<any> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        'x-auth-token': 'me:cafe',
        'openstack-api-version': 'volume 3.60',
        'content-type': 'application/json',
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.json();
  };
  const until = (path: string, kind: string, status: string): Promise<void> =>
    condition(`${path} is ${status}`, 60_000, async () => (await ask('GET', path))[kind].status === status);
  return Object.assign(ask, { until });
}
