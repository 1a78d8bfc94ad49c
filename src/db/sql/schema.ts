/**
 * The tables, as Kysely and a reader see them. The same on SQLite and PostgreSQL: times are text (`lib/clock.ts`),
 * booleans are 0 or 1, JSON is text, sizes are GiB unless a name says bytes.
 *
 * `revision` rises with every change of a row, so what was rendered from a row can be kept and never be stale.
 */
import type { Generated } from 'kysely';
import type { Timestamp } from '../../lib/clock.ts';

export interface Tables {
  volume: VolumeTable;
  volume_attachment: AttachmentTable;
  snapshot: SnapshotTable;
  volume_type: VolumeTypeTable;
  qos_specs: QosSpecsTable;
  volume_type_encryption: VolumeTypeEncryptionTable;
  default_volume_type: { project_id: string; volume_type_id: string };
  group_type: GroupTypeTable;
  volume_group: GroupTable;
  group_snapshot: GroupSnapshotTable;
  backup: BackupTable;
  backup_scope: BackupScopeTable;
  backup_content: BackupContentTable;
  backup_work: { backup_id: string; attempts: number; restored_bytes: number };
  backup_bite: BackupBiteTable;
  backup_remains: BackupRemainsTable;
  backup_base: BackupBaseTable;
  backup_schedule: BackupScheduleTable;
  backup_schedule_volume: BackupScheduleVolumeTable;
  backup_check: BackupCheckTable;
  backup_damage: BackupDamageTable;
  backup_round: BackupRoundTable;
  volume_type_access: { volume_type_id: string; project_id: string };
  group_type_access: { group_type_id: string; project_id: string };
  quota_limit: { project_id: string; resource: string; hard_limit: number };
  quota_class_limit: { class_name: string; resource: string; hard_limit: number };
  quota_usage: { project_id: string; resource: string; in_use: number; reserved: number };
  reservation: ReservationTable;
  pool_usage: { pool: string; allocated_gib: number; provisioned_gib: number; volumes: number };
  service: ServiceTable;
  message: MessageTable;
  token: TokenTable;
  transfer: TransferTable;
  outbox: OutboxTable;
  outbox_delivered: { sink: string; seq: number };
  sink: SinkTable;
  sink_waiting: SinkWaitingTable;
  flow: FlowTable;
  flow_step: FlowStepTable;
  /** `waiting` 1: the flow does not have it yet. */
  hold: { resource: string; flow_id: string; mode: 'exclusive' | 'shared'; waiting: Generated<number> };
  doomed_image: { id: string; since: Timestamp };
  image_cache: ImageCacheTable;
  move_secret: { copy_id: string; secret: string };
  trouble: { process: string; upkeep: string; about: string; node: string; reason: string; since: Timestamp };
  alarm: { alarm: string; about: string; message: string; since: Timestamp };
  imported_from: ImportedFromTable;
  import_gone: { step: string; id: string };
  import_span: { step: string; up_to: string; digest: string };
  schema_version: { version: number; name: string; applied_at: Timestamp };
}

/** `evicted_at`: it is to be removed from its backend, and then from here. */
export interface ImageCacheTable {
  /** `node@backend#pool` */
  pool: string;
  id: string;
  image_id: string;
  size_gib: number;
  created_at: Timestamp;
  last_used_at: Timestamp;
  evicted_at: Timestamp | null;
}

/** `failing_since` and `reason` are null where nothing fails, and `next_try_at` where nothing is to be tried. */
export interface SinkTable {
  sink: string;
  succeeded_at: Timestamp | null;
  failing_since: Timestamp | null;
  tries: number;
  reason: string | null;
  next_try_at: Timestamp | null;
}

export interface SinkWaitingTable {
  sink: string;
  /** `volume:<id>` */
  resource: string;
  seq: number;
  since: Timestamp;
  tries: number;
  reason: string;
  next_try_at: Timestamp | null;
}

export interface TokenTable {
  digest: string;
  audit_id: string;
  /** A list of text. */
  methods: string;
  user_id: string;
  project_id: string | null;
  application_credential_id: string | null;
  secret_mark: string;
  issued_at: Timestamp;
  expires_at: Timestamp;
}

