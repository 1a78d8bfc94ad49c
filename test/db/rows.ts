/** Rows for the store tests. */

import { insertBackup } from '../../src/db/backups.ts';
import type { Database } from '../../src/db/database.ts';
import { insertGroupType } from '../../src/db/group-types.ts';
import { insertGroup } from '../../src/db/groups.ts';
import { insertSnapshot } from '../../src/db/snapshots.ts';
import { defaultVolumeType } from '../../src/db/volume-types.ts';
import { insertVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { Backup, NewBackup } from '../../src/model/backup.ts';
import type { BackupSchedule } from '../../src/model/backup-schedule.ts';
import type { Group, NewGroup } from '../../src/model/group.ts';
import type { NewSnapshot, Snapshot } from '../../src/model/snapshot.ts';
import type { NewVolume, Volume } from '../../src/model/volume.ts';

export async function makeVolume(database: Database, given: Partial<NewVolume> = {}): Promise<Volume> {
  const type = await defaultVolumeType(database.read);
  const base: NewVolume = {
    id: uuid(),
    projectId: 'p',
    userId: 'u',
    sizeGiB: 1,
    status: 'available',
    volumeTypeId: type.id,
  };
  return database.write((tx) => insertVolume(tx, { ...base, ...given }));
}

export async function makeSnapshot(
  database: Database,
  volume: Volume,
  given: Partial<NewSnapshot> = {},
): Promise<Snapshot> {
  const base: NewSnapshot = {
    id: uuid(),
    projectId: volume.projectId,
    userId: volume.userId,
    volumeId: volume.id,
    volumeTypeId: volume.volumeTypeId,
    volumeSizeGiB: volume.sizeGiB,
    status: 'available',
  };
  return database.write((tx) => insertSnapshot(tx, { ...base, ...given }));
}

export async function makeBackup(database: Database, given: Partial<NewBackup> = {}): Promise<Backup> {
  const base: NewBackup = {
    id: uuid(),
    projectId: 'p',
    userId: 'u',
    volumeId: uuid(),
    sizeGiB: 1,
    status: 'available',
  };
  return database.write((tx) => insertBackup(tx, { ...base, ...given }));
}

/** Of a project, at noon UTC, of which everything is kept. */
export function scheduleOf(given: Partial<BackupSchedule> = {}): BackupSchedule {
  const at = '2040-01-01T00:00:00.000000';
  return {
    id: uuid(),
    name: `schedule-${uuid()}`,
    target: 'project',
    targetId: 'p',
    times: '0 12 * * *',
    zone: 'UTC',
    keep: { last: 0, daily: 0, weekly: 0, monthly: 0 },
    fullEvery: null,
    store: null,
    force: false,
    createdAt: at,
    nextRunAt: '2040-01-01T12:00:00.000000',
    lastRunAt: null,
    lastBeganAt: null,
    lastEndedAt: null,
    lastFailure: null,
    wholeAt: at,
    ...given,
  };
}

/** Of a type of its own, for volumes of the default type. */
export async function makeGroup(database: Database, given: Partial<NewGroup> = {}): Promise<Group> {
  const type = await defaultVolumeType(database.read);
  const name = `type-${uuid()}`;
  return database.write(async (tx) => {
    const groupType = await insertGroupType(tx, {
      id: uuid(),
      name,
      description: null,
      isPublic: true,
      groupSpecs: {},
    });
    const base: NewGroup = {
      id: uuid(),
      projectId: 'p',
      userId: 'u',
      status: 'available',
      groupTypeId: groupType.id,
      volumeTypeIds: [type.id],
    };
    return insertGroup(tx, { ...base, ...given });
  });
}
