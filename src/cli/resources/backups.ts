/** Backups, as `pumice backups` shows them. */

import { type BackupCheck, checksOf, damageOf, type KnownDamage } from '../../db/backup-checks.ts';
import { findContent } from '../../db/backup-contents.ts';
import { findSchedule } from '../../db/backup-schedules.ts';
import { findScope } from '../../db/backup-scopes.ts';
import { countBackups, dependentsOf, listBackups } from '../../db/backups.ts';
import { findVolume } from '../../db/volumes.ts';
import { checkText, damageLines } from '../../doctor/damage-lines.ts';
import { isCinders } from '../../flows/backups/cinder-place.ts';
import type { Backup } from '../../model/backup.ts';
import { BACKUP_STATUSES } from '../../model/backup-status.ts';
import { wayInWords } from '../../model/backup-way.ts';
import { called, type ResourceKind } from './kind.ts';

/** With what was found when it was last looked at. */
interface LookedBackup extends Backup {
  readonly check: BackupCheck | undefined;
  readonly damage: readonly KnownDamage[];
}

export const backups: ResourceKind<LookedBackup> = {
  word: 'backup',
  statuses: BACKUP_STATUSES,
  list: async (database, query) => {
    const rows = await listBackups(database, query);
    const ids = rows.map(({ id }) => id);
    const checks = await checksOf(database.read, ids);
    const damage = Map.groupBy(await damageOf(database.read, ids), ({ backupId }) => backupId);
    return rows.map((row) => ({ ...row, check: checks.get(row.id), damage: damage.get(row.id) ?? [] }));
  },
  count: countBackups,
  columns: [
    { title: 'SIZE', align: 'right' },
    { title: 'KIND' },
    { title: 'OF VOLUME', shrinksTo: 14 },
    { title: 'VERIFIED' },
  ],
  cells: ({ sizeGiB, parentId, volumeId, check, damage }) => [
    `${sizeGiB} GiB`,
    parentId === null ? 'full' : 'incremental',
    volumeId,
    damage.length > 0 ? 'damaged' : (check?.checkedAt.slice(0, 10) ?? ''),
  ],
  details: async ({ read }, backup) => {
    const volume = await findVolume(read, backup.volumeId);
    const scope = backup.scopeId === null ? undefined : await findScope(read, backup.scopeId);
    const dependents = (await dependentsOf(read, [backup.id])).get(backup.id) ?? 0;
    const schedule = backup.scheduleId === null ? undefined : await findSchedule(read, backup.scheduleId);
    const content = await findContent(read, backup.id);
    return [
      ['size', `${backup.sizeGiB} GiB`],
      ['of volume', volume === undefined ? `${backup.volumeId} (gone)` : called(volume)],
      ['snapshot', backup.snapshotId],
      ['data of', backup.dataTimestamp === null ? null : `${backup.dataTimestamp.slice(0, 19)} UTC`],
      ['increment', backup.parentId === null ? null : `to ${backup.parentId}`],
      ['increments', dependents === 0 ? null : String(dependents)],
      ['store', scope === undefined ? null : `${scope.store}, scope ${scope.id}`],
      ['container', backup.container === backup.scopeId ? null : backup.container],
      ['made by', isCinders(backup) ? backup.service : null],
      ['read', content?.way == null ? null : wayInWords(content.way, content.why)],
      ['objects', backup.status === 'creating' ? null : String(backup.objectCount)],
      ['schedule', backup.scheduleId === null ? null : (schedule?.name ?? `${backup.scheduleId} (gone)`)],
      ['host', backup.host],
      ['verified', backup.status === 'available' && !isCinders(backup) ? checkText(backup.check) : null],
      ...damageLines(backup.damage).map((line) => ['', line] as const),
      ['failed', backup.failReason],
    ];
  },
  facts: (backup) => ({
    id: backup.id,
    name: backup.name,
    description: backup.description,
    status: backup.status,
    fail_reason: backup.failReason,
    size: backup.sizeGiB,
    object_count: backup.objectCount,
    volume_id: backup.volumeId,
    snapshot_id: backup.snapshotId,
    parent_id: backup.parentId,
    schedule_id: backup.scheduleId,
    project_id: backup.projectId,
    user_id: backup.userId,
    host: backup.host,
    availability_zone: backup.availabilityZone,
    data_timestamp: backup.dataTimestamp,
    verified_at: backup.check?.checkedAt ?? null,
    verified_depth: backup.check?.depth ?? null,
    verified_percent: backup.check?.percent ?? null,
    damage: backup.damage.map(({ pack, what, ranges, foundAt }) => ({
      pack,
      what,
      ranges: ranges.map((range) => ({ ...range })),
      found_at: foundAt,
    })),
    metadata: backup.metadata,
    created_at: backup.createdAt,
    updated_at: backup.updatedAt,
  }),
};
