/**
 * User messages of failed flows: one message, made from the name of the failure alone.
 *
 * The text of a failure names hosts, paths and programs, which are not the user's business; so it never enters a message.
 * A failure that has no line here is told as unknown: that is true, and better than a guess.
 */
import { fromNow } from '../lib/clock.ts';
import type { MessageResourceType, NewMessage } from '../model/message.ts';
import { ACTIONS, DETAILS, type Detail, type MessageAction } from './message-codes.ts';

/** What the user asked for, and the message when the backend just says no. */
const OPERATIONS = {
  'create-volume': { resourceType: 'VOLUME', action: 'createVolume', refused: 'driverCreateFailed' },
  'delete-volume': { resourceType: 'VOLUME', action: 'deleteVolume', refused: 'driverFailed' },
  'extend-volume': { resourceType: 'VOLUME', action: 'extendVolume', refused: 'driverExtendFailed' },
  'retype-volume': { resourceType: 'VOLUME', action: 'retypeVolume', refused: 'driverFailed' },
  'migrate-volume': { resourceType: 'VOLUME', action: 'migrateVolume', refused: 'driverFailed' },
  'attach-volume': { resourceType: 'VOLUME', action: 'updateAttachment', refused: 'attachFailed' },
  'detach-volume': { resourceType: 'VOLUME', action: 'detachVolume', refused: 'detachFailed' },
  'manage-existing': { resourceType: 'VOLUME', action: 'manageVolume', refused: 'driverFailed' },
  'unmanage-volume': { resourceType: 'VOLUME', action: 'unmanageVolume', refused: 'driverFailed' },
  'revert-volume': { resourceType: 'VOLUME', action: 'revertVolume', refused: 'driverFailed' },
  'upload-volume': { resourceType: 'VOLUME', action: 'copyVolumeToImage', refused: 'driverFailed' },
  'reimage-volume': { resourceType: 'VOLUME', action: 'reimageVolume', refused: 'driverFailed' },
  'create-snapshot': { resourceType: 'VOLUME_SNAPSHOT', action: 'createSnapshot', refused: 'snapshotFailed' },
  'delete-snapshot': { resourceType: 'VOLUME_SNAPSHOT', action: 'deleteSnapshot', refused: 'snapshotDeleteFailed' },
  'manage-existing-snapshot': { resourceType: 'VOLUME_SNAPSHOT', action: 'manageSnapshot', refused: 'driverFailed' },
  'unmanage-snapshot': { resourceType: 'VOLUME_SNAPSHOT', action: 'unmanageSnapshot', refused: 'driverFailed' },
  'create-group': { resourceType: 'VOLUME_GROUP', action: 'createGroup', refused: 'driverFailed' },
  'update-group': { resourceType: 'VOLUME_GROUP', action: 'updateGroup', refused: 'driverFailed' },
  'create-group-snapshot': { resourceType: 'VOLUME_GROUP', action: 'createGroupSnapshot', refused: 'snapshotFailed' },
  'delete-group-snapshot': { resourceType: 'VOLUME_GROUP', action: 'deleteGroupSnapshot', refused: 'driverFailed' },
  'copy-group-member': { resourceType: 'VOLUME', action: 'createGroup', refused: 'driverFailed' },
  'snapshot-group-member': { resourceType: 'VOLUME', action: 'createGroupSnapshot', refused: 'snapshotFailed' },
  'create-backup': { resourceType: 'VOLUME_BACKUP', action: 'createBackup', refused: 'backupDriverFailed' },
  'schedule-backup': { resourceType: 'VOLUME', action: 'createBackup', refused: 'backupDriverFailed' },
  'restore-backup': { resourceType: 'VOLUME_BACKUP', action: 'restoreBackup', refused: 'restoreFailed' },
  'import-backup': { resourceType: 'VOLUME_BACKUP', action: 'importBackup', refused: 'backupMissing' },
  'verify-backup': { resourceType: 'VOLUME_BACKUP', action: 'verifyBackup', refused: 'backupDamaged' },
  'delete-backup': { resourceType: 'VOLUME_BACKUP', action: 'deleteBackup', refused: 'backupDeleteFailed' },
  'delete-group': { resourceType: 'VOLUME_GROUP', action: 'deleteGroup', refused: 'driverFailed' },
} as const satisfies Record<
  string,
  { readonly resourceType: MessageResourceType; readonly action: MessageAction; readonly refused: Detail }
>;

export type Operation = keyof typeof OPERATIONS;

