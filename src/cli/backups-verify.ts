/**
 * `pumice backups verify`: an order to look at a backup in its store. It is carried out by a server, as a flow; whoever has typed it watches, and
 * reads what was found. What is kept of it stands in `pumice backups show` too.
 */
import { verifyBackup } from '../commands/backups/verify-backup.ts';
import { type CheckDepth, checksOf, damageOf } from '../db/backup-checks.ts';
import { checkText, damageLines } from '../doctor/damage-lines.ts';
import { carriedOut } from './backup-orders.ts';
import type { ConfigFlags } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';

export interface VerifyOptions extends ConfigFlags {
  readonly depth: CheckDepth;
  /** Percent. */
  readonly sample?: number;
  /** Bytes. */
  readonly budget?: number;
}

export async function verifyByOrder(typed: string, options: VerifyOptions, around: CliContext): Promise<number> {
  const { depth, sample = 100, budget = null } = options;
  if (budget !== null && (sample < 100 || depth !== 'packs'))
    throw new Complaint('A budget is for all bytes of the packs: --depth packs, without --sample.', EXIT.usage);
  const how = () => ({ depth, percent: sample, budgetBytes: budget });
  const order = { begin: verifyBackup, how, failed: 'It could not be looked at' };
  return carriedOut(typed, options, around, order, async (db, id) => {
    const damage = await damageOf(db.read, [id]);
    around.out.lines([checkText((await checksOf(db.read, [id])).get(id)), ...damageLines(damage)]);
    return damage.length > 0 ? EXIT.findings : EXIT.ok;
  });
}
