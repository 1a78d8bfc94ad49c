/**
 * `extensions`: the list from before microversions by which clients found out the features of a service. Everything that ever was
 * an extension has long been part of the API, so the list is the same everywhere.
 */
import { RouteNotFound } from '../../model/errors.ts';
import { route } from '../route.ts';

const EXTENSIONS: readonly (readonly [alias: string, name: string, description: string])[] = [
  ['OS-SCH-HNT', 'SchedulerHints', 'Hints for the scheduler with a new volume.'],
  ['backups', 'Backups', 'Backups of volumes.'],
  ['capabilities', 'Capabilities', 'What a backend can do.'],
  ['cgsnapshots', 'Cgsnapshots', 'Snapshots of consistency groups.'],
  ['consistencygroups', 'Consistencygroups', 'Consistency groups of volumes.'],
  ['encryption', 'VolumeTypeEncryption', 'Encryption of the volumes of a type.'],
  ['os-admin-actions', 'AdminActions', 'Actions of administrators.'],
  ['os-availability-zone', 'AvailabilityZones', 'List of availability zones.'],
  ['os-extended-services', 'ExtendedServices', 'The reason why a service is disabled.'],
  ['os-extended-snapshot-attributes', 'ExtendedSnapshotAttributes', 'Progress and project of snapshots.'],
  ['os-hosts', 'Hosts', 'Hosts that serve volumes.'],
  ['os-quota-class-sets', 'QuotaClasses', 'Limits of classes of projects.'],
  ['os-quota-sets', 'Quotas', 'Limits of projects.'],
  ['os-services', 'Services', 'List of services.'],
  ['os-snapshot-actions', 'SnapshotActions', 'Actions on snapshots.'],
  ['os-snapshot-manage', 'SnapshotManage', 'Taking over snapshots that exist on a backend.'],
  ['os-snapshot-unmanage', 'SnapshotUnmanage', 'Giving up snapshots without deleting them on their backend.'],
  ['os-types-extra-specs', 'TypesExtraSpecs', 'Extra specs of volume types.'],
  ['os-types-manage', 'TypesManage', 'Making, changing and deleting volume types.'],
  ['os-used-limits', 'UsedLimits', 'What is used of the limits.'],
  ['os-vol-host-attr', 'VolumeHostAttribute', 'The host of a volume.'],
  ['os-vol-image-meta', 'VolumeImageMetadata', 'Metadata of the image a volume was made from.'],
  ['os-vol-mig-status-attr', 'VolumeMigStatusAttribute', 'The status of the migration of a volume.'],
  ['os-vol-tenant-attr', 'VolumeTenantAttribute', 'The project of a volume.'],
  ['os-volume-actions', 'VolumeActions', 'Actions on volumes.'],
  ['os-volume-encryption-metadata', 'VolumeEncryptionMetadata', 'How a volume is encrypted.'],
  ['os-volume-manage', 'VolumeManage', 'Taking over volumes that exist on a backend.'],
  ['os-volume-transfer', 'VolumeTransfer', 'Handing volumes to another project.'],
  ['os-volume-type-access', 'VolumeTypeAccess', 'Which projects may use a volume type.'],
  ['os-volume-unmanage', 'VolumeUnmanage', 'Giving up volumes without deleting them on their backend.'],
  ['qos-specs', 'Qos_specs_manage', 'Specifications of quality of service.'],
  ['scheduler-stats', 'Scheduler_stats', 'The pools the scheduler may choose from.'],
];

const UPDATED = '2026-08-01T00:00:00+00:00';

const shown = EXTENSIONS.map(([alias, name, description]) => ({
  alias,
  name,
  description,
  updated: UPDATED,
  links: [],
}));

export const extensions = [
  route({
    method: 'GET',
    path: '/extensions',
    policy: '@',
    handle: async () => ({ extensions: shown }),
  }),

  route({
    method: 'GET',
    path: '/extensions/:alias',
    policy: '@',
    async handle({ params }) {
      const extension = shown.find(({ alias }) => alias === params.alias);
      if (extension === undefined) throw new RouteNotFound(`There is no extension ${params.alias}.`);
      return { extension };
    },
  }),
];
