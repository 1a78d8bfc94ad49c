/**
 * Microversions: 3.0 to 3.71, written as the number behind the dot.
 *
 * A client says `OpenStack-API-Version: volume 3.NN` (or `volume latest`), in a list when it talks to several services.
 * Without the header it gets 3.0. Each change that a version brings is a named constant, compared in `api` and nowhere deeper.
 */
import { InvalidInput, PumiceError, RouteNotFound } from '../model/errors.ts';

export type Microversion = number;

export const OLDEST: Microversion = 0;
export const NEWEST: Microversion = 71;

export const UPLOAD_IMAGE_PARAMS: Microversion = 1;
export const STRICT_BOOTABLE_FILTER: Microversion = 2;
export const MESSAGES: Microversion = 3;
export const FILTER_BY_IMAGE_METADATA: Microversion = 4;
export const PAGED_MESSAGES: Microversion = 5;
export const CLUSTERS: Microversion = 7;
export const MANAGEABLE_LISTS: Microversion = 8;
export const BACKUP_UPDATE: Microversion = 9;
export const FILTER_BY_GROUP: Microversion = 10;
export const GROUP_TYPES: Microversion = 11;
export const VOLUME_SUMMARY: Microversion = 12;
export const GROUPS: Microversion = 13;
export const GROUP_SNAPSHOTS: Microversion = 14;
export const METADATA_ETAG: Microversion = 15;
export const MANAGE_ON_CLUSTER: Microversion = 16;
export const MIGRATE_TO_CLUSTER: Microversion = 16;
export const MANAGEABLE_LISTS_OF_CLUSTER: Microversion = 17;
export const BACKUP_PROJECT: Microversion = 18;
export const GROUP_SNAPSHOT_RESET_STATUS: Microversion = 19;
export const GROUP_RESET_STATUS: Microversion = 20;
export const PROVIDER_ID: Microversion = 21;
export const SNAPSHOT_FILTER_BY_METADATA: Microversion = 22;
export const DELETE_BY_FORCE: Microversion = 23;
export const WORKERS_CLEANUP: Microversion = 24;
export const MEMBERS_OF_GROUP: Microversion = 25;
export const REPLICATED_CLUSTERS: Microversion = 26;
export const ATTACHMENTS: Microversion = 27;
export const POOL_FILTERS: Microversion = 28;
export const SNAPSHOT_SORT_BY_NAME: Microversion = 30;
export const CONFIGURED_FILTERS: Microversion = 31;
export const LOG_LEVEL_CALLS: Microversion = 32;
export const RESOURCE_FILTERS: Microversion = 33;
export const LIKE_FILTERS: Microversion = 34;
export const POOLS_BY_TYPE: Microversion = 35;
export const SUMMARY_WITH_METADATA: Microversion = 36;
export const BACKUP_SORT_BY_NAME: Microversion = 37;
export const GROUP_REPLICATION: Microversion = 38;
export const LIMITS_OF_PROJECT: Microversion = 39;
export const REVERT_TO_SNAPSHOT: Microversion = 40;
export const SNAPSHOT_USER: Microversion = 41;
export const EXTEND_IN_USE: Microversion = 42;
export const BACKUP_METADATA: Microversion = 43;
export const ATTACHMENT_COMPLETE: Microversion = 44;
export const COUNT: Microversion = 45;
export const SERVER_IMAGES: Microversion = 46;
export const CREATE_FROM_BACKUP: Microversion = 47;
export const SHARED_TARGETS: Microversion = 48;
export const BACKEND_STATE: Microversion = 49;
export const BACKUP_ZONE: Microversion = 51;
export const TYPES_BY_EXTRA_SPECS: Microversion = 52;
export const STRICT_BODIES: Microversion = 53;
export const TRANSFERS_WITH_SNAPSHOTS: Microversion = 55;
export const BACKUP_USER: Microversion = 56;
export const TRANSFER_HISTORY: Microversion = 57;
export const PROJECT_OF_GROUP: Microversion = 58;
export const PAGED_TRANSFERS: Microversion = 59;
export const ATTACHMENT_MODE: Microversion = 54;
export const TIME_FILTERS: Microversion = 60;
export const CLUSTER_NAME: Microversion = 61;
export const DEFAULT_TYPES: Microversion = 62;
export const VOLUME_TYPE_ID: Microversion = 63;
export const ENCRYPTION_KEY_ID: Microversion = 64;
export const CONSUMES_QUOTA: Microversion = 65;
export const SNAPSHOT_IN_USE: Microversion = 66;
export const REIMAGE: Microversion = 68;
export const ENCRYPTED_TRANSFERS: Microversion = 70;
export const EXTEND_COMPLETION: Microversion = 71;

export class VersionNotAcceptable extends PumiceError {
  override readonly status = 406;
}

const known: ReadonlyMap<string, Microversion> = new Map([
  ['volume latest', NEWEST],
  ...Array.from({ length: NEWEST + 1 }, (_, minor): [string, Microversion] => [`volume 3.${minor}`, minor]),
]);

/** What the header asks for. */
export function requestedVersion(header: string | undefined): Microversion {
  if (header === undefined) return OLDEST;
  return known.get(header) ?? searched(header);
}

function searched(header: string): Microversion {
  const part = header.split(',').find((text) => /(^|\s)volume(\s|$)/.test(text));
  if (part === undefined) throw new RouteNotFound('The API version header names no version of the service "volume".');
  const words = part.trim().split(/\s+/);
  const version = words[1] ?? '';
  const canonical = known.get(`volume ${version}`);
  if (words.length === 2 && words[0] === 'volume' && canonical !== undefined) return canonical;
  if (words.length !== 2 || !/^[1-9]\d*\.(0|[1-9]\d*)$/.test(version)) {
    throw new InvalidInput('The API version must have the form "volume 3.NN" or "volume latest".');
  }
  throw new VersionNotAcceptable(
    `Version ${version} is not supported by the API. Minimum is 3.${OLDEST} and maximum is 3.${NEWEST}.`,
  );
}

export const versionText = (version: Microversion): string => `3.${version}`;
