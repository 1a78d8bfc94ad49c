/** Every flow this version knows, old versions included while any of them may be in flight. */
import type { AnyFlow } from '../engine/flow.ts';
import { initializeConnection } from './attachments/initialize-connection.ts';
import { terminateConnection } from './attachments/terminate-connection.ts';
import { createBackup, createBackupV1 } from './backups/create-backup.ts';
import { createVolumeFromBackup } from './backups/create-volume-from-backup.ts';
import { deleteBackup } from './backups/delete-backup.ts';
import { importBackup } from './backups/import-backup.ts';
import { importCinderBackup } from './backups/import-cinder-backup.ts';
import { mendBackup } from './backups/mend-backup.ts';
import { restoreBackup } from './backups/restore-backup.ts';
import { runBackupSchedule } from './backups/run-backup-schedule.ts';
import { verifyBackup } from './backups/verify-backup.ts';
import { verifyBackups } from './backups/verify-backups.ts';
import { createGroupFromSource } from './groups/create-group-from-source.ts';
import { createGroupSnapshot } from './groups/create-group-snapshot.ts';
import { deleteGroup } from './groups/delete-group.ts';
import { deleteGroupSnapshot } from './groups/delete-group-snapshot.ts';
import { updateGroup } from './groups/update-group.ts';
import { createSnapshot } from './snapshots/create-snapshot.ts';
import { deleteSnapshot } from './snapshots/delete-snapshot.ts';
import { manageExistingSnapshot } from './snapshots/manage-snapshot.ts';
import { unmanageSnapshot } from './snapshots/unmanage-snapshot.ts';
import { createVolume, createVolumeV1, createVolumeV2 } from './volumes/create-volume.ts';
import { deleteVolume } from './volumes/delete-volume.ts';
import { extendVolume } from './volumes/extend-volume.ts';
import { manageExisting } from './volumes/manage-volume.ts';
import { migrateAttachedVolume, migrateVolume } from './volumes/migrate-volume.ts';
import { reimageVolume } from './volumes/reimage-volume.ts';
import { retypeVolume, retypeVolumeV1 } from './volumes/retype-volume.ts';
import { revertToSnapshot } from './volumes/revert-to-snapshot.ts';
import { unmanageVolume } from './volumes/unmanage-volume.ts';
import { uploadAttachedVolume, uploadVolume } from './volumes/upload-volume.ts';

export const FLOWS: readonly AnyFlow[] = [
  createVolume,
  createVolumeV2,
  createVolumeV1,
  deleteVolume,
  extendVolume,
  manageExisting,
  retypeVolume,
  retypeVolumeV1,
  migrateVolume,
  migrateAttachedVolume,
  unmanageVolume,
  createSnapshot,
  deleteSnapshot,
  manageExistingSnapshot,
  unmanageSnapshot,
  initializeConnection,
  terminateConnection,
  revertToSnapshot,
  reimageVolume,
  uploadVolume,
  uploadAttachedVolume,
  updateGroup,
  deleteGroup,
  createGroupSnapshot,
  deleteGroupSnapshot,
  createGroupFromSource,
  createBackup,
  createBackupV1,
  deleteBackup,
  restoreBackup,
  createVolumeFromBackup,
  importBackup,
  importCinderBackup,
  runBackupSchedule,
  verifyBackup,
  verifyBackups,
  mendBackup,
];
