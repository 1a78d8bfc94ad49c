/** `[backends.NAME]`: what every kind of backend has, and what each kind has besides. */
import { Type } from '../schema.ts';
import { rbdOptions } from './rbd-options.ts';

/** The same for every driver. */
const anyBackend = {
  volume_backend_name: Type.String({
    minLength: 1,
    computed: 'the name of the section',
    description: 'What volume types call it. Several backends may share one.',
  }),
  backend_host: Type.String({
    pattern: '^[^@#]+$',
    maxLength: 128,
    form: 'text without @ and #',
    computed: '`node_name`',
    description:
      'What `node@backend#pool` begins with instead. A backend that many processes serve has the same on each of them. Volumes are found by it: do not change it later.',
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
  image_volume_cache_enabled: Type.Boolean({
    default: false,
    description:
      'Keep images that volumes were made of, so that the next volume of one is a clone. On Ceph, LVM and file systems that share blocks (XFS, Btrfs); elsewhere it does nothing.',
  }),
  image_volume_cache_max_size_gb: Type.Integer({
    minimum: 0,
    default: 0,
    description: 'GiB that these images may have in all, as disks. What was not used for longest goes. 0: no limit.',
  }),
  image_volume_cache_max_count: Type.Integer({
    minimum: 0,
    default: 0,
    description: 'How many images are kept. What was not used for longest goes. 0: no limit.',
  }),
} as const;

/** Of drivers whose volumes this machine exports. */
const exported = {
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
} as const;

const FileBackend = Type.Object(
  {
    driver: Type.Literal('file', { description: 'Volumes are sparse files in a directory of this machine.' }),
    path: Type.String({ minLength: 1, path: '', description: 'The directory that holds them.' }),
    create: Type.Boolean({
      default: false,
      description: 'Make the directory when it is missing. Not for a mount point: it may just not be mounted yet.',
    }),
    ...exported,
    ...anyBackend,
  },
  { description: 'A backend of files.' },
);

const RbdBackend = Type.Object({ ...rbdOptions, ...anyBackend }, { description: 'A pool of a Ceph cluster.' });

const LvmBackend = Type.Object(
  {
    driver: Type.Literal('lvm', { description: 'Volumes are thin volumes of LVM on this machine.' }),
    volume_group: Type.String({
      pattern: '^[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]*$',
      form: 'the name of a volume group',
      default: 'cinder-volumes',
      description: 'The volume group that holds them. Its thin pool is `GROUP-pool`, as in Cinder.',
    }),
    lvm_type: Type.Enum(['auto', 'thin'], {
      default: 'auto',
      description: "Both mean thin volumes: Cinder's third, `default`, which copies whole volumes, is not there.",
    }),
    lvm_conf_file: Type.Optional(
      Type.String({
        pattern: '(^|/)lvm\\.conf$',
        form: 'a path that ends in lvm.conf',
        path: '',
        description: "The `lvm.conf` that counts for this backend, in place of the system's.",
      }),
    ),
    create: Type.Boolean({
      default: false,
      description: 'Make the thin pool when it is missing, of 95 % of what is free in the group.',
    }),
    ...exported,
    ...anyBackend,
  },
  { description: 'A backend of thin volumes.' },
);

export const Backend = Type.Union([FileBackend, LvmBackend, RbdBackend], { choice: 'driver' });
