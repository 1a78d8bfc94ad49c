/** Every route there is. */
import type { Route } from './route.ts';
import { attachActions } from './v3/attach-actions.ts';
import { attachments } from './v3/attachments.ts';
import { availabilityZones } from './v3/availability-zones.ts';
import { backupActions } from './v3/backup-actions.ts';
import { backups } from './v3/backups.ts';
import { capabilities } from './v3/capabilities.ts';
import { cgsnapshots } from './v3/cgsnapshots.ts';
import { clusters } from './v3/clusters.ts';
import { consistencyGroups } from './v3/consistency-groups.ts';
import { contentActions } from './v3/content-actions.ts';
import { defaultTypes } from './v3/default-types.ts';
import { extensions } from './v3/extensions.ts';
import { extraSpecs } from './v3/extra-specs.ts';
import { groupActions } from './v3/group-actions.ts';
import { groupSnapshots } from './v3/group-snapshots.ts';
import { groupSpecs } from './v3/group-specs.ts';
import { groupTypes } from './v3/group-types.ts';
import { groups } from './v3/groups.ts';
import { hosts } from './v3/hosts.ts';
import { limits } from './v3/limits.ts';
import { manageable } from './v3/manageable.ts';
import { messages } from './v3/messages.ts';
import { pools } from './v3/pools.ts';
import { qosSpecs } from './v3/qos-specs.ts';
import { quotas } from './v3/quotas.ts';
import { resourceFilters } from './v3/resource-filters.ts';
import { serviceActions } from './v3/service-actions.ts';
import { services } from './v3/services.ts';
import { snapshotActions } from './v3/snapshot-actions.ts';
import { snapshotMetadata } from './v3/snapshot-metadata.ts';
import { snapshots } from './v3/snapshots.ts';
import { transfers } from './v3/transfers.ts';
import { typeAccess } from './v3/type-access.ts';
import { typeEncryption } from './v3/type-encryption.ts';
import { uploadAction } from './v3/upload-action.ts';
import { volumeActions } from './v3/volume-actions.ts';
import { volumeEncryption } from './v3/volume-encryption.ts';
import { volumeMetadata } from './v3/volume-metadata.ts';
import { volumeTypes } from './v3/volume-types.ts';
import { volumes } from './v3/volumes.ts';
import { workers } from './v3/workers.ts';

export const routes: readonly Route[] = [
  ...volumes,
  ...volumeMetadata,
  ...volumeEncryption,
  ...volumeActions,
  ...contentActions,
  ...uploadAction,
  ...attachActions,
  ...snapshots,
  ...snapshotMetadata,
  ...snapshotActions,
  ...attachments,
  ...manageable,
  ...transfers,
  ...volumeTypes,
  ...extraSpecs,
  ...typeAccess,
  ...typeEncryption,
  ...defaultTypes,
  ...qosSpecs,
  ...groupTypes,
  ...groupSpecs,
  ...groups,
  ...groupActions,
  ...consistencyGroups,
  ...cgsnapshots,
  ...groupSnapshots,
  ...backups,
  ...backupActions,
  ...quotas,
  ...limits,
  ...messages,
  ...services,
  ...serviceActions,
  ...hosts,
  ...capabilities,
  ...clusters,
  ...workers,
  ...availabilityZones,
  ...pools,
  ...extensions,
  ...resourceFilters,
];
