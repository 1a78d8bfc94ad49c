/**
 * The arguments of LVM's programs and device-mapper's, word for word.
 *
 * Sizes are bytes and said to be: without a unit LVM means MiB, and what it prints for people depends on the locale. Reports are
 * JSON. Every question is answered beforehand (`--yes`), and a new volume is never searched for what an older one left: the pool
 * gives zeroes.
 */
import { deviceMapperName } from './lvm-names.ts';

export type LvmArgv = readonly [string, ...string[]];

/** A volume group and the thin pool in it. */
export interface PoolName {
  readonly group: string;
  readonly pool: string;
}

const REPORT = ['--reportformat', 'json', '--units', 'b', '--nosuffix'] as const;

const VOLUME_FIELDS = [
  'lv_name',
  'lv_size',
  'segtype',
  'pool_lv',
  'thin_id',
  'lv_active',
  'lv_suspended',
  'lv_device_open',
  'lv_health_status',
  'zero',
  'chunk_size',
  'lv_tags',
] as const;

export const showGroup = (group: string): LvmArgv => ['vgs', ...REPORT, '--options', 'vg_extent_size', group];

export const showVolumes = (group: string): LvmArgv => ['lvs', ...REPORT, '--options', VOLUME_FIELDS.join(','), group];

/** A part of the group is left for what the pool's metadata may grow to. */
export const createPool = ({ group, pool }: PoolName): LvmArgv => [
  'lvcreate',
  ...['--yes', '--type', 'thin-pool', '--extents', '95%FREE', '--name', pool, group],
];

/** Refused by `lvcreate` of a thin pool (2.03.16: "unsupported with thin pools"), so it is said afterwards. */
export const failWhenFull = ({ group, pool }: PoolName): LvmArgv => [
  'lvchange',
  ...['--yes', '--errorwhenfull', 'y', `${group}/${pool}`],
];

/** All zeroes, active. */
export const createBlank = ({ group, pool }: PoolName, name: string, bytes: number): LvmArgv => [
  'lvcreate',
  ...['--yes', '--type', 'thin', '--virtualsize', `${bytes}b`, '--thinpool', pool],
  ...['--wipesignatures', 'n', '--name', name, group],
];

/** Of another thin volume, at one moment. Nobody sees it before it is activated by name (`activate`). */
export const createSnapshot = (group: string, name: string, origin: string): LvmArgv => [
  'lvcreate',
  ...['--yes', '--snapshot', '--setactivationskip', 'y', '--name', name, `${group}/${origin}`],
];

/** The same, active: a volume to be written to. */
export const createClone = (group: string, name: string, origin: string): LvmArgv => [
  'lvcreate',
  ...['--yes', '--snapshot', '--setactivationskip', 'n', '--activate', 'y', '--name', name, `${group}/${origin}`],
];

/**
 * A shell's words for snapshots of several volumes, one straight after another: NAME GROUP/ORIGIN, and so on. It begins when it has
 * read a line, and says before that it is ready to (`Exporter.quiesce`).
 */
export const SNAPSHOT_EACH =
  'echo ready; read -r line || exit 1; while [ $# -gt 0 ]; do lvcreate --yes --snapshot --setactivationskip y --name "$1" "$2" || exit; shift 2; done';

export const createSnapshots = (group: string, pairs: readonly (readonly [string, string])[]): LvmArgv => [
  'sh',
  ...['-c', SNAPSHOT_EACH, 'sh', ...pairs.flatMap(([name, origin]) => [name, `${group}/${origin}`])],
];

/** Only ever larger: the same size, or a smaller one, is exit 5. */
export const extend = (group: string, name: string, bytes: number): LvmArgv => [
  'lvextend',
  ...['--yes', '--size', `${bytes}b`, `${group}/${name}`],
];

/** Never over another: a name that is taken is exit 5. */
export const rename = (group: string, from: string, to: string): LvmArgv => ['lvrename', '--yes', group, from, to];

/** One that is open is exit 5, and stays. */
export const remove = (group: string, names: readonly string[]): LvmArgv => [
  'lvremove',
  ...['--yes', ...names.map((name) => `${group}/${name}`)],
];

/** Also what is skipped when a group is activated. */
export const activate = (group: string, name: string): LvmArgv => [
  'lvchange',
  ...['--yes', '--activate', 'y', '--ignoreactivationskip', `${group}/${name}`],
];

export const deactivate = (group: string, name: string): LvmArgv => [
  'lvchange',
  ...['--yes', '--activate', 'n', `${group}/${name}`],
];

export const skipActivation = (group: string, name: string): LvmArgv => [
  'lvchange',
  ...['--yes', '--setactivationskip', 'y', `${group}/${name}`],
];

/** Lets the writes of a device go on that a killed program left suspended. */
export const resume = (group: string, name: string): LvmArgv => ['lvchange', '--yes', '--refresh', `${group}/${name}`];

export const addTag = (group: string, name: string, tag: string): LvmArgv => [
  'lvchange',
  ...['--yes', '--addtag', tag, `${group}/${name}`],
];

/** Done when it has no such tag. */
export const removeTags = (group: string, name: string, tags: readonly string[]): LvmArgv => [
  'lvchange',
  ...['--yes', ...tags.flatMap((tag) => ['--deltag', tag]), `${group}/${name}`],
];

/** Exactly, where `lvs` has two digits of a percentage. */
export const poolStatus = (name: PoolName): LvmArgv => ['dmsetup', 'status', '--target', 'thin-pool', poolDevice(name)];

/** The same of a pool in which no volume has been active yet: its device has another name until then. */
export const newPoolStatus = ({ group, pool }: PoolName): LvmArgv => [
  'dmsetup',
  ...['status', '--target', 'thin-pool', deviceMapperName(group, pool)],
];

export const thinStatus = (group: string, name: string): LvmArgv => [
  'dmsetup',
  ...['status', '--target', 'thin', deviceMapperName(group, name)],
];

/** What the pool's metadata is now can be read from then on, while the pool goes on. There is one of them at a time. */
export const reserveMetadata = (name: PoolName): LvmArgv => [...message(name), 'reserve_metadata_snap'];

export const releaseMetadata = (name: PoolName): LvmArgv => [...message(name), 'release_metadata_snap'];

/** Which blocks of the pool a thin volume has. Of a reserved metadata. */
export const dumpThin = (name: PoolName, thinId: number): LvmArgv => [
  'thin_dump',
  ...['--metadata-snap', '--dev-id', String(thinId), metadataPath(name)],
];

/** Which blocks two thin volumes do not share. Of a reserved metadata. */
export const deltaThin = (name: PoolName, before: number, later: number): LvmArgv => [
  'thin_delta',
  ...['--metadata-snap', '--thin1', String(before), '--thin2', String(later), metadataPath(name)],
];

const message = (name: PoolName): readonly [string, string, string, string] => [
  'dmsetup',
  'message',
  poolDevice(name),
  '0',
];

const poolDevice = ({ group, pool }: PoolName): string => `${deviceMapperName(group, pool)}-tpool`;

const metadataPath = ({ group, pool }: PoolName): string => `/dev/mapper/${deviceMapperName(group, pool)}_tmeta`;
