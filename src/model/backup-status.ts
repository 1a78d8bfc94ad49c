/**
 * The state machine of backups, as `status.ts` has those of volumes and snapshots: a command moves a status by the operation's name,
 * a flow ends in the status that its operation says. `docs/states.md` is printed from here.
 */
import type { Moving, Refusing, Transition } from './transition.ts';

export const BACKUP_STATUSES = ['creating', 'available', 'restoring', 'deleting', 'error', 'error_deleting'] as const;
export type BackupStatus = (typeof BACKUP_STATUSES)[number];

/** The statuses that an administrator may give a backup, as in Cinder. */
export const BACKUP_RESET_STATUSES = ['available', 'error'] as const satisfies readonly BackupStatus[];

/** However it comes to be, by a flow that need not know. */
const COMES_TO_BE = { during: ['creating'], success: 'available', failure: 'error' } as const;

export const BACKUP_TRANSITIONS = {
  create: { from: [], ...COMES_TO_BE },
  /** Once more, of what its volume holds then. */
  retry: { from: ['error'], ...COMES_TO_BE, must: '{from} to be begun again' },
  import: { from: [], ...COMES_TO_BE },
  /** Its record. */
  export: {
    from: ['available'],
    during: [],
    success: 'previous',
    failure: 'previous',
    must: '{from} for its record to be exported',
  },
  /** What it is made of is looked at in its store. */
  verify: {
    from: ['available', 'restoring'],
    during: [],
    success: 'previous',
    failure: 'previous',
    must: '{from} to be verified',
  },
  restore: {
    from: ['available'],
    during: ['restoring'],
    success: 'available',
    failure: 'available',
    must: '{from} to be restored',
  },
  delete: {
    from: ['available', 'error'],
    during: ['deleting'],
    success: 'gone',
    failure: 'error_deleting',
    must: '{from} to be deleted',
  },
} as const satisfies Record<string, Transition<BackupStatus>>;
export type RefusingBackup = Refusing<typeof BACKUP_TRANSITIONS>;
export type MovingBackup = Moving<typeof BACKUP_TRANSITIONS>;
/** A flow is at the backup, and leads it out of these. */
export const TRANSIENT_BACKUP_STATUSES: readonly BackupStatus[] = Object.values(BACKUP_TRANSITIONS).flatMap(
  ({ during }): readonly BackupStatus[] => during,
);
