/**
 * The catalogue of errors, for people and for flows.
 *
 * Each error knows its HTTP status and Cinder's fault name (`api/fault.ts` renders both), and two properties a flow asks
 * for: `transient`, the same call may succeed later; `elsewhere`, another backend may succeed where this one did not.
 * An error that says neither is final, so a new kind of failure never sends a volume travelling by accident (S90).
 * A message says what this layer was doing; the reason is its `cause`.
 */

export type Fault =
  | 'badRequest'
  | 'unauthorized'
  | 'forbidden'
  | 'itemNotFound'
  | 'badMethod'
  | 'computeFault'
  | 'conflictingRequest'
  | 'overLimit'
  | 'badMediaType'
  | 'notImplemented'
  | 'serviceUnavailable';

export class PumiceError extends Error {
  /** HTTP status. */
  readonly status: number = 500;
  readonly fault: Fault = 'computeFault';
  /** The same call may succeed later. */
  readonly transient: boolean = false;
  /** Another backend may succeed. */
  readonly elsewhere: boolean = false;
  override get name(): string {
    return this.constructor.name;
  }
}

class BadRequest extends PumiceError {
  override readonly status = 400;
  override readonly fault = 'badRequest';
}

class NotFound extends PumiceError {
  override readonly status = 404;
  override readonly fault = 'itemNotFound';
}

class OverLimit extends PumiceError {
  override readonly status = 413;
  override readonly fault = 'overLimit';
}

// What a request may get wrong
export class InvalidInput extends BadRequest {}
export class InvalidVolume extends BadRequest {}
export class InvalidSnapshot extends BadRequest {}
export class InvalidVolumeType extends BadRequest {}
export class InvalidBackup extends BadRequest {}
export class InvalidGroup extends BadRequest {}
export class InvalidGroupSnapshot extends BadRequest {}
/** No backend does what the type of the group demands. */
export class InvalidGroupType extends BadRequest {}
/** Volumes or snapshots are of it, or may be in a group. */
export class VolumeTypeInUse extends BadRequest {}
/** Groups are of it. */
export class GroupTypeInUse extends BadRequest {}
/** Volume types have them. */
export class QosSpecsInUse extends BadRequest {}
/** The volume is read-only, or has no such mode. */
export class InvalidVolumeAttachMode extends BadRequest {}
/** What the client says of its machine is not enough, or this backend cannot be reached from there. */
export class InvalidConnector extends BadRequest {}
/** Another flow holds the resource: "volume … is being cloned". */
export class ResourceHeld extends BadRequest {}

/** Of a volume transfer. */
export class InvalidAuthKey extends BadRequest {}

export class Forbidden extends PumiceError {
  override readonly status = 403;
  override readonly fault = 'forbidden';
}

export class Conflict extends PumiceError {
  override readonly status = 409;
  override readonly fault = 'conflictingRequest';
}

/** It is not in a state in which that may be ordered of it. */
export class FlowConflict extends Conflict {}

/** A server may be using it, and no service has asked. */
export class ServerUsesAttachment extends Conflict {}

/** An attachment of it is not to be connected. Cinder tells that from every other wrong state (bug 1907295), and so does Nova. */
export class VolumeInError extends Conflict {}

/** Another type has the name. */
export class VolumeTypeExists extends Conflict {}
/** Another type of groups has the name. */
export class GroupTypeExists extends Conflict {}
/** Other QoS specs have the name. */
export class QosSpecsExist extends Conflict {}

export class PreconditionFailed extends PumiceError {
  override readonly status = 412;
}

export class RouteNotFound extends NotFound {}
export class VolumeNotFound extends NotFound {
  constructor(id: string) {
    super(`Volume ${id} could not be found.`);
  }
}
export class SnapshotNotFound extends NotFound {
  constructor(id: string) {
    super(`Snapshot ${id} could not be found.`);
  }
}
export class GroupNotFound extends NotFound {
  constructor(id: string) {
    super(`Group ${id} could not be found.`);
  }
}
export class GroupSnapshotNotFound extends NotFound {
  constructor(id: string) {
    super(`Group snapshot ${id} could not be found.`);
  }
}
export class BackupNotFound extends NotFound {
  constructor(id: string) {
    super(`Backup ${id} could not be found.`);
  }
}
export class AttachmentNotFound extends NotFound {
  constructor(id: string) {
    super(`Attachment ${id} could not be found.`);
  }
}
export class VolumeTypeNotFound extends NotFound {
  constructor(id: string) {
    super(`Volume type ${id} could not be found.`);
  }
}
/** Of a project to a private type. */
export class VolumeTypeAccessNotFound extends NotFound {}
export class GroupTypeNotFound extends NotFound {
  constructor(id: string) {
    super(`Group type ${id} could not be found.`);
  }
}
export class QosSpecsNotFound extends NotFound {
  constructor(id: string) {
    super(`QoS specs ${id} could not be found.`);
  }
}
export class QosSpecsKeyNotFound extends NotFound {}
/** Of a volume type. */
export class TypeEncryptionNotFound extends NotFound {}
/** Of a project. */
export class DefaultTypeNotFound extends NotFound {}
export class ImageNotFound extends NotFound {
  constructor(id: string) {
    super(`Image ${id} could not be found.`);
  }
}
export class ServiceNotFound extends NotFound {}
export class ClusterNotFound extends NotFound {}
export class MessageNotFound extends NotFound {
  constructor(id: string) {
    super(`Message ${id} could not be found.`);
  }
}
export class TransferNotFound extends NotFound {
  constructor(id: string) {
    super(`Transfer ${id} could not be found.`);
  }
}
export class FlowNotFound extends NotFound {
  constructor(id: string) {
    super(`Flow ${id} could not be found.`);
  }
}
/** Of what somebody wants to know why it is not done. */
export class WhyUnknown extends NotFound {}
export class MetadataKeyNotFound extends NotFound {}

