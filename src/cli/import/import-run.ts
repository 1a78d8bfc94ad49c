/**
 * `pumice import run`: fills the configured database from a Cinder's, which may go on meanwhile. It is run as often as one likes: each run
 * writes what differs, and one that was broken off is gone on with.
 */
import { findImport } from '../../db/import-progress.ts';
import { type FillSummary, fillDatabase } from '../../import/run/fill-database.ts';
import { quotaDrift } from '../../import/run/quota-drift.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { printable } from '../terminal.ts';
import { type CheckedFlags, inWords, openChecked } from './checked-source.ts';
import { hostsIn, openTarget, refuseOthers, since, sourceOf } from './import-target.ts';
import { moreLines, type ToldRows, tellerOf } from './import-told.ts';
import { withKept } from './kept-decisions.ts';
import { backendNames } from './looked-at.ts';

export interface RunOptions extends ConfigFlags, CheckedFlags {
  readonly batch: number;
  readonly json?: boolean;
}

export async function run(options: RunOptions, around: CliContext): Promise<number> {
  const { out, err, signal } = around;
  const config = configurationOf(options);
  const db = await openTarget(config, { bulk: true });
  try {
    const before = await findImport(db.read);
    const { flags, text, changed } = withKept(before, options);
    const { cinder, place, world } = await openChecked(flags, hostsIn(config), since(before));
    try {
      const source = sourceOf(cinder, place);
      await refuseOthers(db, before, source);
      const told = tellerOf(options.json ? undefined : out);
      const recount = { snapshotGigabytes: !config.quota.no_snapshot_gb_quota };
      const onBackend = await backendNames(world, config, around);
      for (const decision of changed) err.line(`From now on: ${printable(decision)}`);
      const fill = { source, recount, batch: options.batch, decisions: text, onBackend };
      const summary = await inWords(() =>
        fillDatabase(cinder, world, db, { ...fill, resume: true, told: told.tell, signal }),
      );
      const drift = await inWords(() => quotaDrift(cinder, db));
      if (options.json) out.line(JSON.stringify({ ...summary, ...told.all, quota: drift }, null, 2));
      else {
        for (const { projectId, resource, was, is } of drift)
          out.line(`quota: ${resource} of project ${projectId} was kept as ${was}, and is ${is} by its rows`);
        out.lines(summaryLines(summary, told.all));
      }
      if (summary.resumed)
        err.line('It went on behind what a run before had brought; run it once more for what has changed since.');
      return summary.refused > 0 ? EXIT.findings : EXIT.ok;
    } finally {
      await cinder.close();
    }
  } finally {
    await db.close();
  }
}

export function summaryLines({ rows, written, removed, refused }: FillSummary, told: ToldRows): string[] {
  const counted = Object.entries(rows).filter(([, count]) => count > 0);
  const all = Object.values(told.counts).reduce((sum, each) => sum + each, 0);
  return [
    ...moreLines(told),
    counted.map(([table, count]) => `${count} ${table}`).join(', '),
    `${written} rows were written, ${removed} removed; ${all - refused} came in otherwise than they were, ${refused} were refused.`,
  ];
}
