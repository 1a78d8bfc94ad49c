/** An order to begin a backup again: typed where no server is, carried out by one, and told of where it was typed. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { retryByOrder } from '../../src/cli/backups-retry.ts';
import { createBackup } from '../../src/commands/backups/create-backup.ts';
import { getBackup } from '../../src/db/backups.ts';
import { BackupStoreFull } from '../../src/model/errors.ts';
import { givenVolume } from '../flows/given.ts';
import { backupRequest } from '../flows/requests.ts';
import { caller } from '../flows/site.ts';
import { capturedCommand } from './captured.ts';
import { serverBeside } from './server-beside.ts';

async function start(context: TestContext) {
  const { live, set } = await serverBeside(context);
  const volume = await givenVolume(live.site, { status: 'in-use', attachStatus: 'attached' });
  live.site.interposeBackups('copy', async () => {
    throw new BackupStoreFull('/srv/b is full.');
  });
  const request = backupRequest(volume.id, { name: 'nightly', force: true });
  const { id } = await createBackup(live.desk, caller, request);
  await live.settled(`backup:${id}`);
  const flags = { set };
  const retry = async (force: boolean) => {
    const { around, out } = capturedCommand();
    const code = await retryByOrder('nightly', { ...flags, force }, around);
    return { code, out: out.text };
  };
  return { live, id, retry };
}

describe('pumice backups retry', () => {
  it('says why it is refused, why it failed again, and of when the backup is that was made', async (context) => {
    const { live, id, retry } = await start(context);
    await assert.rejects(retry(false), { name: 'Complaint', message: /it is in-use/ });
    await assert.rejects(retry(true), { name: 'Complaint', message: 'It has failed again: /srv/b is full.' });
    live.site.interposeBackups('copy', null);
    const { code, out } = await retry(true);
    assert.equal(code, 0);
    assert.match(
      out,
      /create_backup \S+ on backup:\S+ success in .*\nIt holds what its volume did at [-0-9T:]+ UTC, in 3 objects\.\n$/,
    );
    assert.equal((await getBackup(live.database.read, id)).status, 'available');
    await assert.rejects(retry(true), {
      name: 'Complaint',
      message: /must be error to be begun again; it is available/,
    });
  });
});
