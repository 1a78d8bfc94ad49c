import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CopyOrder, CopyWatch } from '../../../src/backups/backups.ts';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { MIB } from '../../../src/lib/bytes.ts';
import { givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller } from '../site.ts';

describe('how far a backup is', () => {
  it('is told when it has passed a thirty-second object, however many are recorded at once', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    live.site.interposeBackups('copy', async (_proceed, args) => {
      const [{ place, source }, watch] = args as [CopyOrder, CopyWatch];
      const chunks = source.bytes / MIB / 32;
      for (let number = 0; number < 32; number += 1) {
        const pack = `${place.backupId}/1-${number}`;
        live.site.backups.packs.add(pack);
        watch.bite({ pack, first: number * chunks, chunks, bytes: 1, sha256: '' });
      }
      return { way: 'full', distrusted: false, readBytes: 1, storedBytes: 1 };
    });
    const { id } = await createBackup(live.desk, caller, backupRequest(volume.id));
    await live.settled(`backup:${id}`);
    assert.equal((await getBackup(live.database.read, id)).status, 'available');
    const rows = await live.database.read
      .selectFrom('outbox')
      .select('payload')
      .where('event_type', '=', 'backup.createprogress')
      .execute();
    const told = rows.map(({ payload }) => JSON.parse(payload).backup_percent);
    assert.ok(told.length >= 1 && told.length <= 3, `${told.length} times`);
    assert.equal(told.at(-1), '100');
  });
});
