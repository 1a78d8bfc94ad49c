/**
 * The nightly verification of backups: begun once a night, by whichever process is first, and never where another look is under way. Backups and
 * restores come first: it waits for a moment without any, but not for ever, since there may be none.
 */
import { nextToLookAt } from '../../db/backup-scopes.ts';
import { idsBeginning } from '../../db/ids-beginning.ts';
import { isAnyUnended } from '../../db/unended-flows.ts';
import { createBackup } from '../../flows/backups/create-backup.ts';
import { createVolumeFromBackup } from '../../flows/backups/create-volume-from-backup.ts';
import { restoreBackup } from '../../flows/backups/restore-backup.ts';
import { verifyBackup } from '../../flows/backups/verify-backup.ts';
import { verifyBackups as flow } from '../../flows/backups/verify-backups.ts';
import { GIB } from '../../lib/bytes.ts';
import { millis, now, type Timestamp, uuid } from '../../lib/clock.ts';
import { begin, exclusive } from '../begin.ts';
import type { Desk } from '../desk.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** It waits so long for a quiet moment. */
const PATIENCE_MS = 5 * HOUR_MS;
/** A night that nobody served ends so long after its hour: nobody wants it at noon. */
const NIGHT_MS = 6 * HOUR_MS;
const NIGHTLY = 'backups:nightly';
const COPIES = [createBackup, restoreBackup, createVolumeFromBackup].map(({ name }) => name);
const LOOKS = [verifyBackup, flow].map(({ name }) => name);

/** False when it is not its time, or there is nothing to look at. */
export async function verifyNightly(desk: Desk, at: Timestamp = now()): Promise<boolean> {
  const { db, config } = desk;
  const { budget_gib: budget, hour } = config.backup_verification;
  if (budget === 0) return false;
  const begins = Math.floor((millis(at) - hour * HOUR_MS) / DAY_MS) * DAY_MS + hour * HOUR_MS;
  const late = millis(at) - begins;
  const id = idOfNight(begins);
  if (late >= NIGHT_MS || (await idsBeginning(db.read, 'flow', id, 1)).length > 0) return false;
  if (await isAnyUnended(db.read, late < PATIENCE_MS ? [...LOOKS, ...COPIES] : LOOKS)) return false;
  if ((await nextToLookAt(db.read, at)) === undefined) return false;
  const input = { since: at, budgetBytes: budget * GIB };
  const caller = { requestId: `req-${uuid()}` };
  await db.write((tx) =>
    begin(desk, tx, caller, flow, input, { id, resource: NIGHTLY, projectId: '', holds: [exclusive(NIGHTLY)] }),
  );
  return true;
}

/** Of a flow, the same for every process, and among the ids of its time (UUID version 7). */
function idOfNight(ms: number): string {
  const time = ms.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}
