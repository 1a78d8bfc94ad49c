/** An order to restore a backup into a volume: typed where no server is, carried out by one; what was left out is told in bytes. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { restoreByOrder } from '../../src/cli/backups-restore.ts';
import { getVolume, updateVolume } from '../../src/db/volumes.ts';
import { givenBackup, givenVolume } from '../flows/given.ts';
import { capturedCommand } from './captured.ts';
import { serverBeside } from './server-beside.ts';

async function start(context: TestContext) {
  const { live, database, set } = await serverBeside(context);
  const backup = await givenBackup(live.site, await givenVolume(live.site), { name: 'nightly' });
  const target = await givenVolume(live.site, { name: 'disk' });
  const flags = { set };
  const restore = async (skipDamaged?: boolean) => {
    const { around, out } = capturedCommand();
    const skips = skipDamaged === undefined ? {} : { skipDamaged };
    const code = await restoreByOrder('nightly', { ...flags, to: 'disk', ...skips }, around);
    return { code, out: out.text };
  };
  const free = () => database.write((tx) => updateVolume(tx, target.id, { status: 'available' }));
  return { live, backup, target, restore, free };
}

describe('pumice backups restore', () => {
  it('says that all is in the volume', async (context) => {
    const { restore } = await start(context);
    const { code, out } = await restore();
    assert.equal(code, 0);
    assert.match(out, /restore_backup \S+ on backup:\S+ success in .*\nAll of it is in the volume\.\n$/);
  });

  it('leaves nothing out unless it is told to, and then says which bytes are missing', async (context) => {
    const { live, backup, target, restore, free } = await start(context);
    live.site.backups.rotten.add(`${backup.id}/1-0`);
    await assert.rejects(restore(), {
      name: 'Complaint',
      message: 'It could not be restored: The chunk at 1 MiB is damaged.',
    });
    assert.equal((await getVolume(live.database.read, target.id)).status, 'error_restoring');
    await free();
    const { code, out } = await restore(true);
    assert.equal(code, 3);
    assert.match(
      out,
      /\n1048576 bytes could not be read, and are zeroes in the volume:\n {2}bytes 1048576 to 2097151\n$/,
    );
    assert.equal((await getVolume(live.database.read, target.id)).status, 'available');
  });
});
