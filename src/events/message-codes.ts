/**
 * The codes of user messages and their texts.
 *
 * Programs compare the numbers, so a number never changes its meaning. Those below 100 are Cinder's; those from 101 on are
 * Pumice's, for what Cinder leaves without a message.
 */

/** What was being done. */
export const ACTIONS = {
  scheduleVolume: { code: '001', text: 'schedule the volume' },
  attachVolume: { code: '002', text: 'attach the volume' },
  copyVolumeToImage: { code: '003', text: 'copy the volume to an image' },
  updateAttachment: { code: '004', text: 'update the attachment' },
  copyImageToVolume: { code: '005', text: 'copy the image to the volume' },
  unmanageVolume: { code: '006', text: 'unmanage the volume' },
  extendVolume: { code: '007', text: 'extend the volume' },
  createVolume: { code: '008', text: 'create the volume on its backend' },
  createSnapshot: { code: '009', text: 'create the snapshot' },
  deleteSnapshot: { code: '010', text: 'delete the snapshot' },
  updateSnapshot: { code: '011', text: 'update the snapshot' },
  updateSnapshotMetadata: { code: '012', text: 'update the metadata of the snapshot' },
  createBackup: { code: '013', text: 'create the backup' },
  deleteBackup: { code: '014', text: 'delete the backup' },
  restoreBackup: { code: '015', text: 'restore the backup' },
  reimageVolume: { code: '016', text: 'write another image to the volume' },
  deleteVolume: { code: '101', text: 'delete the volume' },
  manageVolume: { code: '102', text: 'bring the volume under management' },
  manageSnapshot: { code: '103', text: 'bring the snapshot under management' },
  unmanageSnapshot: { code: '104', text: 'unmanage the snapshot' },
  detachVolume: { code: '105', text: 'detach the volume' },
  retypeVolume: { code: '106', text: 'change the type of the volume' },
  revertVolume: { code: '107', text: 'revert the volume to its snapshot' },
  migrateVolume: { code: '108', text: 'migrate the volume' },
} as const;

/** Why it was not done. */
export const DETAILS = {
  unknown: { code: '001', text: 'An error occurred that was not expected.' },
  driverNotReady: { code: '002', text: 'The storage backend is not ready.' },
  noBackend: { code: '003', text: 'No storage backend can take it.' },
  imageUploadFailed: { code: '004', text: 'The image service did not take the data.' },
  wrongAttachMode: { code: '005', text: 'The volume cannot be attached in this mode.' },
  overQuota: { code: '006', text: 'The quota of the project is exceeded.' },
  imageTooBig: { code: '007', text: 'The image needs more space than there is.' },
  encryptedUnmanage: { code: '008', text: 'An encrypted volume cannot be unmanaged.' },
  computeExtendFailed: { code: '009', text: 'The compute service could not grow the attached disk.' },
  driverExtendFailed: { code: '010', text: 'The storage backend could not extend the volume.' },
  signatureInvalid: { code: '011', text: 'The signature of the image is not right.' },
  driverCreateFailed: { code: '012', text: 'The storage backend could not create the volume.' },
  snapshotFailed: { code: '013', text: 'The storage backend could not create the snapshot.' },
  snapshotMetadataFailed: { code: '014', text: 'The metadata of the snapshot could not be updated.' },
  snapshotBusy: { code: '015', text: 'The snapshot is in use.' },
  snapshotDeleteFailed: { code: '016', text: 'The storage backend could not delete the snapshot.' },
  backupStatus: { code: '017', text: 'The status of the backup does not allow it.' },
  backupServiceDown: { code: '018', text: 'The backup service does not answer.' },
  backupNoDevice: { code: '019', text: 'The backup service could not reach the volume.' },
  backupDriverFailed: { code: '020', text: 'The backup store could not create the backup.' },
  attachFailed: { code: '021', text: 'The volume could not be attached.' },
  detachFailed: { code: '022', text: 'The volume could not be detached.' },
  cleanUpFailed: { code: '023', text: 'What was made on the way could not be cleaned up.' },
  noBackupHost: { code: '024', text: 'No backup service is there.' },
  backupDeleteFailed: { code: '025', text: 'The backup store could not delete the backup.' },
  restoreFailed: { code: '026', text: 'The data of the backup could not be written.' },
  volumeStatus: { code: '027', text: 'The status of the volume does not allow it.' },
  computeReimageFailed: { code: '028', text: 'The compute service could not take the new image.' },
  imageUnacceptable: { code: '029', text: 'The format or content of the image is not accepted.' },
  incrementalForcedFull: { code: '030', text: 'A full backup was made instead of an incremental one.' },
  backendFull: { code: '101', text: 'The storage backend has no room left.' },
  cancelled: { code: '102', text: 'The operation was cancelled.' },
  timedOut: { code: '103', text: 'The operation took too long.' },
  interrupted: { code: '104', text: 'The service was interrupted and could not go on.' },
  volumeBusy: { code: '105', text: 'The volume is in use.' },
  sourceGone: { code: '106', text: 'What it was to be made from is not there any more.' },
  imageServiceDown: { code: '107', text: 'The image service does not answer.' },
  imageCopyFailed: { code: '108', text: 'The data of the image did not arrive whole.' },
  wrongReference: { code: '109', text: 'The reference does not name anything that can be managed.' },
  alreadyManaged: { code: '110', text: 'What the reference names is managed already.' },
  objectMismatch: { code: '111', text: 'The storage backend holds something else under this name.' },
  driverFailed: { code: '112', text: 'The storage backend could not do it.' },
  metadataFailed: { code: '113', text: 'The metadata could not be written.' },
  wrongConnector: { code: '114', text: 'The host cannot be connected to this storage backend.' },
  poisonous: { code: '115', text: 'The service ended each time that it was at it, and has given it up.' },
  typeUnusable: { code: '116', text: 'The volume type is gone, or no volume can be of it.' },
} as const;

export type MessageAction = keyof typeof ACTIONS;
export type Detail = keyof typeof DETAILS;