/** By the name of the error. `refused` is the operation's own. Of a create, the failure also says how far it had come: `stage`. */
const FAILURES: Readonly<Record<string, { readonly detail: Detail | 'refused'; readonly stage?: MessageAction }>> = {
  InvalidConnector: { detail: 'wrongConnector' },
  TargetDaemonFailed: { detail: 'refused' },
  NoValidBackend: { detail: 'noBackend', stage: 'scheduleVolume' },
  DriverFailed: { detail: 'refused' },
  DriverNotInitialized: { detail: 'driverNotReady' },
  BackendUnanswered: { detail: 'driverNotReady' },
  BackendFull: { detail: 'backendFull' },
  BackendObjectMismatch: { detail: 'objectMismatch' },
  VolumeIsBusy: { detail: 'volumeBusy' },
  SnapshotIsBusy: { detail: 'snapshotBusy' },
  VolumeNotFound: { detail: 'sourceGone' },
  SnapshotNotFound: { detail: 'sourceGone' },
  GroupSnapshotNotFound: { detail: 'sourceGone' },
  GroupMemberFailed: { detail: 'groupMemberFailed' },
  ConsistentSnapshotRefused: { detail: 'momentNotKept' },
  LiveMoveRefused: { detail: 'notMovedLive' },
  GroupMembersLeft: { detail: 'groupMembersLeft' },
  ManageExistingInvalidReference: { detail: 'wrongReference' },
  ManageExistingAlreadyManaged: { detail: 'alreadyManaged' },
  ResourceHeld: { detail: 'volumeBusy' },
  ServiceUnavailable: { detail: 'noBackupHost' },
  BackupLimitExceeded: { detail: 'overQuota' },
  VolumeBackupSizeExceedsAvailableQuota: { detail: 'overQuota' },
  BackupNotFound: { detail: 'sourceGone' },
  VolumeLimitExceeded: { detail: 'overQuota' },
  SnapshotLimitExceeded: { detail: 'overQuota' },
  VolumeSizeExceedsAvailableQuota: { detail: 'overQuota' },
  VolumeSizeExceedsLimit: { detail: 'overQuota' },
  VolumeTypeNotFound: { detail: 'typeUnusable' },
  InvalidVolume: { detail: 'volumeStatus' },
  InvalidVolumeType: { detail: 'typeUnusable' },
  GroupLimitExceeded: { detail: 'overQuota' },
  ImageNotFound: { detail: 'sourceGone', stage: 'copyImageToVolume' },
  ImageCopyFailure: { detail: 'imageCopyFailed', stage: 'copyImageToVolume' },
  ImageUnacceptable: { detail: 'imageUnacceptable', stage: 'copyImageToVolume' },
  ImageTooBig: { detail: 'imageTooBig', stage: 'copyImageToVolume' },
  ImageServiceUnavailable: { detail: 'imageServiceDown', stage: 'copyImageToVolume' },
  ImageRefused: { detail: 'imageUploadFailed' },
  UploadedImageWrong: { detail: 'imageUploadFailed' },
  BackupFailed: { detail: 'refused' },
  BackupStoreFull: { detail: 'backupStoreFull' },
  BackupStoreUnavailable: { detail: 'backupServiceDown' },
  BackupStoreRefused: { detail: 'backupStoreRefused' },
  BackupMissing: { detail: 'backupMissing' },
  BackupDamaged: { detail: 'backupDamaged' },
  BackupKeyMissing: { detail: 'backupKeyMissing' },
  BackupFormatTooNew: { detail: 'backupTooNew' },
  MetadataCopyFailure: { detail: 'metadataFailed' },
  MetadataUpdateFailure: { detail: 'metadataFailed' },
  Cancelled: { detail: 'cancelled' },
  TaskTimeout: { detail: 'timedOut' },
  Interrupted: { detail: 'interrupted' },
  Poisonous: { detail: 'poisonous' },
};

/** Of an upload all that the image service did, or did not, has the one code that clients of Cinder know. */
const NOT_TAKEN: ReadonlySet<string> = new Set(['ImageServiceUnavailable', 'ImageNotFound']);

export function messageFor(
  failureName: string,
  operation: Operation,
): { readonly action: MessageAction; readonly detail: Detail } {
  const { action, refused } = OPERATIONS[operation];
  if (operation === 'upload-volume' && NOT_TAKEN.has(failureName)) return { action, detail: 'imageUploadFailed' };
  const known = Object.hasOwn(FAILURES, failureName) ? FAILURES[failureName] : undefined;
  if (known === undefined) return { action, detail: 'unknown' };
  return {
    action: operation === 'create-volume' ? (known.stage ?? action) : action,
    detail: known.detail === 'refused' ? refused : known.detail,
  };
}

export interface FailedOperation {
  readonly operation: Operation;
  /** The first failure of the flow: the others follow from it. */
  readonly failure: { readonly name: string };
  readonly resourceId: string;
  readonly projectId: string;
  readonly requestId: string;
  /** Configuration's `message_ttl`. */
  readonly ttlSeconds: number;
}

/** What a user reads. */
export function messageText(failureName: string, operation: Operation): string {
  const { action, detail } = messageFor(failureName, operation);
  return textOf(action, detail);
}

export function userMessage({ failure, ...about }: FailedOperation): NewMessage {
  return message(about, messageFor(failure.name, about.operation));
}

/** Of what was done all the same, and not as whoever asked would think. `more`: sentences with facts that are the user's. */
export function userNote(about: Omit<FailedOperation, 'failure'>, detail: Detail, more: string): NewMessage {
  const note = message(about, { action: OPERATIONS[about.operation].action, detail });
  return { ...note, text: `${note.text}${more && ` ${more}`}` };
}

function message(
  { operation, projectId, requestId, resourceId, ttlSeconds }: Omit<FailedOperation, 'failure'>,
  { action, detail }: ReturnType<typeof messageFor>,
): NewMessage {
  const { resourceType } = OPERATIONS[operation];
  return {
    projectId,
    requestId,
    resourceType,
    resourceId,
    eventId: `VOLUME_${resourceType}_${ACTIONS[action].code}_${DETAILS[detail].code}`,
    level: 'ERROR',
    text: textOf(action, detail),
    expiresAt: fromNow(ttlSeconds * 1000),
  };
}

const textOf = (action: MessageAction, detail: Detail): string => `${ACTIONS[action].text}: ${DETAILS[detail].text}`;
