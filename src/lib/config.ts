/**
 * The schema of the configuration: every option once, with name, form, default and meaning. Its type, the checks of
 * `read-config.ts` and `docs/configuration.md` are all made from this schema.
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
import { PASSWORD_HASH } from './password.ts';
import { type Static, Type } from './schema.ts';

const positive = { minimum: 1 } as const;
const names = Type.String({ minLength: 1, form: 'names' });
const limit = (meaning: string, byDefault: number) =>
  Type.Integer({ minimum: -1, default: byDefault, description: `${meaning} -1: no limit.` });

const nameTemplate = (kind: 'volume' | 'snapshot') =>
  Type.String({
    pattern: '^(%s|[A-Za-z0-9_-][A-Za-z0-9_.-]*%s)[A-Za-z0-9_.-]*$',
    form: 'letters, digits, dots, hyphens and underscores, with one %s and no dot in front',
    default: `${kind}-%s`,
    description: `What a ${kind} is called on a backend; %s is its id. What exists is found by it: do not change it later.`,
  });

const Api = Type.Object(
  {
    host: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address to listen on.' }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 8776,
      description: 'Port to listen on. 0: any free one.',
    }),
    public_endpoint: Type.Optional(
      Type.String({
        pattern: '^https?://',
        form: 'a URL (http://… or https://…)',
        description: 'What links in answers begin with, behind a proxy. Without it: what the client asked for.',
      }),
    ),
    auth_strategy: Type.Enum(['noauth', 'keystone', 'local'], {
      default: 'noauth',
      description:
        'How callers are known. `noauth`: everyone is who they say they are, and an administrator. `keystone`: a Keystone is asked. `local`: by the users in [identity], who get tokens at `/identity/v3`.',
    }),
    listen_beyond_loopback: Type.Boolean({
      default: false,
      description: 'Must be true for `noauth` on an address that other machines can reach.',
    }),
    enforce_new_defaults: Type.Boolean({
      default: true,
      description:
        'Whether reading takes the role reader and changing the role member. `false`: any role in the owning project will do.',
    }),
    project_id_regex: Type.String({
      minLength: 1,
      default: '[0-9a-f\\-]+',
      description: 'What a project id in a path looks like.',
    }),
    rpc_response_timeout: Type.Integer({
      minimum: 0,
      default: 60,
      description: 'Seconds a request waits for the end of what it began, where its answer tells of it.',
    }),
    osapi_max_limit: Type.Integer({ ...positive, default: 1000, description: 'Most rows in one page of a list.' }),
    osapi_max_request_body_size: Type.Integer({
      minimum: 1024,
      default: 114688,
      description: 'Longest body of a request, bytes.',
    }),
    client_request_timeout: Type.Integer({
      ...positive,
      default: 30,
      description: 'Seconds a client may take to send a request, its body included.',
    }),
    max_connections: Type.Integer({
      ...positive,
      default: 4096,
      description: 'Connections at once, of each process; one more is closed as it comes.',
    }),
    rate_limit_per_minute: Type.Integer({
      minimum: 0,
      default: 0,
      description: 'Requests a project may make a minute in the long run, of each process. 0: any number.',
    }),
    rate_limit_burst: Type.Integer({
      ...positive,
      default: 100,
      description: 'Requests a project may make at once, where requests are limited.',
    }),
  },
  { description: 'The door for HTTP.' },
);

const hash = (of: string) =>
  Type.String({
    pattern: PASSWORD_HASH,
    form: 'what `pumice passwd` prints',
    secret: true,
    description: `The hash of ${of}.`,
  });
const fixedId = (of: string) =>
  Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9-]{1,64}$',
      form: 'letters, digits and hyphens',
      description: `Its id. Without it: made from the name, so ${of}.`,
    }),
  );
const NAME_OF = '^[^\\s](.{0,253}[^\\s])?$';

const Identity = Type.Object(
  {
    token_expiration: Type.Integer({ minimum: 60, default: 3600, description: 'Seconds a token is good for.' }),
    region: Type.String({ minLength: 1, default: 'RegionOne', description: 'The region in the catalogue.' }),
    projects: Type.Record(
      Type.String({ pattern: NAME_OF }),
      Type.Object(
        { id: fixedId('a project that is renamed without it loses its volumes') },
        { description: 'A project. Its name is that of the section.' },
      ),
      { form: 'at most 255 characters', default: {} },
    ),
    users: Type.Record(
      Type.String({ pattern: NAME_OF }),
      Type.Object(
        {
          password_hash: hash("the user's password"),
          id: fixedId('a user who is renamed without it is another one'),
          default_project: Type.Optional(
            Type.String({ minLength: 1, description: 'The project of a token that is asked for without one.' }),
          ),
          roles: Type.Record(Type.String({ pattern: NAME_OF }), Type.Array(names, { minItems: 1 }), {
            form: 'names of projects',
            description: "The user's roles in each project.",
            default: {},
          }),
        },
        { description: 'A user. The name is that of the section.' },
      ),
      { form: 'at most 255 characters', default: {} },
    ),
    application_credentials: Type.Record(
      Type.String({ pattern: NAME_OF }),
      Type.Object(
        {
          secret_hash: hash('its secret'),
          id: fixedId('programs that name it by its id need no other'),
          user: Type.String({ minLength: 1, description: 'Whose it is.' }),
          project: Type.String({ minLength: 1, description: 'The only project its tokens are for.' }),
          roles: Type.Optional(
            Type.Array(names, { minItems: 1, description: "Which of the user's roles. Without it: all." }),
          ),
        },
        { description: "A credential for a program, in place of its user's password." },
      ),
      { form: 'at most 255 characters', default: {} },
    ),
  },
  { description: 'Who there is with `auth_strategy = "local"`. See [identity.md](identity.md).' },
);

const Policy = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9_:-]+$' }),
  Type.String({ form: 'an access rule: role:R, rule:NAME, project_id:%(project_id)s, …, and, or, not, @ or !' }),
  {
    form: 'the name of a rule of Cinder, in quotation marks: "volume:create"',
    description: "Cinder's access rules, where they are to be others than by default.",
    default: {},
  },
);

const KeystoneService = Type.Object(
  {
    auth_url: Type.Optional(
      Type.String({
        pattern: '^https?://',
        form: 'a URL (http://… or https://…)',
        description: 'Where it answers. Must be given for `auth_strategy = "keystone"`.',
      }),
    ),
    www_authenticate_uri: Type.Optional(
      Type.String({
        pattern: '^https?://',
        form: 'a URL (http://… or https://…)',
        description: 'Where clients are sent for a token. Without it: `auth_url`.',
      }),
    ),
    username: Type.Optional(Type.String({ minLength: 1, description: 'The user that asks it about tokens.' })),
    password: Type.Optional(Type.String({ minLength: 1, secret: true, description: "That user's password." })),
    user_domain_name: Type.String({ minLength: 1, default: 'Default', description: "That user's domain." }),
    project_name: Type.String({
      minLength: 1,
      default: 'service',
      description: 'The project in which that user asks.',
    }),
    project_domain_name: Type.String({ minLength: 1, default: 'Default', description: "That project's domain." }),
    application_credential_id: Type.Optional(
      Type.String({ minLength: 1, description: 'An application credential, in place of user and password.' }),
    ),
    application_credential_secret: Type.Optional(
      Type.String({ minLength: 1, secret: true, description: 'The secret of that credential.' }),
    ),
    cafile: Type.Optional(
      Type.String({
        minLength: 1,
        path: '',
        description: 'Certificates (PEM) that vouch for it over https. Without it: those that come with Node.',
      }),
    ),
    http_request_timeout: Type.Integer({
      ...positive,
      default: 10,
      description: 'Seconds it may take to answer before the caller is told that it is not available.',
    }),
    token_cache_time: Type.Integer({
      minimum: 0,
      default: 300,
      description: 'Seconds a token is believed without asking again: a revoked one works as long.',
    }),
    service_type: Type.String({
      minLength: 1,
      default: 'volumev3',
      description:
        'What access rules of application credentials call this service. All names of block storage (`block-storage`, `volumev3`, …) count as one.',
    }),
    service_token_roles: Type.Array(names, {
      default: ['service'],
      description: 'Roles by which a service token counts as that of a service.',
    }),
    service_token_roles_required: Type.Boolean({
      default: true,
      description: 'Refuse a service token that has none of those roles.',
    }),
  },
  { description: 'The Keystone of `auth_strategy = "keystone"`.' },
);

const Database = Type.Object(
  {
    url: Type.String({
      pattern: '^(sqlite:.+|postgres(ql)?://.+)$',
      form: 'a URL (sqlite:PATH or postgresql://…)',
      default: 'sqlite:$data_directory/pumice.sqlite',
      secret: true,
      path: 'sqlite:',
      description: 'Where rows and journals are kept. SQLite serves one host; PostgreSQL serves several.',
    }),
    max_pool_size: Type.Integer({
      ...positive,
      default: 10,
      description: 'Connections to PostgreSQL that read, at most; two more write and keep watch.',
    }),
  },
  { description: 'The database.' },
);

const Scheduler = Type.Object(
  {
    scheduler_max_attempts: Type.Integer({
      ...positive,
      default: 3,
      description: 'How many backends a create may try. 1: the first choice is the only one.',
    }),
    scheduler_default_filters: Type.Array(names, {
      default: [
        'AvailabilityZoneFilter',
        'CapacityFilter',
        'CapabilitiesFilter',
        'DifferentBackendFilter',
        'SameBackendFilter',
      ],
      description: 'Which filters a pool must pass.',
    }),
    scheduler_default_weighers: Type.Array(names, {
      default: ['CapacityWeigher'],
      description: 'Which weighers order the pools that passed.',
    }),
    capacity_weight_multiplier: Type.Number({
      default: 1.0,
      description: 'Weight of free space. Positive spreads volumes, negative stacks them.',
    }),
    allocated_capacity_weight_multiplier: Type.Number({ default: -1.0, description: 'Weight of allocated space.' }),
    volume_number_multiplier: Type.Number({ default: -1.0, description: 'Weight of the number of volumes.' }),
  },
  { description: 'Which backend gets a volume.' },
);

const Quota = Type.Object(
  {
    quota_volumes: limit('Volumes of a project.', 10),
    quota_snapshots: limit('Snapshots of a project.', 10),
    quota_gigabytes: limit('GiB of volumes and snapshots of a project.', 1000),
    quota_backups: limit('Backups of a project.', 10),
    quota_backup_gigabytes: limit('GiB of backups of a project.', 1000),
    quota_groups: limit('Groups of a project.', 10),
    per_volume_size_limit: limit('GiB of one volume.', -1),
    no_snapshot_gb_quota: Type.Boolean({ default: false, description: 'Leave snapshots out of `gigabytes`.' }),
  },
  { description: 'Limits of a project that has none of its own.' },
);

const Services = Type.Object(
  {
    report_interval: Type.Integer({ ...positive, default: 10, description: 'Seconds between signs of life.' }),
    service_down_time: Type.Integer({
      ...positive,
      default: 60,
      description: 'Seconds without a sign of life after which a service counts as down.',
    }),
    backend_stats_polling_interval: Type.Integer({
      ...positive,
      default: 60,
      description: "Seconds between reports of a backend's capacity.",
    }),
  },
  { description: 'How services tell each other that they live.' },
);

/** The same for every store of images. */
const conversion = {
  image_conversion_dir: Type.String({
    minLength: 1,
    default: '$data_directory/conversion',
    path: '',
    description: 'Where images lie while they are converted.',
  }),
  image_conversion_address_space_limit: Type.Integer({
    ...positive,
    default: 1,
    description: 'Memory a conversion may use, GiB.',
  }),
  image_conversion_cpu_limit: Type.Integer({ ...positive, default: 3600, description: 'CPU seconds of a conversion.' }),
  image_conversion_timeout_seconds: Type.Integer({
    ...positive,
    default: 3600,
    description: 'Seconds after which a conversion is killed, and the unpacking of a compressed image before it.',
  }),
} as const;

