/** The keys of scopes, wrapped with another one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BackupKey } from '../../src/backups/backups.ts';
import { makeScope, openScope } from '../../src/backups/scope.ts';
import { DirectoryStore } from '../../src/backups/stores/directory-store.ts';
import { backupStoreRekey } from '../../src/cli/backup-store-rekey.ts';
import { Complaint } from '../../src/cli/exit-codes.ts';
import { scopeOfVolume } from '../../src/db/backup-scopes.ts';
import type { Database } from '../../src/db/database.ts';
import { uuid } from '../../src/lib/clock.ts';
import { BackupKeyMissing } from '../../src/model/errors.ts';
import { proveStore } from '../prove-store.ts';
import { capturedCommand } from './captured.ts';

const NEVER = new AbortController().signal;

async function start(context: TestContext, database: Database, url: string) {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-rekey-'));
  context.after(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, 'store'));
  const store = new DirectoryStore(join(directory, 'store'));
  const keys: BackupKey[] = [];
  for (const id of ['old', 'new']) {
    const bytes = randomBytes(32);
    await writeFile(join(directory, id), bytes, { mode: 0o600 });
    keys.push({ id, hex: bytes.toString('hex') });
  }
  const scope = async (keyId: string | null, isThere = true): Promise<string> => {
    const { id } = await database.write((tx) => scopeOfVolume(tx, 'main', 'p', uuid()));
    if (isThere) await makeScope({ scope: id, keys }, keyId, store, NEVER);
    return id;
  };
  const set = [
    `database.url=${url}`,
    'backup_stores.main.backup_driver=posix',
    `backup_stores.main.backup_posix_path=${join(directory, 'store')}`,
    ...['old', 'new'].map((id) => `backup_keys.${id}=${join(directory, id)}`),
  ];
  const rekey = async (key: string) => {
    const { around, out, err } = capturedCommand();
    const code = await backupStoreRekey(key, { set }, around);
    return { code, out: out.text, err: err.text };
  };
  const opensWith = (id: string, key: number) => openScope({ scope: id, keys: keys.slice(key, key + 1) }, store, NEVER);
  return { directory, scope, rekey, opensWith };
}

proveStore('pumice backup-store rekey', (test) => {
  test('makes another key the only one that is needed, of what is encrypted', async ({ database, url, context }) => {
    const { scope, rekey, opensWith } = await start(context, database, url);
    const [one, two] = [await scope('old'), await scope('new')];
    await scope(null);
    await scope(null, false);
    for (let times = 0; times < 2; times += 1)
      assert.deepEqual(await rekey('new'), {
        code: 0,
        out: '2 scopes need key new and no other, 1 are not encrypted, 0 failed.\n',
        err: '',
      });
    for (const id of [one, two]) {
      await opensWith(id, 1);
      await assert.rejects(opensWith(id, 0), BackupKeyMissing);
    }
    await assert.rejects(rekey('none'), Complaint);
  });

  test('says which scope it could not do, and does the others', async ({ database, url, context }) => {
    const { directory, scope, rekey, opensWith } = await start(context, database, url);
    const [one, two] = [await scope('old'), await scope('old')];
    await writeFile(join(directory, 'store', 'scopes', one, 'scope.json'), '{');
    const { code, err } = await rekey('new');
    assert.equal(code, 1);
    assert.match(err, new RegExp(`^scope ${one} in store main: .* cannot be understood\\.\\n$`));
    await opensWith(two, 1);
    const before = await readFile(join(directory, 'new'));
    await rm(join(directory, 'new'));
    await assert.rejects(rekey('new'), /^Complaint: Key new of backups cannot be used: .* cannot be opened\.$/);
    await writeFile(join(directory, 'new'), before, { mode: 0o600 });
    await opensWith(two, 1);
  });
});