// Quota: 413, and each message holds the word "exceeded", which clients look for
export class VolumeLimitExceeded extends OverLimit {}
export class SnapshotLimitExceeded extends OverLimit {}
export class GroupLimitExceeded extends OverLimit {}
export class BackupLimitExceeded extends OverLimit {}
export class VolumeBackupSizeExceedsAvailableQuota extends OverLimit {}
export class VolumeSizeExceedsAvailableQuota extends OverLimit {}
export class VolumeSizeExceedsLimit extends OverLimit {}

// What a backend may answer
/** The backend could not do it. Another may. */
export class DriverFailed extends PumiceError {
  override readonly elsewhere = true;
}
/** The backend has not come up, or its directory is gone: nothing was asked of it. Another may be there. */
export class DriverNotInitialized extends DriverFailed {
  readonly unasked: boolean = true;
}
/** The backend has fallen silent. What was asked may be done, or be done yet: who asks again is answered when it is back. */
export class BackendUnanswered extends DriverNotInitialized {
  override readonly unasked = false;
  readonly unanswered = true;
}
/** No room on this backend. */
export class BackendFull extends DriverFailed {}
/** What is there under this name is not what was asked for (S91: "already exists" must match). */
export class BackendObjectMismatch extends DriverFailed {}
/** A volume of a group could not be snapshotted or copied, so none was. */
export class GroupMemberFailed extends PumiceError {}
/** Volumes of a group could not be deleted with it; the others are gone. */
export class GroupMembersLeft extends PumiceError {}
/** The object is in use on the backend; nothing was destroyed. */
export class VolumeIsBusy extends PumiceError {
  override readonly status = 400;
  override readonly fault = 'badRequest';
}
export class SnapshotIsBusy extends VolumeIsBusy {}
/** Several volumes cannot be snapshotted in one moment there: why, and what would help. */
export class ConsistentSnapshotRefused extends BadRequest {}
/** A volume cannot move while it is attached: why, and what would help. */
export class LiveMoveRefused extends BadRequest {}
/** The reference given to "manage existing" names nothing usable. */
export class ManageExistingInvalidReference extends BadRequest {}
export class ManageExistingAlreadyManaged extends BadRequest {}

/** No backend passed the filters. `reasons` says which filter refused which pool. */
export class NoValidBackend extends PumiceError {
  readonly reasons: readonly string[];
  constructor(reasons: readonly string[] = []) {
    super(`No valid backend was found.${reasons.length > 0 ? ` ${reasons.join(' ')}` : ''}`);
    this.reasons = reasons;
  }
}

// Images: the volume exists already, or no backend could help; never tried elsewhere (S27, S28)
/** Bytes did not arrive or could not be converted. */
export class ImageCopyFailure extends PumiceError {}
/** What arrived is not what may be written: another format, a backing file, a wrong checksum. */
export class ImageUnacceptable extends BadRequest {}
export class ImageTooBig extends BadRequest {}
/** The image service does not want an image of ours. */
export class ImageRefused extends BadRequest {}
/** The image service says that it has an image of ours, and has something else; it was removed. */
export class UploadedImageWrong extends PumiceError {
  override readonly transient = true;
}
export class MetadataCopyFailure extends PumiceError {}
export class MetadataUpdateFailure extends PumiceError {}
/** The image service does not answer. */
export class ImageServiceUnavailable extends PumiceError {
  override readonly status = 503;
  override readonly fault = 'serviceUnavailable';
  override readonly transient = true;
}

// Backups: the source is never harmed
/** What a backup needs could not be read, written or started. */
export class BackupFailed extends PumiceError {}
/** Whoever did the work was killed, maybe for want of memory. Another may go on where it stood. */
export class BackupProcessDied extends BackupFailed {}
/** No room in the store. Somebody may make some. */
export class BackupStoreFull extends BackupFailed {
  override readonly transient = true;
  /** About so much more; null where nobody can say. */
  readonly needsBytes: number | null;
  constructor(message: string, options: ErrorOptions & { readonly needsBytes?: number } = {}) {
    super(message, options);
    this.needsBytes = options.needsBytes ?? null;
  }
}
/** The store does not answer, or is busy. */
export class BackupStoreUnavailable extends BackupFailed {
  override readonly transient = true;
}
/** The store is not there, is another one, or refuses our credentials: an operator has to act. */
export class BackupStoreRefused extends BackupFailed {}
/** It is not in the store. */
export class BackupMissing extends BackupFailed {}
/** It is in the store, and is not what was put there. */
export class BackupDamaged extends BackupFailed {}
/** It is encrypted with a key that this host does not have. */
export class BackupKeyMissing extends BackupFailed {}
/** A newer release has written it. */
export class BackupFormatTooNew extends BackupFailed {}

/** What was asked for has failed, after all that a request is checked for. */
export class OperationFailed extends PumiceError {}
/** It goes on, and nobody waits for it any more. */
export class AnswerTookTooLong extends PumiceError {
  override readonly status = 504;
}

export class ServiceUnavailable extends PumiceError {
  override readonly status = 503;
  override readonly fault = 'serviceUnavailable';
}
