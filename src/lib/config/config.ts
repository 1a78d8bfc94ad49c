/**
 * The schema of the configuration, a section a file, joined here: every option once, with name, form, default and meaning. Its type,
 * the checks of `read-config.ts` and `docs/configuration.md` are all made from this schema.
 *
 * Names are those of cinder.conf where the meaning is the same; the rest carry their unit. An option is called the same
 * in the file, in the code and in the documentation, so that one search finds it everywhere.
 *
 * Beside the keywords of JSON Schema an option may say:
 * - `computed`: in words, what it is when the file does not say; `read-config.ts` fills it in.
 * - `path`: it is a path, or (with a prefix) holds one after the prefix; made absolute when read.
 * - `secret`: its value is never printed, and `NAME_file` may name a file that holds it.
 * - `form`: in words, what a text must look like, where "text" would say too little.
 */
import { type Static, Type } from '../schema.ts';
import { Api } from './api.ts';
import { Backend } from './backends.ts';
import { BackupKeys } from './backup-keys.ts';
import { BackupStore } from './backup-stores.ts';
import { BackupVerification } from './backup-verification.ts';
import { Database } from './database.ts';
import { Flows } from './flows.ts';
import { positive } from './forms.ts';
import { Identity } from './identity.ts';
import { Images } from './images.ts';
import { KeystoneService } from './keystone.ts';
import { Log } from './log.ts';
import { Metrics } from './metrics.ts';
import { Notifications } from './notifications.ts';
import { Policy } from './policy.ts';
import { Quota } from './quota.ts';
import { Scheduler } from './scheduler.ts';
import { Services } from './services.ts';
import { Webhook } from './webhooks.ts';

const nameTemplate = (kind: 'volume' | 'snapshot') =>
  Type.String({
    pattern: '^(%s|[A-Za-z0-9_-][A-Za-z0-9_.-]*%s)[A-Za-z0-9_.-]*$',
    form: 'letters, digits, dots, hyphens and underscores, with one %s and no dot in front',
    default: `${kind}-%s`,
    description: `What a ${kind} is called on a backend; %s is its id. What exists is found by it: do not change it later.`,
  });

