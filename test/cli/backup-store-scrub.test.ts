/** All backups of a store, looked at where it is typed, and what lies there that nobody needs. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { backupStoreScrub, type ScrubOptions } from '../../src/cli/backup-store-scrub.ts';
import { damageOf } from '../../src/db/backup-checks.ts';
import { giveUpContent, keepContent } from '../../src/db/backup-contents.ts';
import { beginAttempt } from '../../src/db/backup-work.ts';
import { getBackup } from '../../src/db/backups.ts';
import type { Database } from '../../src/db/database.ts';
import { backUp, backupWorld, MIB, NEVER, SCOPE } from '../backups/backup-world.ts';
import { packsThere } from '../backups/plain-reader.ts';
import { makeBackup } from '../db/rows.ts';
import { proveStore } from '../prove-store.ts';
import { capturedCommand } from './captured.ts';

const BYTES = 3 * MIB;

async function start(context: TestContext, database: Database, url: string) {
  const world = await backupWorld(2 * MIB);
  context.after(() => world.remove());
  const file = await world.file('v', BYTES, [[0, randomBytes(BYTES)]]);
  const scope = { id: SCOPE, store: 'main', store_id: null, project_id: 'p', volume_id: 'v', epoch: 0, imported: 0 };
  await database.write(({ db }) =>
    db
      .insertInto('backup_scope')
      .values({ ...scope, looked_at: null })
      .execute(),
  );
  const made = async (): Promise<string> => {
    const { id } = await makeBackup(database, { scopeId: SCOPE });
    const { manifest } = await backUp(world, id, { file, bytes: BYTES });
    const packs = manifest.packs.map(({ name }) => name);
    await database.write((tx) => keepContent(tx, { backupId: id, scopeId: SCOPE, root: manifest.root, packs }));
    return id;
  };
  const set = [
    `database.url=${url}`,
    'backup_stores.main.backup_driver=posix',
    `backup_stores.main.backup_posix_path=${world.storePath}`,
  ];
  const scrub = async (options: Partial<ScrubOptions> = {}, store = 'main') => {
    const { around, out, err } = capturedCommand();
    const code = await backupStoreScrub(store, { set, depth: 'packs', ...options }, around);
    return { code, lines: out.text.trimEnd().split('\n'), err: err.text };
  };
  const put = (name: string) => world.store.put(`scopes/${name}`, Buffer.from('12345'), NEVER);
  return { world, file, made, scrub, put };
}

proveStore('pumice backup-store scrub', (test) => {
  test('looks at every backup of the store, and keeps what it finds', async ({ database, url, context }) => {
    const { world, made, scrub } = await start(context, database, url);
    const [one, two] = [await made(), await made()];
    assert.deepEqual(await scrub(), {
      code: 0,
      lines: ['2 backups were looked at, 0 are damaged; 0 scopes failed.'],
      err: '',
    });
    await truncate(join(world.storePath, 'scopes', SCOPE, 'packs', two, '1-0'), 10);
    await rm(join(world.storePath, 'scopes', SCOPE, 'manifests', one));
    const { code, lines } = await scrub({ depth: 'present' });
    assert.equal(code, 3);
    assert.ok(lines.some((line) => line.startsWith(`backup ${one} is damaged: There is no scopes/`)));
    assert.ok(lines.some((line) => line.startsWith(`backup ${two} is damaged: Pack ${two}/1-0 has 10 bytes`)));
    assert.equal((await damageOf(database.read)).length, 2);
    for (const id of [one, two]) assert.equal((await getBackup(database.read, id)).status, 'available');
  });

  test('finds packs that nobody needs, and removes those and no other when it is told', async ({
    database,
    url,
    context,
  }) => {
    const { world, file, made, scrub, put } = await start(context, database, url);
    const one = await made();
    const gone = await made();
    await database.write((tx) => giveUpContent(tx, gone, SCOPE));
    const { id: creating } = await makeBackup(database, { scopeId: SCOPE, status: 'creating' });
    await database.write((tx) => beginAttempt(tx, 'tables'));
    await backUp(world, 'forgotten', { file, bytes: BYTES });
    for (const pack of [`${creating}/1-0`, 'tables/1-0', `${one}/7-0`, 'dead/1-0']) await put(`${SCOPE}/packs/${pack}`);
    await put('other/packs/theirs/1-0');
    const before = packsThere(world.storePath, SCOPE);
    const told = await scrub({ depth: 'present', orphans: true });
    const orphans = [`${one}/7-0`, 'dead/1-0'].map((pack) => `orphan: scopes/${SCOPE}/packs/${pack}`).sort();
    assert.deepEqual(told.lines.filter((line) => line.startsWith('orphan')).sort(), orphans);
    assert.ok(told.lines.includes(`scopes/${SCOPE}/manifests/forgotten is no backup of this database`));
    assert.ok(told.lines.includes('scope other is left alone: another database made it.'));
    assert.equal(told.lines.at(-1), '2 packs (10 B) are in no manifest and of no backup under way.');
    assert.deepEqual(packsThere(world.storePath, SCOPE), before, 'it was not told to');
    await scrub({ depth: 'present', orphans: true, remove: true });
    const left = before.filter((pack) => pack !== `${one}/7-0` && pack !== 'dead/1-0');
    assert.deepEqual(packsThere(world.storePath, SCOPE), left);
    assert.ok((await world.store.head(`scopes/${SCOPE}/manifests/forgotten`, NEVER)) !== null);
    assert.ok((await world.store.head('scopes/other/packs/theirs/1-0', NEVER)) !== null);
  });

  test('takes nothing for an orphan where a manifest cannot be read', async ({ database, url, context }) => {
    const { world, made, scrub, put } = await start(context, database, url);
    const one = await made();
    await put(`${SCOPE}/packs/dead/1-0`);
    await truncate(join(world.storePath, 'scopes', SCOPE, 'manifests', one), 10);
    const { lines } = await scrub({ depth: 'present', orphans: true, remove: true });
    assert.ok(lines.some((line) => line.startsWith(`scope ${SCOPE} is left alone: `)));
    assert.ok((await world.store.head(`scopes/${SCOPE}/packs/dead/1-0`, NEVER)) !== null);
  });

  test('says what it could not look at, and refuses what cannot be asked', async ({ database, url, context }) => {
    const { world, made, scrub } = await start(context, database, url);
    await made();
    await assert.rejects(scrub({}, 'none'), { name: 'Complaint', exitCode: 2 });
    await assert.rejects(scrub({ remove: true }), { name: 'Complaint', exitCode: 2 });
    await rm(join(world.storePath, 'scopes', SCOPE, 'scope.json'));
    const { code, lines, err } = await scrub();
    assert.equal(code, 1);
    assert.match(err, new RegExp(`^scope ${SCOPE}: `));
    assert.equal(lines.at(-1), '0 backups were looked at, 0 are damaged; 1 scopes failed.');
  });
});
