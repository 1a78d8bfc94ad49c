/** Where the record of a server's lives (`lib/life.ts`) is: each node has its own, also where nodes share a directory. */
import { join } from 'node:path';
import type { Config } from '../lib/config/config.ts';

export const lifeRecordOf = ({ data_directory, node_name }: Config): string =>
  join(data_directory, `lives-${node_name}.json`);