export interface VolumeTable {
  id: string;
  name_id: string | null;
  project_id: string;
  user_id: string | null;
  name: string | null;
  description: string | null;
  size_gib: number;
  status: string;
  previous_status: string | null;
  attach_status: string;
  migration_status: string | null;
  /** `node@backend#pool`; null until a backend is chosen. */
  host: string | null;
  availability_zone: string | null;
  volume_type_id: string;
  snapshot_id: string | null;
  source_volid: string | null;
  group_id: string | null;
  bootable: number;
  multiattach: number;
  use_quota: number;
  encryption_key_id: string | null;
  replication_status: string | null;
  provider_location: string | null;
  provider_id: string | null;
  /** What opens the target that Cinder has made for it. A secret: it is in no model. */
  provider_auth: string | null;
  /** JSON: the `ManageRef` it was taken over by; null for a volume made here. */
  managed_ref: string | null;
  /** JSON object of text. */
  metadata: string;
  /** JSON object of text: `readonly`, `attached_mode`, … */
  admin_metadata: string;
  /** JSON object of text: what was captured of the image. Null when it came from none. */
  image_metadata: string | null;
  /** The same of the image that is being written to it. */
  next_image_metadata: string | null;
  created_at: Timestamp;
  updated_at: Timestamp | null;
  scheduled_at: Timestamp | null;
  launched_at: Timestamp | null;
  terminated_at: Timestamp | null;
  revision: number;
}

export interface SnapshotTable {
  id: string;
  project_id: string;
  user_id: string | null;
  volume_id: string;
  volume_type_id: string;
  /** Size of the volume when it was taken (or of the file taken over), GiB. */
  volume_size_gib: number;
  name: string | null;
  description: string | null;
  status: string;
  progress: string;
  group_snapshot_id: string | null;
  use_quota: number;
  encryption_key_id: string | null;
  provider_location: string | null;
  provider_id: string | null;
  /** As the volume's. */
  provider_auth: string | null;
  managed_ref: string | null;
  metadata: string;
  image_metadata: string | null;
  created_at: Timestamp;
  updated_at: Timestamp | null;
  revision: number;
}

export interface VolumeTypeTable {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  /** JSON object of text. */
  extra_specs: string;
  qos_specs_id: string | null;
  created_at: Timestamp;
  updated_at: Timestamp | null;
}

export interface QosSpecsTable {
  id: string;
  name: string;
  consumer: string;
  /** JSON object of text. */
  specs: string;
  created_at: Timestamp;
  updated_at: Timestamp | null;
}

export interface VolumeTypeEncryptionTable {
  encryption_id: string;
  volume_type_id: string;
  provider: string;
  control_location: string;
  cipher: string | null;
  key_size: number | null;
  created_at: Timestamp;
  updated_at: Timestamp | null;
}

export interface GroupTypeTable {
  id: string;
  name: string;
  description: string | null;
  is_public: number;
  /** JSON object of text. */
  group_specs: string;
  created_at: Timestamp;
  updated_at: Timestamp | null;
}

export interface GroupTable {
  id: string;
  project_id: string;
  user_id: string | null;
  name: string | null;
  description: string | null;
  status: string;
  /** `node@backend#pool`; its volumes are on this backend. Null when none could be chosen. */
  host: string | null;
  availability_zone: string | null;
  group_type_id: string;
  /** JSON list of text. */
  volume_type_ids: string;
  group_snapshot_id: string | null;
  source_group_id: string | null;
  replication_status: string | null;
  created_at: Timestamp;
  updated_at: Timestamp | null;
  revision: number;
}

export interface GroupSnapshotTable {
  id: string;
  project_id: string;
  user_id: string | null;
  name: string | null;
  description: string | null;
  status: string;
  group_id: string;
  /** That of the group. */
  group_type_id: string;
  created_at: Timestamp;
  updated_at: Timestamp | null;
  revision: number;
}

