/** Begins to mend backups that are damaged: each when another of its scope is there, and again when that has changed since. */
import { mendableBackups } from '../../db/backup-checks.ts';
import { mendBackup as flow } from '../../flows/backups/mend-backup.ts';
import { uuid } from '../../lib/clock.ts';
import { ResourceHeld } from '../../model/errors.ts';
import { backupResource, begin, exclusive, shared } from '../begin.ts';
import type { Desk } from '../desk.ts';

const AT_ONCE = 20;

export async function mendBackups(desk: Desk): Promise<void> {
  for (const { id, projectId, scopeId } of await mendableBackups(desk.db.read, flow.name, AT_ONCE)) {
    const resource = backupResource(id);
    const holds = [shared(resource), exclusive(`mending:${id}`)];
    const caller = { requestId: `req-${uuid()}` };
    await desk.db
      .write((tx) =>
        begin(desk, tx, caller, flow, { backupId: id, scopeId, name: uuid() }, { resource, projectId, holds }),
      )
      .catch((error: unknown) => {
        // It is being restored, deleted or mended.
        if (!(error instanceof ResourceHeld)) throw error;
      });
  }
}
