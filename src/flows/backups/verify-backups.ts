/**
 * Look at backups in their stores, night after night: as much as the budget of a night allows, each scope when its turn has come, from the pack on
 * where the last look at it stopped. Every byte of a pack is read once for all backups that are made of it.
 *
 * A scope that cannot be looked at (its store is away, its key is missing) has had its turn; the others are looked at all the same, and the flow then fails
 * with the first reason. Whoever takes it over goes on with the scopes that are left, with the whole budget.
 */

import { wholeBackups } from '../../db/backup-contents.ts';
import { beginLook, nextToLookAt } from '../../db/backup-scopes.ts';
import type { Timestamp } from '../../lib/clock.ts';
import { flow, world } from '../tools.ts';
import { lookAtBackups } from './look-at-backups.ts';

export interface VerifyBackups {
  /** Its begin: a scope that was looked at in no earlier night has had its turn. */
  readonly since: Timestamp;
  readonly budgetBytes: number;
}

const LookAtScopes = world({
  name: 'look_at_scopes',
  // What failed is asked again in the next night.
  retry: { tries: 1 },
  execute: async ({ since, budgetBytes }: VerifyBackups, call) => {
    const { db } = call.tools.backups;
    const failures: unknown[] = [];
    let readBytes = 0;
    let scopes = 0;
    while (readBytes < budgetBytes) {
      const scopeId = await nextToLookAt(db.read, since);
      if (scopeId === undefined) break;
      await db.write((tx) => beginLook(tx, scopeId, since));
      const before = readBytes;
      const left = budgetBytes - before;
      const progress = (fraction: number): void => call.progress((before + fraction * left) / budgetBytes);
      const backupIds = [...(await wholeBackups(db.read, scopeId))];
      const how = { depth: 'packs', percent: 100, budgetBytes: left, roundId: scopeId, patienceMs: 0 } as const;
      try {
        readBytes += (await lookAtBackups({ scopeId, backupIds, ...how }, { ...call, progress })).readBytes;
        scopes += 1;
      } catch (error) {
        call.signal.throwIfAborted();
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return { looked: { scopes, readBytes } };
  },
});

export const verifyBackups = flow<VerifyBackups>('verify_backups').add(LookAtScopes).build({ version: 1 });
