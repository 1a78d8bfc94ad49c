/** What is compared of two services: every list that clients read, and the few answers that are no lists. */

export interface ComparedList {
  /** Below the project. */
  readonly path: string;
  /** The answer's only key, or the one to look under; null: the whole answer, as one row. */
  readonly key: string | null;
  /** What tells its rows from each other. Default: `id`. */
  readonly by?: readonly string[];
  /** It comes in pages. */
  readonly paged?: true;
  /** Of every project, for administrators. */
  readonly ofAll?: true;
  /** The order says nothing. */
  readonly unordered?: true;
}

export const COMPARED_LISTS: readonly ComparedList[] = [
  { path: '/volumes/detail', key: 'volumes', paged: true, ofAll: true },
  { path: '/volumes', key: 'volumes', paged: true, ofAll: true },
  { path: '/volumes/summary', key: null, ofAll: true },
  { path: '/snapshots/detail', key: 'snapshots', paged: true, ofAll: true },
  { path: '/attachments/detail', key: 'attachments', paged: true, ofAll: true },
  // Asked for a page Cinder takes that for a filter there, and finds nothing.
  { path: '/os-volume-transfer/detail', key: 'transfers', ofAll: true },
  { path: '/backups/detail', key: 'backups', paged: true, ofAll: true },
  { path: '/groups/detail', key: 'groups', paged: true, ofAll: true },
  { path: '/group_snapshots/detail', key: 'group_snapshots', paged: true, ofAll: true },
  { path: '/messages', key: 'messages', paged: true },
  { path: '/types', key: 'volume_types', paged: true },
  { path: '/types?is_public=None', key: 'volume_types', paged: true },
  { path: '/types/default', key: 'volume_type' },
  { path: '/group_types', key: 'group_types', paged: true },
  { path: '/qos-specs', key: 'qos_specs', paged: true },
  { path: '/limits', key: 'limits' },
  { path: '/os-quota-sets/{project}?usage=True', key: 'quota_set' },
  { path: '/os-quota-sets/{project}/defaults', key: 'quota_set' },
  { path: '/os-quota-class-sets/default', key: 'quota_class_set' },
  { path: '/os-availability-zone', key: 'availabilityZoneInfo', by: ['zoneName'], unordered: true },
  { path: '/os-services', key: 'services', by: ['binary', 'host'], unordered: true },
  { path: '/scheduler-stats/get_pools?detail=True', key: 'pools', by: ['name'], unordered: true },
];