export const configSchema = Type.Object({
  data_directory: Type.String({
    minLength: 1,
    default: 'pumice-data',
    path: '',
    description: 'Where everything lies that has no other place. Paths may begin with `$data_directory`.',
  }),
  node_name: Type.String({
    pattern: '^[A-Za-z0-9.-]+$',
    form: 'letters, digits, dots and hyphens',
    computed: "the machine's host name",
    description: 'The first part of `node@backend#pool`. Volumes are found by it: do not change it later.',
  }),
  enabled_backends: Type.Array(Type.String({ minLength: 1, form: 'names of [backends.*] sections' }), {
    minItems: 1,
    uniqueItems: true,
    computed: 'all of `[backends.*]`',
    description: 'Which backends this process serves.',
  }),
  storage_availability_zone: Type.String({
    minLength: 1,
    default: 'nova',
    description: 'The availability zone of backends that name none.',
  }),
  default_availability_zone: Type.String({
    minLength: 1,
    computed: '`storage_availability_zone`',
    description: 'The availability zone of volumes whose request names none.',
  }),
  allow_availability_zone_fallback: Type.Boolean({
    default: false,
    description: 'Use the default zone when a request names one that does not exist.',
  }),
  default_volume_type: Type.String({
    minLength: 1,
    default: '__DEFAULT__',
    description: 'The type of volumes whose request names none.',
  }),
  ignore_case: Type.Boolean({
    default: false,
    description:
      'Find types by names, and rows by filters of lists, whatever the case of their letters from A to Z, as a Cinder on MySQL does. Ids, and keys and values of metadata, are compared exactly; a list filtered by name or status looks at every row of the project then.',
  }),
  default_group_type: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The type of groups that is called `default`. Without it there is none.',
    }),
  ),
  default_backup_store: Type.Optional(
    Type.String({
      minLength: 1,
      computed: 'the section of `[backup_stores.*]`, where there is one',
      description: 'Where backups go. Those that are in other stores are still read there.',
    }),
  ),
  volume_name_template: nameTemplate('volume'),
  snapshot_name_template: nameTemplate('snapshot'),
  rehearsal: Type.Boolean({
    default: false,
    description:
      'Serve what was imported from a Cinder for looking at it: every change is refused (503), no flow begins, nothing is exported or swept, and backends are only asked what they hold.',
  }),
  max_copies: Type.Integer({
    ...positive,
    default: 2,
    description:
      'Copies of whole volumes and images that run here at once, whichever backends they are for. Projects whose copies wait take turns.',
  }),
  volume_copy_bps_limit: Type.Integer({
    minimum: 0,
    default: 128 * 1024 ** 2,
    description:
      'Bytes a second that these copies may write in all; each of `max_copies` has an equal part. Only a rate spares those who use the disks meanwhile. 0: as fast as it goes.',
  }),
  max_backup_copies: Type.Integer({
    ...positive,
    default: 2,
    description:
      'Backups that are made or checked here at once; as many restores run beside them, and wait for none of them. They do not count among `max_copies`. Projects whose backups wait take turns, and checks wait for backups.',
  }),
  backup_copy_bps_limit: Type.Integer({
    minimum: 0,
    default: 0,
    description:
      'Bytes a second of volumes that backups may read here in all, and restores write; each of `max_backup_copies` has an equal part, from when it begins. 0: as fast as it goes.',
  }),
  message_ttl: Type.Integer({ ...positive, default: 2_592_000, description: 'Seconds a user message is kept.' }),
  api: Api,
  keystone: KeystoneService,
  identity: Identity,
  policy: Policy,
  database: Database,
  scheduler: Scheduler,
  quota: Quota,
  services: Services,
  images: Images,
  notifications: Notifications,
  webhooks: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]+$' }), Webhook, {
    form: 'letters, digits, hyphens and underscores',
    default: {},
  }),
  flows: Flows,
  log: Log,
  metrics: Metrics,
  backends: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]+$' }), Backend, {
    form: 'letters, digits, hyphens and underscores',
    default: { file: { driver: 'file', path: '$data_directory/volumes', create: true } },
  }),
  backup_verification: BackupVerification,
  backup_stores: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]+$' }), BackupStore, {
    form: 'letters, digits, hyphens and underscores',
    default: {},
  }),
  backup_keys: BackupKeys,
});

type Deep<T> = T extends readonly (infer Item)[]
  ? readonly Deep<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Deep<T[Key]> }
    : T;

/** The whole, frozen. Whoever needs one section is handed that section. */
export type Config = Deep<Static<typeof configSchema>>;

export type ApiConfig = Config['api'];
export type IdentityConfig = Config['identity'];
export type KeystoneConfig = Config['keystone'];
export type DatabaseConfig = Config['database'];
export type SchedulerConfig = Config['scheduler'];
export type QuotaConfig = Config['quota'];
export type ServicesConfig = Config['services'];
export type ImagesConfig = Config['images'];
export type NotificationsConfig = Config['notifications'];
export type FlowsConfig = Config['flows'];
export type LogConfig = Config['log'];
export type MetricsConfig = Config['metrics'];
/** A section of `[backends.*]`; `driver` says which. */
export type BackendConfig = Config['backends'][string];
/** A section of `[backup_stores.*]`; `backup_driver` says which. */
export type BackupStoreConfig = Config['backup_stores'][string];
export type RbdBackendConfig = Extract<BackendConfig, { readonly driver: 'rbd' }>;
export type FileBackendConfig = Extract<BackendConfig, { readonly driver: 'file' }>;
export type LvmBackendConfig = Extract<BackendConfig, { readonly driver: 'lvm' }>;
