import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { beginFlow } from '../../cli/begin-flow.ts';
import { makeBackup } from '../../db/rows.ts';
import { liveSite } from '../../flows/live-site.ts';
import { caller } from '../../flows/site.ts';

describe('deleting a backup', () => {
  it('by force stops nothing when it is refused whatever becomes of what is at work', async (context) => {
    const live = await liveSite(context, { running: false });
    const { projectId } = caller;
    const { id } = await makeBackup(live.database, { projectId });
    await makeBackup(live.database, { projectId, parentId: id });
    const flow = await beginFlow(live.database, `backup:${id}`);
    await assert.rejects(deleteBackup(live.desk, caller, id, { force: true }), /Incremental backups exist/);
    assert.equal((await live.journal.find(flow))?.wish, null);
  });
});
