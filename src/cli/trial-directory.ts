/**
 * The data directory of `pumice start`: a configuration is written into it once, and everything else is made where that says.
 *
 * The backends' directories are made by the first start that finds none, and never again: which have been there is kept in a file, and one
 * that is missing later is a backend that is missing, whose volumes nobody looks for in a new one. The demonstration takes one away for a
 * moment; if the process is killed in that moment, the next start gives it back before anything looks for it.
 */
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { MARKER } from '../drivers/file/backend-directory.ts';
import { uuid } from '../lib/clock.ts';
import type { BackendConfig, Config } from '../lib/config/config.ts';
import { readConfig } from '../lib/config/read-config.ts';
import { unhandled } from '../lib/unhandled.ts';
import { CONFIG_NAME } from './configuration.ts';

const TRIAL_CONFIG = `# Written by the first \`pumice start\`, and yours from then on. docs/configuration.md tells all options.
# \`pumice serve --config\` with this file serves the same, without the demonstration.

data_directory = "."
node_name = "pumice"        # volumes are found by it: do not change it

[quota]
quota_volumes = 100
quota_snapshots = 100

[notifications]
drivers = ["file"]

[backends.east]
driver = "file"
path = "east"

[backends.west]
driver = "file"
path = "west"
`;

const TAKEN_AWAY = '.taken-away';
/** Names of backends whose directories were made, a line each. */
const FURNISHED = 'furnished';

/** The configuration in the directory, which is made and furnished if need be. */
export function prepareTrial(directory: string, set: readonly string[]): Config {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, CONFIG_NAME);
  if (!existsSync(file)) writeWhole(file, TRIAL_CONFIG);
  const config = readConfig(file, set);
  const furnished = furnishedIn(config);
  const fresh: string[] = [];
  for (const [name, path] of trialBackends(config)) {
    giveBack(path);
    if (!existsSync(join(path, MARKER)) && !furnished.has(name)) fresh.push(`backends.${name}.create=true`);
  }
  return fresh.length === 0 ? config : readConfig(file, [...set, ...fresh]);
}

/** Those that are there now are not made again. */
export function keepFurnished(config: Config): void {
  const there = trialBackends(config).filter(([, path]) => existsSync(join(path, MARKER)));
  const known = furnishedIn(config);
  const names = new Set([...known, ...there.map(([name]) => name)]);
  if (names.size === known.size) return;
  const file = join(config.data_directory, FURNISHED);
  const temporary = `${file}.${uuid()}`;
  writeFileSync(temporary, [...names].map((name) => `${name}\n`).join(''));
  renameSync(temporary, file);
}

function furnishedIn({ data_directory }: Config): ReadonlySet<string> {
  const file = join(data_directory, FURNISHED);
  return new Set(existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);
}

/** Name and directory of those that lie in the data directory. */
const trialBackends = ({ backends, data_directory }: Config): readonly (readonly [string, string])[] =>
  Object.entries(backends).flatMap(([name, backend]) => {
    const path = directoryOf(backend);
    return path === null || relative(data_directory, path).startsWith('..') ? [] : [[name, path] as const];
  });

/** Where the backend's volumes lie as files; null when they do not. */
export function directoryOf(backend: BackendConfig): string | null {
  switch (backend.driver) {
    case 'file':
      return backend.path;
    case 'rbd':
    case 'lvm':
      return null;
    default:
      return unhandled(backend);
  }
}

/** Takes a backend's directory away, as a file system does that is not mounted. */
export const takeAway = (path: string): void => renameSync(path, `${path}${TAKEN_AWAY}`);

/** Doing it twice is doing it once. */
export function giveBack(path: string): void {
  if (existsSync(`${path}${TAKEN_AWAY}`) && !existsSync(path)) renameSync(`${path}${TAKEN_AWAY}`, path);
}

/** All of it or nothing; what another process has written meanwhile stays. */
function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${uuid()}`;
  writeFileSync(temporary, text);
  try {
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary);
  }
}