export interface BackupTable {
  id: string;
  project_id: string;
  user_id: string | null;
  volume_id: string;
  snapshot_id: string | null;
  parent_id: string | null;
  name: string | null;
  description: string | null;
  status: string;
  fail_reason: string | null;
  size_gib: number;
  container: string | null;
  availability_zone: string | null;
  host: string | null;
  service: string | null;
  service_metadata: string | null;
  object_count: number;
  data_timestamp: Timestamp | null;
  restore_volume_id: string | null;
  encryption_key_id: string | null;
  /** JSON object of text. */
  metadata: string;
  created_at: Timestamp;
  updated_at: Timestamp | null;
  revision: number;
  scope_id: string | null;
  /** Of the scope, when it began. */
  epoch: number;
  /** JSON object of text. Null when its volume could not be booted from. */
  image_metadata: string | null;
  /** The schedule that asked for it, which may be gone. Null when somebody has. */
  schedule_id: string | null;
}

/** Backups that share what is equal in them. */
export interface BackupScopeTable {
  id: string;
  store: string;
  /** What the store calls itself; null until it was asked. */
  store_id: string | null;
  project_id: string;
  volume_id: string;
  epoch: number;
  /** 1: another database made it. */
  imported: number;
  /** When the nightly verification was last at it. */
  looked_at: string | null;
}

/** The last look at a backup that came to its end. */
export interface BackupCheckTable {
  backup_id: string;
  /** When it began. */
  checked_at: string;
  depth: string;
  /** Of the packs. */
  percent: number;
}

/** What is wrong with a backup in its store. */
export interface BackupDamageTable {
  backup_id: string;
  /** Empty: it is the manifest. */
  pack: string;
  what: string;
  /** Of the look that found it. */
  depth: string;
  /** JSON list of `{at, bytes}` of the volume. */
  ranges: string;
  found_at: string;
}

/** A look at backups that has not come to its end. */
export interface BackupRoundTable {
  /** Of the backup, or of the scope, that is looked at. */
  id: string;
  begun_at: string;
  /** JSON list of text. */
  backup_ids: string;
  /** The last pack that was looked at. */
  after_pack: string | null;
}

/** A backup whose manifest is in the store. */
export interface BackupContentTable {
  backup_id: string;
  scope_id: string;
  root: string;
  /** JSON list of text. */
  packs: string;
  /** How it was found out what to store; null of what was imported. */
  way: string | null;
  why: string | null;
}

/** What a backend keeps on of a volume that was backed up. */
export interface BackupBaseTable {
  backup_id: string;
  volume_id: string;
  name_id: string | null;
  pool: string;
  root: string;
  created_at: Timestamp;
  /** 1: the backend is to drop it. */
  given_up: number;
}

/** A part of a volume that is in the store, while the rest of it is copied. */
export interface BackupBiteTable {
  backup_id: string;
  /** 0, 1, 2 … */
  number: number;
  pack: string;
  first: number;
  chunks: number;
  bytes: number;
  sha256: string;
}

/** What is to be removed from a store of a backup that is gone, or was never finished. */
export interface BackupRemainsTable {
  backup_id: string;
  scope_id: string;
  epoch: number;
  attempts: number;
  /** JSON list of text. */
  packs: string;
}

export interface BackupScheduleTable {
  id: string;
  name: string;
  /** `volume`, `type` or `project`, and its id. */
  target: string;
  target_id: string;
  times: string;
  zone: string;
  keep_last: number;
  keep_daily: number;
  keep_weekly: number;
  keep_monthly: number;
  full_every: number | null;
  store: string | null;
  force: number;
  created_at: Timestamp;
  next_run_at: Timestamp;
  last_run_at: Timestamp | null;
  last_began_at: Timestamp | null;
  last_ended_at: Timestamp | null;
  last_failure: string | null;
  whole_at: Timestamp;
}

/** What a schedule has asked for of a volume when it did so last. */
export interface BackupScheduleVolumeTable {
  schedule_id: string;
  volume_id: string;
  /** For when the run was planned. */
  run_at: Timestamp;
  /** How many increments there have been since it stored all. */
  since_full: number;
  backup_id: string | null;
  /** Why it was not asked for. */
  refusal: string | null;
}

export interface AttachmentTable {
  id: string;
  project_id: string;
  volume_id: string;
  instance_uuid: string | null;
  attached_host: string | null;
  mountpoint: string | null;
  attach_mode: string;
  attach_status: string;
  /** JSON; null when nothing is exported for it. */
  connector: string | null;
  /** JSON, without the secret. */
  connection_info: string | null;
  secret: string;
  attached_at: Timestamp | null;
  /** 1: another service has opened it, and we have not exported it yet. */
  taken_over: number;
  created_at: Timestamp;
  updated_at: Timestamp | null;
  revision: number;
}