const DirectoryImages = Type.Object(
  {
    store: Type.Literal('directory', { description: 'Images are files in a directory of this machine.' }),
    directory: Type.String({
      minLength: 1,
      default: '$data_directory/images',
      path: '',
      description: 'The directory that holds them.',
    }),
    ...conversion,
  },
  { description: 'Images from a directory.' },
);

const GlanceImages = Type.Object(
  {
    store: Type.Literal('glance', { description: 'Images come from an image service (Glance v2).' }),
    glance_url: Type.String({
      pattern: '^https?://',
      form: 'a URL (http://… or https://…)',
      description: 'Where it answers, without the version.',
    }),
    glance_request_timeout: Type.Integer({
      ...positive,
      default: 60,
      description: 'Seconds it may be silent before a request fails, and may take to describe an image.',
    }),
    glance_ca_certificates_file: Type.Optional(
      Type.String({
        minLength: 1,
        path: '',
        description: 'Certificates (PEM) that vouch for it over https. Without it: those that come with Node.',
      }),
    ),
    ...conversion,
  },
  { description: 'Images from Glance.' },
);

const Images = Type.Union([DirectoryImages, GlanceImages], { choice: 'store', default: { store: 'directory' } });

const Notifications = Type.Object(
  {
    drivers: Type.Array(Type.Enum(['file', 'amqp']), {
      uniqueItems: true,
      default: [],
      description: 'Where events go: `file` appends lines to a file, `amqp` publishes as oslo.messaging does.',
    }),
    file: Type.String({
      minLength: 1,
      default: '$data_directory/notifications.jsonl',
      path: '',
      description: 'The file of driver `file`.',
    }),
    amqp_url: Type.Optional(
      Type.String({
        pattern: '^amqps?://',
        form: 'a URL (amqp://… or amqps://…)',
        secret: true,
        description: 'The broker of driver `amqp`.',
      }),
    ),
    amqp_durable_queues: Type.Boolean({
      default: false,
      description:
        'Whether an exchange or a queue that is missing is declared durable, as consumers do with the option of the same name: where they differ, who comes later is refused. What is there is used as it is.',
    }),
    topics: Type.Array(names, {
      minItems: 1,
      default: ['notifications'],
      description: 'Topics to publish to; `.info` or `.error` is added.',
    }),
    retention_days: Type.Integer({
      ...positive,
      default: 7,
      description: 'Days an event is kept, for pages that reconnect; longer while a sink has not taken it.',
    }),
  },
  { description: 'Events for other programs.' },
);

