/** Drops the table of processes: which of them live is said by the locks they hold (`../ownership.ts`). */
import type { Migration } from './migration.ts';

export const noProcess: Migration = { version: 9, name: '0009-no-process', statements: () => 'DROP TABLE process;' };
