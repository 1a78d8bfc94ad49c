/** `[quota]`: limits of a project that has none of its own. */
import { Type } from '../schema.ts';
import { limit } from './forms.ts';

export const Quota = Type.Object(
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
