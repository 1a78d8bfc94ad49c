/** Filters and sort keys of lists of volumes. */
import type { ListFilter } from '../../db/sql/list-query.ts';
import { countVolumes, listVolumeKeys, type VolumeField } from '../../db/volumes.ts';
import { VolumeNotFound } from '../../model/errors.ts';
import type { Volume } from '../../model/volume.ts';
import { entries, type FilterRule, hostFilter, wordsOf } from '../filters.ts';
import {
  CONSUMES_QUOTA,
  FILTER_BY_GROUP,
  FILTER_BY_IMAGE_METADATA,
  type Microversion,
  STRICT_BOOTABLE_FILTER,
} from '../microversion.ts';
import { readBoolean } from '../query.ts';
import type { ListedKind } from './show.ts';
import { isShownAdminMetadata, statusesShownAs, statusesShownWith } from './volume-view.ts';

const statusRule: FilterRule<VolumeField> = {
  field: 'status',
  as: (text) => [{ is: 'in', field: 'status', values: wordsOf(text).flatMap(statusesShownAs) }],
  like: (text) => [{ is: 'in', field: 'status', values: statusesShownWith(text) }],
};

const bootableRule: FilterRule<VolumeField> = { field: 'bootable', as: bootableFilter };

/** Below 3.2 whatever is not false is true. */
function bootableFilter(text: string, version: Microversion) {
  const value = version >= STRICT_BOOTABLE_FILTER ? readBoolean(text, 'bootable') : !/^false$/i.test(text);
  return [{ is: 'equal', field: 'bootable', value }] as const;
}

/** By what is shown as metadata, whoever wrote it. A key of the user's under one of ours is found too, as Cinder does. */
function metadataFilters(text: string): readonly ListFilter<VolumeField>[] {
  return entries<VolumeField>('metadata', 'metadata', text).map((entry) =>
    isShownAdminMetadata(entry.key) ? { is: 'any-of', filters: [entry, { ...entry, field: 'adminMetadata' }] } : entry,
  );
}

export const volumeKind: ListedKind<Volume> = {
  resource: 'volume',
  keys: listVolumeKeys,
  count: countVolumes,
  notFound: (id) => new VolumeNotFound(id),
  sortKeys: () => SORT_KEYS,
  filters: {
    id: { field: 'id', as: 'word' },
    name: { field: 'name', as: 'text' },
    display_name: { field: 'name', as: 'text' },
    description: { field: 'description', as: 'text' },
    display_description: { field: 'description', as: 'text' },
    status: statusRule,
    size: { field: 'sizeGiB', as: 'integer' },
    project_id: { field: 'projectId', as: 'word' },
    user_id: { field: 'userId', as: 'word' },
    host: { field: 'host', as: (text) => [hostFilter('host', text)] },
    availability_zone: { field: 'availabilityZone', as: 'word' },
    volume_type_id: { field: 'volumeTypeId', as: 'word' },
    snapshot_id: { field: 'snapshotId', as: 'word' },
    source_volid: { field: 'sourceVolumeId', as: 'word' },
    attach_status: { field: 'attachStatus', as: 'word' },
    migration_status: { field: 'migrationStatus', as: 'word' },
    replication_status: { field: 'replicationStatus', as: 'word' },
    encryption_key_id: { field: 'encryptionKeyId', as: 'word' },
    provider_id: { field: 'providerId', as: 'word' },
    bootable: bootableRule,
    multiattach: { field: 'multiattach', as: 'boolean' },
    metadata: { field: 'metadata', as: metadataFilters },
    glance_metadata: { field: 'imageMetadata', as: 'entries', since: FILTER_BY_IMAGE_METADATA },
    group_id: { field: 'groupId', as: 'word', since: FILTER_BY_GROUP },
    consumes_quota: { field: 'usesQuota', as: 'boolean', since: CONSUMES_QUOTA },
    created_at: { field: 'createdAt', as: 'time' },
    updated_at: { field: 'updatedAt', as: 'time' },
  },
};

const SORT_KEYS: Readonly<Record<string, VolumeField>> = {
  id: 'id',
  name: 'name',
  display_name: 'name',
  size: 'sizeGiB',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
  status: 'status',
  availability_zone: 'availabilityZone',
  bootable: 'bootable',
  host: 'host',
  attach_status: 'attachStatus',
  migration_status: 'migrationStatus',
  project_id: 'projectId',
  user_id: 'userId',
  launched_at: 'launchedAt',
};