const Flows = Type.Object(
  {
    concurrency: Type.Integer({
      ...positive,
      default: 256,
      description: 'Flows of this process that run at once; others wait in the database.',
    }),
    max_claims_without_progress: Type.Integer({
      ...positive,
      default: 5,
      description:
        'How often a flow may be taken up from a process that died, without getting any further, before it is reverted.',
    }),
    keep_ended_days: Type.Integer({ minimum: 0, default: 30, description: 'Days an ended flow can be looked at.' }),
  },
  { description: 'The engine that runs the flows.' },
);

const Log = Type.Object(
  {
    level: Type.Enum(['silent', 'error', 'warn', 'info', 'debug'], {
      default: 'info',
      description:
        '`error`: a person must act. `warn`: unexpected, handled. `info`: a state changed. `debug`: all the rest.',
    }),
  },
  { description: 'The log: JSON lines on standard error.' },
);

/** The same for every driver. */
const anyBackend = {
  volume_backend_name: Type.String({
    minLength: 1,
    computed: 'the name of the section',
    description: 'What volume types call it. Several backends may share one.',
  }),
  backend_availability_zone: Type.String({
    minLength: 1,
    computed: '`storage_availability_zone`',
    description: 'The availability zone it is in.',
  }),
  reserved_percentage: Type.Integer({
    minimum: 0,
    maximum: 100,
    default: 0,
    description: 'Percentage of its space that is never given away.',
  }),
  max_over_subscription_ratio: Type.Union([Type.Number({ minimum: 1 }), Type.Literal('auto')], {
    default: 20.0,
    description: 'How many times its space may be promised to thin volumes.',
  }),
} as const;

