/** Histories of backups in a directory; `test/compat` has them on servers. */
import { describe, test } from 'node:test';
import { backupWorld, MIB } from './backup-world.ts';
import { proveHistories } from './histories.ts';

describe('backups', () => {
  test('give back what was backed up, and packs stay as long as they are needed', () =>
    proveHistories(() => backupWorld(2 * MIB), 3));
});
