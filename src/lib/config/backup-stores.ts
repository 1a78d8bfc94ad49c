/** `[backup_stores.NAME]`: where backups are kept. */
import { Type } from '../schema.ts';
import { positive } from './forms.ts';

/** The same for every kind. */
const anyStore = {
  patience_seconds: Type.Integer({
    minimum: 0,
    default: 3600,
    description:
      'Seconds that a store which is full, busy or silent is asked again before a backup or a restore fails.',
  }),
  backup_key: Type.Optional(
    Type.String({
      minLength: 1,
      form: 'a key of [backup_keys]',
      description:
        "With what a volume's backups are encrypted, from its first one here on. Without it they are not; those of volumes that have one already go on as they are.",
    }),
  ),
  backup_copy_bps_limit: Type.Integer({
    minimum: 0,
    default: 0,
    description: 'As the option of that name of the host, for what goes to this store or comes from it.',
  }),
} as const;

const DirectoryStore = Type.Object(
  {
    backup_driver: Type.Literal('posix', {
      description: 'Backups are kept in a directory that each machine with backends reaches by the same path.',
    }),
    backup_posix_path: Type.String({
      minLength: 1,
      path: '',
      description: 'The directory. It must be there: one that is missing may just not be mounted yet.',
    }),
    ...anyStore,
  },
  { description: 'A store in a directory.' },
);

const S3Store = Type.Object(
  {
    backup_driver: Type.Literal('s3', {
      description: 'Backups are kept in a bucket of a server that speaks S3: AWS, Ceph, MinIO and their like.',
    }),
    backup_s3_endpoint_url: Type.String({
      pattern: '^https?://[^/?#]+/?$',
      form: 'a URL without a path (http://… or https://…)',
      description: 'Where the server answers.',
    }),
    backup_s3_region: Type.String({
      minLength: 1,
      default: 'us-east-1',
      description: 'What the server calls its region. Most that are not AWS do not care.',
    }),
    backup_s3_store_bucket: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]+[A-Za-z0-9]$',
      form: 'the name of a bucket',
      default: 'volumebackups',
      description: 'The bucket. It must be there.',
    }),
    backup_s3_prefix: Type.String({
      pattern: '^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*$',
      form: 'names of letters, digits, `.`, `_` and `-` with a slash behind each',
      default: '',
      description: 'What the names of all objects begin with, where the bucket holds other things as well.',
    }),
    backup_s3_addressing_style: Type.Enum(['path', 'virtual'], {
      default: 'path',
      description: 'Where the bucket stands in a URL: `path`, behind the host; `virtual`, before the name of the host.',
    }),
    backup_s3_store_access_key: Type.String({ minLength: 1, secret: true, description: 'The id of our key.' }),
    backup_s3_store_secret_key: Type.String({
      minLength: 1,
      secret: true,
      description: 'The key. It may get, put, delete and list in the bucket.',
    }),
    backup_s3_ca_cert_file: Type.Optional(
      Type.String({
        minLength: 1,
        path: '',
        description: 'Certificates (PEM) that vouch for the server over https. Without it: those that come with Node.',
      }),
    ),
    backup_s3_timeout: Type.Integer({
      ...positive,
      default: 60,
      description: 'Seconds the server may be silent before it is asked again.',
    }),
    ...anyStore,
  },
  { description: 'A store on S3.' },
);

const url = { pattern: '^https?://', form: 'a URL (http://… or https://…)' } as const;

const SwiftStore = Type.Object(
  {
    backup_driver: Type.Literal('swift', { description: 'Backups are kept in a container of Swift.' }),
    backup_swift_auth_url: Type.String({
      ...url,
      description: "Where one signs in: Keystone, or of version 1 Swift's own door, whole (`http://…/auth/v1.0`).",
    }),
    backup_swift_auth_version: Type.Enum(['1', '3'], {
      default: '3',
      description: "How one signs in: `3`, by Keystone; `1`, by Swift's own older way, as TempAuth has it.",
    }),
    backup_swift_user: Type.String({
      minLength: 1,
      description: 'Who signs in. It may read and write in the container. Of version 1 `ACCOUNT:USER`.',
    }),
    backup_swift_key: Type.String({ minLength: 1, secret: true, description: "That user's password." }),
    backup_swift_user_domain: Type.String({
      minLength: 1,
      default: 'Default',
      description: "Of version 3: that user's domain.",
    }),
    backup_swift_project: Type.String({
      minLength: 1,
      default: 'service',
      description: 'Of version 3: the project whose account has the container.',
    }),
    backup_swift_project_domain: Type.String({
      minLength: 1,
      default: 'Default',
      description: "Of version 3: that project's domain.",
    }),
    backup_swift_region: Type.Optional(
      Type.String({ minLength: 1, description: "Of version 3: which region's object store. Without it: the first." }),
    ),
    backup_swift_storage_url: Type.Optional(
      Type.String({
        ...url,
        description: 'Where the account is (`https://…/v1/AUTH_…`). Without it: what one is told when one signs in.',
      }),
    ),
    backup_swift_container: Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$',
      form: 'letters, digits, `.`, `_` and `-`',
      default: 'volumebackups',
      description: 'The container. It must be there.',
    }),
    backup_swift_ca_cert_file: Type.Optional(
      Type.String({
        minLength: 1,
        path: '',
        description: 'Certificates (PEM) that vouch for both over https. Without it: those that come with Node.',
      }),
    ),
    backup_swift_timeout: Type.Integer({
      ...positive,
      default: 60,
      description: 'Seconds that either may be silent before it is asked again.',
    }),
    ...anyStore,
  },
  { description: 'A store on Swift.' },
);

export const BackupStore = Type.Union([DirectoryStore, S3Store, SwiftStore], { choice: 'backup_driver' });
