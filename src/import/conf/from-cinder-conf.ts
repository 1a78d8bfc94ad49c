/**
 * What no table of Cinder's holds and cinder.conf says: the default type, limits, names on backends, the backends themselves, the store of
 * backups, who is asked about callers. It becomes a `pumice.toml` that fits, with a note for each thing that has no counterpart. No password is copied.
 */
import { type BackendSection, backendSection } from './backend-sections.ts';
import { backupSection } from './backup-section.ts';
import { identitySection } from './identity-section.ts';
import { OsloConf } from './oslo-conf.ts';
import { type TomlValue, tomlLine } from './toml-lines.ts';

export interface FromCinderConf {
  /** A whole `pumice.toml`. */
  readonly toml: string;
  /** What the operator has to know, a sentence each. */
  readonly notes: readonly string[];
  /** `HOST@BACKEND` there → here, of each section that has a counterpart. */
  readonly hosts: ReadonlyMap<string, string>;
  readonly snapshotGigabytes: boolean;
  readonly defaultVolumeType: string;
}

type Read = 'text' | 'number' | 'flag';

const TOP: Readonly<Record<string, Read>> = {
  default_volume_type: 'text',
  default_group_type: 'text',
  storage_availability_zone: 'text',
  default_availability_zone: 'text',
  allow_availability_zone_fallback: 'flag',
  volume_name_template: 'text',
  snapshot_name_template: 'text',
  message_ttl: 'number',
};

const QUOTA: Readonly<Record<string, Read>> = {
  quota_volumes: 'number',
  quota_snapshots: 'number',
  quota_gigabytes: 'number',
  quota_backups: 'number',
  quota_backup_gigabytes: 'number',
  quota_groups: 'number',
  per_volume_size_limit: 'number',
  no_snapshot_gb_quota: 'flag',
};

const NAME_TEMPLATE = /^(%s|[A-Za-z0-9_-][A-Za-z0-9_.-]*%s)[A-Za-z0-9_.-]*$/;
const NODE_NAME = /^[A-Za-z0-9.-]+$/;

/** Throws `OsloConfInvalid`. `file` is what it is called in messages. */
export function fromCinderConf(text: string, file: string): FromCinderConf {
  const conf = new OsloConf(text, file);
  const notes: string[] = [];
  const sections = backendsOf(conf, notes);
  const backup = backupSection(conf);
  const identity = identitySection(conf);
  notes.push(...(backup?.notes ?? []), ...identity.notes);
  const host = conf.value('DEFAULT', 'host');
  const hasName = host !== undefined && NODE_NAME.test(host);
  if (host === undefined)
    notes.push('host is not said: Cinder calls it what the machine is called, and so does node_name');
  if (conf.value('key_manager', 'fixed_key') !== undefined)
    notes.push(
      '[key_manager] has a fixed_key: volumes that are encrypted with it are kept out until Cinder has moved their keys to Barbican',
    );
  const blocks = [
    [
      `# Made of ${file} by \`pumice import check\`. No password is in it.`,
      ...(hasName ? [tomlLine('node_name', host)] : []),
      ...optionLines(conf, TOP, notes),
    ],
    block('[api]', identity.api),
    block('[keystone]', identity.keystone),
    block('[quota]', optionLines(conf, QUOTA, notes)),
    ...sections.map(({ ours, lines }) => block(`[backends.${ours}]`, lines)),
    block('[backup_stores.cinder]', backup?.lines ?? []),
  ];
  return {
    toml: blocks
      .filter((lines) => lines.length > 0)
      .map((lines) => `${lines.join('\n')}\n`)
      .join('\n'),
    notes,
    hosts: new Map(
      sections.flatMap((section) => (section.host === null ? [] : [[section.host.from, section.host.to] as const])),
    ),
    snapshotGigabytes: conf.flag('DEFAULT', 'no_snapshot_gb_quota') !== true,
    defaultVolumeType: conf.value('DEFAULT', 'default_volume_type') ?? '__DEFAULT__',
  };
}

const block = (head: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [head, ...lines]);

function backendsOf(conf: OsloConf, notes: string[]): BackendSection[] {
  const enabled = conf.list('DEFAULT', 'enabled_backends') ?? [];
  if (enabled.length === 0) notes.push('enabled_backends is not said, so there is no backend to take over');
  return enabled.flatMap((name) => {
    const section = backendSection(conf, name);
    if ('why' in section) {
      notes.push(`[${name}] ${section.why}: its volumes are kept out`);
      return [];
    }
    notes.push(...section.notes);
    return [section];
  });
}

function optionLines(conf: OsloConf, options: Readonly<Record<string, Read>>, notes: string[]): string[] {
  return Object.entries(options).flatMap(([option, read]) => {
    const value = conf.value('DEFAULT', option);
    if (value === undefined) return [];
    const kept = read === 'flag' ? conf.flag('DEFAULT', option) : readOption(option, value, read);
    if (kept !== undefined) return [tomlLine(option, kept)];
    notes.push(`${option} = ${value} cannot be said here`);
    return [];
  });
}

function readOption(option: string, value: string, read: 'text' | 'number'): TomlValue | undefined {
  if (read === 'number') return /^-?\d+$/.test(value) ? Number(value) : undefined;
  return option.endsWith('_name_template') && !NAME_TEMPLATE.test(value) ? undefined : value;
}

/** Cinder on MySQL finds a type by its name whatever the case, and nobody there has noticed; here it has to be said exactly. Null: it is. */
export function defaultTypeNote(name: string, types: Iterable<{ readonly name: string }>): string | null {
  const names = [...types].map((type) => type.name);
  if (names.includes(name)) return null;
  const alike = names.find((each) => each.toLowerCase() === name.toLowerCase());
  return alike === undefined
    ? `default_volume_type is ${name}, and Cinder has no such type`
    : `default_volume_type is ${name}, and the type is called ${alike}: say it so, or ignore_case = true`;
}
