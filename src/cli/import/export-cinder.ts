/**
 * `pumice export --to cinder`: back into the Cinder database that was imported, and into no other. Nothing is served meanwhile, no flow is
 * unfinished, and all of it is one transaction.
 */
import type { Database } from '../../db/database.ts';
import { unfinishedFlows } from '../../db/exported-rows.ts';
import { findImport, type ImportProgress } from '../../db/import-progress.ts';
import { writeBack } from '../../import/back/write-back.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { Complaint, EXIT } from '../exit-codes.ts';
import { printable } from '../terminal.ts';
import { type CheckedFlags, inWords, openChecked } from './checked-source.ts';
import { hostsIn, openTarget, since, sourceOf } from './import-target.ts';
import { asKept } from './kept-decisions.ts';

export interface ExportOptions extends ConfigFlags, Omit<CheckedFlags, 'from'> {
  readonly to: 'cinder';
  readonly leave?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const MOST_SHOWN = 5;

export async function exportToCinder(url: string, options: ExportOptions, { out }: CliContext): Promise<number> {
  const config = configurationOf(options);
  const db = await openTarget(config);
  try {
    const before = await findImport(db.read);
    const flags = { ...asKept(before, options), from: url };
    const as = { ...since(before), toWrite: true };
    const { cinder, session, place, world } = await openChecked(flags, hostsIn(config), as);
    try {
      refuseAnother(before, sourceOf(cinder, place));
      await refuseUnfinished(db);
      const { counts, unheld } = await inWords(() => writeBack({ cinder, session }, world, db));
      const refused = unheld.length > 0 && !options.leave;
      await inWords(() => session.ask(refused || options.dryRun ? 'ROLLBACK' : 'COMMIT'));
      if (options.json) {
        out.line(JSON.stringify({ written: !refused && !options.dryRun, rows: counts, unheld, refused }, null, 2));
        return refused ? EXIT.failed : EXIT.ok;
      }
      for (const { resource, id, saw, next } of unheld) out.line(printable(`${resource} ${id} ${saw}: ${next}`));
      const rows = Object.entries(counts).map(([table, count]) => `${count} ${table}`);
      const what = rows.length === 0 ? 'nothing' : rows.join(', ');
      if (refused)
        out.line(`Nothing was written: ${unheld.length} rows cannot be held by Cinder. --leave leaves them here.`);
      else out.line(options.dryRun ? `It would write ${what}.` : `Written: ${what}.`);
      return refused ? EXIT.failed : EXIT.ok;
    } finally {
      await cinder.close();
    }
  } finally {
    await db.close();
  }
}

function refuseAnother(before: ImportProgress | undefined, source: string): void {
  if (before === undefined) throw new Complaint('This database was imported from no Cinder, and goes back into none.');
  if (before.source !== source)
    throw new Complaint(`This database was imported from ${before.source}, and goes back into that one alone.`);
  if (before.turnedAt === null)
    throw new Complaint(`${before.source} is still the one that is served: there is nothing to bring back.`);
}

async function refuseUnfinished({ read }: Database): Promise<void> {
  const flows = await unfinishedFlows(read);
  if (flows.length === 0) return;
  const shown = flows.slice(0, MOST_SHOWN).map(({ id, name, state }) => `${name} ${id} (${state})`);
  throw new Complaint(
    `${flows.length} flows are not finished: ${shown.join(', ')}. Start the service and let them end; \`pumice flows list\` shows them.`,
  );
}
