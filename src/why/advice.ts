/** What to do about a flow that failed, by the name of its failure. */

const MORE_ROOM =
  'Make room on a backend, bring one up (`pumice doctor` says what is wrong with it), or add one that does what the type asks for; then ask for it again.';
const LESS_OR_MORE = 'Delete something, or have the quota raised; then ask for it again.';
const BACKEND_UP = 'Bring the backend up (`pumice doctor` says what is wrong with it); then ask for it again.';
const STORE_UP = 'See to the backup store; then ask for it again. A backup goes on with `pumice backups retry`.';

const ADVICE: Readonly<Record<string, string>> = {
  NoValidBackend: MORE_ROOM,
  BackendFull: MORE_ROOM,
  DriverNotInitialized: BACKEND_UP,
  BackendUnanswered: BACKEND_UP,
  BackupStoreFull: STORE_UP,
  BackupStoreUnavailable: STORE_UP,
  VolumeLimitExceeded: LESS_OR_MORE,
  SnapshotLimitExceeded: LESS_OR_MORE,
  BackupLimitExceeded: LESS_OR_MORE,
  VolumeSizeExceedsAvailableQuota: LESS_OR_MORE,
  VolumeBackupSizeExceedsAvailableQuota: LESS_OR_MORE,
  VolumeSizeExceedsLimit: 'Ask for a smaller one.',
  Cancelled: 'It was stopped on purpose. Ask for it again if it is still wanted.',
};

export const adviceFor = (failure: string | undefined): string =>
  (failure !== undefined && Object.hasOwn(ADVICE, failure) ? ADVICE[failure] : undefined) ??
  'Put right what the reason says, and ask for it again.';