/** What a flow has promised itself and not yet counted. It ends with its flow, never by a clock. */
export interface ReservationTable {
  id: string;
  flow_id: string;
  project_id: string;
  resource: string;
  delta: number;
}

export interface ServiceTable {
  /** `node@backend` of cinder-volume, the node of cinder-scheduler. */
  host: string;
  binary: string;
  uuid: string;
  availability_zone: string;
  disabled: number;
  disabled_reason: string | null;
  frozen: number;
  /** JSON: `PoolStats[]` as last reported; `[]` for services without pools. */
  pools: string;
  /** Why the backend cannot be used; null when it can. */
  failure: string | null;
  created_at: Timestamp;
  /** The heartbeat. */
  updated_at: Timestamp;
}

export interface MessageTable {
  id: string;
  project_id: string;
  request_id: string;
  resource_type: string;
  resource_uuid: string;
  event_id: string;
  message_level: string;
  user_message: string;
  created_at: Timestamp;
  expires_at: Timestamp;
}

/** A volume that waits for whoever has the key. */
export interface TransferTable {
  id: string;
  volume_id: string;
  name: string | null;
  no_snapshots: number;
  source_project_id: string;
  salt: string;
  key_hash: string;
  /** How the hash is made (`model/auth-key.ts`). */
  scheme: string;
  created_at: Timestamp;
}

/** The Cinder that this database is filled from, and how far that is. */
export interface ImportedFromTable {
  /** Kind, place and name of its database: no user, no password. */
  source: string;
  /** Of its schema. */
  revision: string;
  /** What is being read, and the last id of it that is here. Both null while nothing is. */
  step: string | null;
  after_id: string | null;
  /** JSON object: rows by kind. */
  counts: string;
  began_at: Timestamp;
  /** When all of it was here for the last time. */
  filled_at: Timestamp | null;
  /** From then on it is ours. */
  turned_at: Timestamp | null;
  /** JSON object: the switches of the import. */
  decisions: string | null;
  /** JSON array of statements, each of which makes an index that the first fill goes without. */
  waiting_indexes: Generated<string>;
}

export interface OutboxTable {
  seq: Generated<number>;
  /** On PostgreSQL the transaction that wrote it, as text; 0 on SQLite. */
  xid: Generated<string | number>;
  /** The id to drop doubles by. */
  message_id: string;
  /** Events of one resource are delivered in order: `volume:<id>`. */
  resource: string;
  event_type: string;
  priority: 'INFO' | 'ERROR';
  publisher_id: string;
  payload: string;
  project_id: string;
  user_id: string;
  request_id: string;
  created_at: Timestamp;
}

export interface FlowTable {
  id: string;
  name: string;
  version: number;
  /** Who may run it: `control` or `host:<node@backend>`; `holds`: nobody, it waits for its holds. */
  lane: string;
  state: 'pending' | 'running' | 'reverting' | 'stuck' | 'success' | 'reverted';
  /** JSON. */
  input: string;
  /** The process that runs it; null when nobody does. */
  owner: string | null;
  /** Raised by every claim; each journal write compares it. */
  epoch: number;
  /** Number of steps in its journal. */
  seq: number;
  /** What an operator wants: `cancel`, `resume`; and why. */
  wish: string | null;
  wish_reason: string | null;
  /** Claims from owners that were gone, since a node last ended. */
  claims: number;
  /** JSON, for people: which world task runs, since when, how far. Written now and then, never read to decide. */
  doing: string | null;
  /** What it works on: `volume:<id>`. */
  resource: string;
  project_id: string;
  request_id: string;
  /** A `traceparent`; null where nobody traces. */
  trace: string | null;
  created_at: Timestamp;
  updated_at: Timestamp;
  ended_at: Timestamp | null;
}

export interface FlowStepTable {
  flow_id: string;
  /** 0, 1, 2 … */
  seq: number;
  /** Where in the flow: the task's path. */
  node: string;
  /** `engine/cursor.ts` says what each means. */
  event: string;
  /** From 1; counts the tries of the span the node stands in. */
  attempt: number;
  /** JSON: a result, a failure, a choice. */
  data: string | null;
  started_at: Timestamp | null;
  at: Timestamp;
}
