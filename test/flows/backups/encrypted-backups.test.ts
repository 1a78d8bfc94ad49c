/** Backups whose keys lie in files, from the configuration to the store: with the real ground and its process. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { backupTools } from '../../../src/flows/backups/backup-tools.ts';
import { readConfig } from '../../../src/lib/config/read-config.ts';
import { silentLog } from '../../../src/lib/logging.ts';
import { dump } from '../../api/world.ts';
import { calm } from '../../drivers/driver-world.ts';
import { contentOf, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller } from '../site.ts';

const MISSING = /^create the backup: The backup is encrypted with a key that the service does not have;/;

async function start(context: TestContext) {
  const live = await liveSite(context);
  const { site } = live;
  await mkdir(site.path('store'));
  const keys = { a: randomBytes(32), b: randomBytes(32) };
  for (const [id, bytes] of Object.entries(keys)) await writeFile(site.path(id), bytes, { mode: 0o600 });
  /** From now on new scopes are encrypted with this key; null: with none. */
  const configure = async (backupKey: string | null): Promise<void> => {
    const store = `[backup_stores.main]\nbackup_driver = "posix"\nbackup_posix_path = "store"\npatience_seconds = 0\n`;
    const chosen = backupKey === null ? '' : `backup_key = "${backupKey}"\n`;
    await writeFile(site.path('pumice.toml'), `${store}${chosen}[backup_keys]\na = "a"\nb = "b"\n`);
    Object.assign(site.tools, { backups: backupTools(readConfig(site.path('pumice.toml')), live.database, silentLog) });
  };
  const backUp = async (volumeId: string, incremental = false) => {
    const { id } = await createBackup(live.desk, caller, backupRequest(volumeId, { incremental }));
    await live.settled(`backup:${id}`);
    return getBackup(live.database.read, id);
  };
  /** Which key a backup's scope needs. */
  const keyOf = async (scopeId: string | null): Promise<string | null> =>
    JSON.parse(await readFile(site.path('store', 'scopes', String(scopeId), 'scope.json'), 'utf8')).encryption
      ?.key_id ?? null;
  return { live, site, keys, configure, backUp, keyOf };
}

describe('backups whose keys lie in files', () => {
  it('are encrypted with the key of their store from the first of a volume on, and told nowhere', async (context) => {
    const { live, keys, configure, backUp, keyOf, site } = await start(context);
    await configure('a');
    const volume = await givenVolume(site);
    const first = await backUp(volume.id);
    assert.deepEqual([first.status, await keyOf(first.scopeId)], ['available', 'a']);
    await configure('b');
    const second = await backUp(volume.id, true);
    assert.deepEqual([second.status, await keyOf(second.scopeId)], ['available', 'a'], 'as it began');
    const other = await backUp((await givenVolume(site)).id);
    assert.deepEqual([other.status, await keyOf(other.scopeId)], ['available', 'b']);
    const ground = await site.tools.backups.ground();
    const place = {
      store: site.tools.backups.store('main').address,
      scope: String(first.scopeId),
      backupId: second.id,
    };
    const content = await ground.content({ ...place, keys: await site.tools.backups.keys() }, calm().signal);
    for await (const piece of content.read(calm().signal)) {
      assert.deepEqual(piece.subarray(0, contentOf(volume).length), contentOf(volume));
      break;
    }
    const told = JSON.stringify(await dump({ service: { db: live.database } }));
    for (const key of Object.values(keys))
      for (const form of ['hex', 'base64'] as const)
        assert.ok(!told.includes(key.toString(form)), 'a key is in the database');
  });

  it('go on unencrypted where they began so', async (context) => {
    const { configure, backUp, keyOf, site } = await start(context);
    await configure(null);
    const volume = await givenVolume(site);
    await backUp(volume.id);
    await configure('a');
    const { status, scopeId } = await backUp(volume.id, true);
    assert.deepEqual([status, await keyOf(scopeId)], ['available', null]);
  });

  it('fail while their key is away, or others can read it, and go on when it is back', async (context) => {
    const { configure, backUp, site } = await start(context);
    await configure('a');
    const volume = await givenVolume(site);
    await backUp(volume.id);
    await rename(site.path('a'), site.path('lost'));
    const fails = async (): Promise<void> => {
      const { status, failReason } = await backUp(volume.id, true);
      assert.equal(status, 'error');
      assert.match(failReason ?? '', MISSING);
    };
    await fails();
    await rename(site.path('lost'), site.path('a'));
    await chmod(site.path('a'), 0o644);
    await fails();
    const never = await givenVolume(site);
    assert.equal((await backUp(never.id)).status, 'error', 'it is not made without');
    await chmod(site.path('a'), 0o600);
    assert.equal((await backUp(volume.id, true)).status, 'available');
  });
});
