/** The exports that a section of `[backends]` asks for, beside those of the others. tgtd's part is loaded where one asks for it. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config, FileBackendConfig } from '../../lib/config/config.ts';
import { exec } from '../../lib/exec.ts';
import type { Exporter } from './exporter.ts';
import type { IscsiExports } from './iscsi-exports.ts';
import { JointExports, type Neighbour } from './joint-exports.ts';
import { LocalExports } from './local-exports.ts';

export async function exportsOf(section: FileBackendConfig, config: Config): Promise<Exporter> {
  const directory = resolve(section.path);
  const neighbours: Neighbour[] = [];
  for (const other of Object.values(config.backends)) {
    if (other.driver !== 'file' || resolve(other.path) === directory) continue;
    const exports = hasOwnDaemon(other) ? await iscsiExports(other, config) : null;
    neighbours.push({ directory: resolve(other.path), exports });
  }
  const own =
    section.target_protocol === 'local'
      ? new LocalExports({ directory, hosts: [hostname(), config.node_name] })
      : await iscsiExports(section, config);
  const mayServeAnothers = hasOwnDaemon(section) || neighbours.some(({ exports }) => exports !== null);
  return neighbours.length > 0 && mayServeAnothers ? new JointExports({ directory, own, neighbours }) : own;
}

const hasOwnDaemon = ({ target_protocol, target_daemon }: FileBackendConfig): boolean =>
  target_protocol === 'iscsi' && target_daemon === 'own';

/** By directory, once a configuration: whoever speaks to a daemon waits for the others of this process that do. */
const made = new WeakMap<Config, Map<string, Promise<IscsiExports>>>();

function iscsiExports(section: FileBackendConfig, config: Config): Promise<IscsiExports> {
  const all = made.get(config) ?? new Map<string, Promise<IscsiExports>>();
  made.set(config, all);
  const directory = resolve(section.path);
  const exports = all.get(directory) ?? load(section, directory);
  all.set(directory, exports);
  return exports;
}

async function load(section: FileBackendConfig, directory: string): Promise<IscsiExports> {
  const portal = `${section.target_ip_address}:${section.target_port}`;
  const own = section.target_daemon === 'own' ? join(directory, '.tgtd') : null;
  const { IscsiExports } = await import('./iscsi-exports.ts');
  const { Tgtd } = await import('./tgtd.ts');
  return new IscsiExports({ daemon: new Tgtd({ exec, own, portal }), prefix: section.target_prefix, portal });
}
