/** The exports that a section of `[backends]` asks for, beside those of the others. tgtd's part is loaded where one asks for it. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { BackendConfig, Config, FileBackendConfig, LvmBackendConfig } from '../../lib/config/config.ts';
import { exec } from '../../lib/exec.ts';
import { unhandled } from '../../lib/unhandled.ts';
import type { Exporter } from './exporter.ts';
import type { IscsiExports } from './iscsi-exports.ts';
import { JointExports, type Neighbour } from './joint-exports.ts';
import { LocalExports } from './local-exports.ts';

/** Of backends whose volumes this machine exports. */
type ExportedBackend = FileBackendConfig | LvmBackendConfig;

const isExported = (section: BackendConfig): section is ExportedBackend => 'target_protocol' in section;

export async function exportsOf(section: ExportedBackend, config: Config): Promise<Exporter> {
  const directory = volumesOf(section);
  const neighbours: Neighbour[] = [];
  for (const other of Object.values(config.backends)) {
    if (!isExported(other) || volumesOf(other) === directory) continue;
    const exports = hasOwnDaemon(other) ? await iscsiExports(other, config) : null;
    neighbours.push({ directory: volumesOf(other), exports });
  }
  const own =
    section.target_protocol === 'local'
      ? new LocalExports({ directory: stateDirectoryOf(section, config), hosts: [hostname(), config.node_name] })
      : await iscsiExports(section, config);
  const mayServeAnothers = hasOwnDaemon(section) || neighbours.some(({ exports }) => exports !== null);
  return neighbours.length > 0 && mayServeAnothers ? new JointExports({ directory, own, neighbours }) : own;
}

/** Where the volumes are: the directory of their files, or that of their devices. */
function volumesOf(section: ExportedBackend): string {
  switch (section.driver) {
    case 'file':
      return resolve(section.path);
    case 'lvm':
      return `/dev/${section.volume_group}`;
    default:
      return unhandled(section);
  }
}

/** Where links to attached volumes are, and the socket of a daemon of the backend's own. */
export function stateDirectoryOf(section: ExportedBackend, config: Config): string {
  switch (section.driver) {
    case 'file':
      return resolve(section.path);
    case 'lvm':
      return join(resolve(config.data_directory), `lvm-${section.volume_group}`);
    default:
      return unhandled(section);
  }
}

const hasOwnDaemon = ({ target_protocol, target_daemon }: ExportedBackend): boolean =>
  target_protocol === 'iscsi' && target_daemon === 'own';

/** By directory, once a configuration: whoever speaks to a daemon waits for the others of this process that do. */
const made = new WeakMap<Config, Map<string, Promise<IscsiExports>>>();

function iscsiExports(section: ExportedBackend, config: Config): Promise<IscsiExports> {
  const all = made.get(config) ?? new Map<string, Promise<IscsiExports>>();
  made.set(config, all);
  const directory = stateDirectoryOf(section, config);
  const exports = all.get(directory) ?? load(section, directory);
  all.set(directory, exports);
  return exports;
}

async function load(section: ExportedBackend, directory: string): Promise<IscsiExports> {
  const portal = `${section.target_ip_address}:${section.target_port}`;
  const own = section.target_daemon === 'own' ? join(directory, '.tgtd') : null;
  const { IscsiExports } = await import('./iscsi-exports.ts');
  const { Tgtd } = await import('./tgtd.ts');
  return new IscsiExports({ daemon: new Tgtd({ exec, own, portal }), prefix: section.target_prefix, portal });
}
