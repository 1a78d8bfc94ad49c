/** Sections of backends: what each kind of Cinder's drivers is here, and which of its options are kept. */
import type { OsloConf } from './oslo-conf.ts';
import { type TomlValue, tomlLine } from './toml-lines.ts';

export interface BackendSection {
  /** In cinder.conf. */
  readonly name: string;
  /** Of `[backends.NAME]`. */
  readonly ours: string;
  /** `HOST@BACKEND` there and here; null where cinder.conf does not say what the host is called. */
  readonly host: { readonly from: string; readonly to: string } | null;
  readonly lines: readonly string[];
  readonly notes: readonly string[];
}

/** It has none, or nothing that is one here. */
export interface NoCounterpart {
  readonly name: string;
  readonly why: string;
}

type Read = 'text' | 'number' | 'flag';

/** Of every kind. */
const ANY: Readonly<Record<string, Read>> = {
  backend_availability_zone: 'text',
  reserved_percentage: 'number',
  max_over_subscription_ratio: 'number',
  image_volume_cache_enabled: 'flag',
  image_volume_cache_max_size_gb: 'number',
  image_volume_cache_max_count: 'number',
};

interface Kind {
  readonly driver: string;
  /** What Cinder calls its pool where nobody says. */
  readonly poolName: string;
  readonly options: Readonly<Record<string, Read>>;
  /** What is written where nobody says it: what Cinder takes, and Pumice does not. */
  readonly defaults: Readonly<Record<string, TomlValue>>;
}

const RBD: Kind = {
  driver: 'rbd',
  poolName: 'RBD',
  options: {
    rbd_pool: 'text',
    rbd_user: 'text',
    rbd_ceph_conf: 'text',
    rbd_cluster_name: 'text',
    rbd_secret_uuid: 'text',
    rbd_max_clone_depth: 'number',
    report_discard_supported: 'flag',
  },
  defaults: { rbd_pool: 'rbd' },
};

const LVM: Kind = {
  driver: 'lvm',
  poolName: 'LVM',
  options: {
    volume_group: 'text',
    lvm_conf_file: 'text',
    target_ip_address: 'text',
    target_port: 'number',
    target_prefix: 'text',
  },
  defaults: {},
};

const KINDS: Readonly<Record<string, Kind>> = {
  'cinder.volume.drivers.rbd.RBDDriver': RBD,
  'cinder.volume.drivers.lvm.LVMVolumeDriver': LVM,
  'cinder.volume.drivers.lvm.LVMISCSIDriver': LVM,
};

/** What nobody misses: Cinder's way of doing what is done otherwise here, or what the section has said already. */
const UNMISSED: ReadonlySet<string> = new Set([
  'volume_driver',
  'volume_backend_name',
  'backend_host',
  'lvm_type',
  'target_protocol',
  'target_helper',
  'iscsi_helper',
  'rbd_flatten_volume_from_snapshot',
  'rbd_store_chunk_size',
  'rbd_exclusive_cinder_pool',
  'report_dynamic_total_capacity',
  'rados_connect_timeout',
  'rados_connection_retries',
  'rados_connection_interval',
  'volumes_dir',
]);

export function backendSection(conf: OsloConf, name: string): BackendSection | NoCounterpart {
  const said = (option: string): string | undefined =>
    conf.value(name, option) ?? conf.value('backend_defaults', option);
  const driver = said('volume_driver') ?? 'cinder.volume.drivers.lvm.LVMVolumeDriver';
  const kind = Object.hasOwn(KINDS, driver) ? KINDS[driver] : undefined;
  if (!conf.has(name)) return { name, why: 'is named by enabled_backends, and there is no such section' };
  if (kind === undefined) return { name, why: `is of ${driver}, for which there is no driver here` };
  const notes: string[] = [];
  const ours = name.replaceAll(/[^A-Za-z0-9_-]/g, '-');
  if (ours !== name) notes.push(`[${name}] is called ${ours} here, where names have letters, digits, _ and - alone`);
  const host = said('backend_host') ?? conf.value('DEFAULT', 'host');
  const lines = [
    tomlLine('driver', kind.driver),
    tomlLine('volume_backend_name', said('volume_backend_name') ?? kind.poolName),
  ];
  if (host !== undefined) lines.push(tomlLine('backend_host', host));
  const known = { ...kind.options, ...ANY };
  for (const [option, read] of Object.entries(known)) {
    const value = said(option);
    const kept = value === undefined ? kind.defaults[option] : asRead(value, read, option);
    if (kept !== undefined) lines.push(tomlLine(option, kept));
    else if (value !== undefined) notes.push(`[${name}] ${option} = ${value} is not understood`);
  }
  if (kind === RBD && said('rbd_user') === undefined)
    notes.push(`[${name}] says no rbd_user; here it is cinder where nobody says it`);
  if (kind === LVM) notes.push(...exportsOfLvm(said, name, lines));
  const left = [...new Set([...conf.options(name), ...conf.options('backend_defaults')])].filter(
    (option) => !UNMISSED.has(option) && !Object.hasOwn(known, option),
  );
  if (left.length > 0) notes.push(`[${name}] has ${left.join(', ')}, which say nothing here`);
  return {
    name,
    ours,
    host: host === undefined ? null : { from: `${host}@${name}`, to: `${host}@${ours}` },
    lines,
    notes,
  };
}

function exportsOfLvm(said: (option: string) => string | undefined, name: string, lines: string[]): string[] {
  const notes: string[] = [];
  const type = said('lvm_type') ?? 'auto';
  if (type === 'default')
    notes.push(
      `[${name}] has lvm_type = default, volumes that are no thin ones: those cannot be served here; migrate them to a thin pool first`,
    );
  const helper = said('target_helper') ?? said('iscsi_helper') ?? 'tgtadm';
  const protocol = said('target_protocol') ?? 'iscsi';
  if (protocol !== 'iscsi') notes.push(`[${name}] is reached by ${protocol}; here it is iscsi`);
  lines.push(tomlLine('target_protocol', 'iscsi'));
  if (helper === 'tgtadm') lines.push(tomlLine('target_daemon', 'system'));
  else
    notes.push(
      `[${name}] exports by ${helper}; here it is tgtd, and what is attached now is detached and attached again`,
    );
  return notes;
}

function asRead(value: string, read: Read, option: string): TomlValue | undefined {
  if (read === 'text') return value;
  if (read === 'flag')
    return /^(true|1|on|yes)$/i.test(value) ? true : /^(false|0|off|no)$/i.test(value) ? false : undefined;
  if (option === 'max_over_subscription_ratio' && value === 'auto') return value;
  return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
}
