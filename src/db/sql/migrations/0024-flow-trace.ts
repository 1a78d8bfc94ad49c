/** What trace a flow is part of, so that whoever ends it, on whichever host, tells of it in that one. */
import type { Dialect } from '../connection.ts';
import type { Migration } from './migration.ts';

export const flowTrace: Migration = {
  version: 24,
  name: '0024-flow-trace',
  statements: (dialect: Dialect) =>
    `ALTER TABLE flow ADD COLUMN trace ${dialect === 'sqlite' ? 'TEXT' : 'text COLLATE "C"'};`,
};
