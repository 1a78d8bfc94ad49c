/**
 * Which configuration a command means: `--config FILE`, or the one in a data directory (`--data DIR`, by default
 * `pumice-data`), which `pumice start` has written there. A data directory without one has the defaults.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../lib/config/config.ts';
import { parseConfig, readConfig } from '../lib/config/read-config.ts';

export const DATA_DIRECTORY = 'pumice-data';
export const CONFIG_NAME = 'pumice.toml';

export interface ConfigFlags {
  readonly config?: string;
  readonly data?: string;
  readonly set: readonly string[];
}

/** The options of every command that reads a configuration. */
export function withConfiguration(command: Command): Command {
  return withSet(
    command
      .option('-c, --config <file>', 'the configuration, a TOML file')
      .option('-d, --data <dir>', `a data directory, with the configuration in it (default: ${DATA_DIRECTORY})`),
  );
}

export const withSet = (command: Command): Command =>
  command.option(
    '--set <section.key=value>',
    'an option of the configuration, stronger than the file; may be repeated',
    (assignment: string, all: readonly string[]) => [...all, assignment],
    [],
  );

/** Rejects with `ConfigInvalid`. */
export function configurationOf({ config, data, set }: ConfigFlags): Config {
  if (config !== undefined) return readConfig(config, [...placed(data), ...set]);
  const directory = data ?? DATA_DIRECTORY;
  const file = join(directory, CONFIG_NAME);
  return existsSync(file) ? readConfig(file, set) : parseConfig({ set: [...placed(directory), ...set] });
}

const placed = (directory: string | undefined): string[] =>
  directory === undefined ? [] : [`data_directory=${directory}`];
