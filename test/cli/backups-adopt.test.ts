/** A store that a real Cinder has filled becomes backups of a project: each once, with its id and what made it. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { adoptCinders } from '../../src/cli/backups-adopt.ts';
import { listBackups } from '../../src/db/backups.ts';
import { PROJECT } from '../flows/site.ts';
import { capturedCommand } from './captured.ts';
import { serverBeside } from './server-beside.ts';

const { backups: chain, files } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../backups/cinder/chain.json'), 'utf8'),
).zlib as {
  readonly backups: readonly { readonly id: string; readonly container: string; readonly prefix: string }[];
  readonly files: Readonly<Record<string, string>>;
};

it('pumice backups adopt takes all that can be read of a store, increments with what they are one to, and takes none twice', async (context) => {
  const { live, database, set: beside } = await serverBeside(context);
  const path = join(live.site.directory, 'of-cinder');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), Buffer.from(text, 'base64'));
  }
  for (const { id, container, prefix } of chain) {
    const says = { backupId: id, name: null, volumeId: id, parentId: null, bytes: 1024 ** 3, objects: 2 };
    const head = Buffer.alloc(0);
    live.site.backups.cinder.set(`${container}/${prefix}_metadata`, { ...says, createdAt: null, head });
  }
  const set = [
    ...beside,
    'default_backup_store=old',
    'backup_stores.old.backup_driver=posix',
    `backup_stores.old.backup_posix_path=${path}`,
  ];
  const adopt = async () => {
    const { around, out } = capturedCommand();
    return [await adoptCinders('old', { set, project: PROJECT }, around), out.text] as const;
  };
  const [code, told] = await adopt();
  assert.equal(code, 0, told);
  assert.equal(told.match(/ becomes one of project /g)?.length, 3);
  for (const { id } of chain) await live.settled(`backup:${id}`);
  const rows = await listBackups(database, { sort: [{ field: 'id', direction: 'asc' }] });
  assert.deepEqual(
    rows.map(({ id, status, parentId, name, service, projectId }) => [id, status, parentId, name, service, projectId]),
    chain
      .map(({ id }, index) => {
        const service = 'cinder.backup.drivers.posix.PosixBackupDriver';
        return [id, 'available', chain[index - 1]?.id ?? null, 'b', service, PROJECT] as const;
      })
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
  const [again, known] = await adopt();
  assert.equal(again, 0);
  assert.equal(known.match(/ is known here\./g)?.length, 3);
  const { container, prefix } = chain[0] ?? assert.fail('It has one.');
  rmSync(join(path, container, `${prefix}_metadata`));
  const [broken, said] = await adopt();
  assert.equal(broken, 1);
  assert.match(said, /is an increment to backup \S+, which is not in the store/);
});
