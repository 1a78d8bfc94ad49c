/**
 * `pumice backups restore`: an order to restore a backup into a volume that is there. With `--skip-damaged` what cannot be read is left out, and it is
 * said of which bytes of the volume nothing is known: they are zeroes.
 */
import type { RestoreOutcome } from '../backups/backups.ts';
import { beginRestore } from '../commands/backups/restore-backup.ts';
import type { Database } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { carriedOut } from './backup-orders.ts';
import type { ConfigFlags } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { findResource } from './resources/find-resource.ts';
import { volumes } from './resources/volumes.ts';

export interface RestoreOptions extends ConfigFlags {
  /** The volume, as it was typed. */
  readonly to: string;
  readonly skipDamaged?: boolean;
}

export function restoreByOrder(
  typed: string,
  { to, skipDamaged: skipsDamaged = false, ...options }: RestoreOptions,
  around: CliContext,
): Promise<number> {
  const order = {
    begin: async (...call: Parameters<typeof beginRestore>) => (await beginRestore(...call)).flowId,
    how: async (db: Database) => ({ volumeId: (await findResource(volumes, db, to)).id, skipsDamaged }),
    failed: 'It could not be restored',
  };
  return carriedOut(typed, options, around, order, async (db, _id, flowId) => {
    const { missingBytes, missing } = await outcomeOf(db, flowId);
    if (missingBytes === 0) {
      around.out.line('All of it is in the volume.');
      return EXIT.ok;
    }
    const told = missing.reduce((sum, { bytes }) => sum + bytes, 0);
    around.out.lines([
      `${missingBytes} bytes could not be read, and are zeroes in the volume:`,
      ...missing.map(({ at, bytes }) => `  bytes ${at} to ${at + bytes - 1}`),
      ...(missingBytes > told ? [`  and ${missingBytes - told} bytes further on`] : []),
    ]);
    return EXIT.findings;
  });
}

async function outcomeOf(db: Database, flowId: string): Promise<RestoreOutcome> {
  for (const step of await new DatabaseJournal(db).steps(flowId)) {
    if (step.event !== 'done') continue;
    const { restored } = (step.data ?? {}) as { readonly restored?: RestoreOutcome };
    if (restored !== undefined) return restored;
  }
  return { missingBytes: 0, missing: [] };
}