const FileBackend = Type.Object(
  {
    driver: Type.Literal('file', { description: 'Volumes are sparse files in a directory of this machine.' }),
    path: Type.String({ minLength: 1, path: '', description: 'The directory that holds them.' }),
    create: Type.Boolean({
      default: false,
      description: 'Make the directory when it is missing. Not for a mount point: it may just not be mounted yet.',
    }),
    max_copies: Type.Integer({
      ...positive,
      default: 2,
      description: 'Copies of whole volumes that run at once, where the file system cannot share blocks.',
    }),
    target_protocol: Type.Enum(['local', 'iscsi'], {
      default: 'local',
      description:
        'How attached volumes are reached. `local`: by a path, on this machine alone. `iscsi`: from everywhere, through `tgtd`.',
    }),
    target_ip_address: Type.String({
      minLength: 1,
      default: '127.0.0.1',
      description: 'Of `iscsi`: the address that clients reach.',
    }),
    target_port: Type.Integer({
      minimum: 1,
      maximum: 65535,
      default: 3260,
      description: 'Of `iscsi`: its port. Each backend with a `tgtd` of its own needs another.',
    }),
    target_prefix: Type.String({
      pattern: '^iqn\\.[A-Za-z0-9.:-]+$',
      form: 'the beginning of an iSCSI name (iqn.…)',
      default: 'iqn.2010-10.org.openstack:',
      description: 'Of `iscsi`: what the names of targets begin with.',
    }),
    target_daemon: Type.Enum(['own', 'system'], {
      default: 'own',
      description:
        'Of `iscsi`: `own` starts a `tgtd` with the first attachment and ends it with the last; `system` uses the one that runs.',
    }),
    ...anyBackend,
  },
  { description: 'A backend of files.' },
);

const Backend = Type.Union([FileBackend], { choice: 'driver' });

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
  default_group_type: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The type of groups that is called `default`. Without it there is none.',
    }),
  ),
  volume_name_template: nameTemplate('volume'),
  snapshot_name_template: nameTemplate('snapshot'),
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
  flows: Flows,
  log: Log,
  backends: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_-]+$' }), Backend, {
    form: 'letters, digits, hyphens and underscores',
    default: { file: { driver: 'file', path: '$data_directory/volumes', create: true } },
  }),
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
/** A section of `[backends.*]`; `driver` says which. */
export type BackendConfig = Config['backends'][string];
export type FileBackendConfig = Extract<BackendConfig, { readonly driver: 'file' }>;
