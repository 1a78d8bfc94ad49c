/**
 * `pumice import turn`: the last run of an import, and the mark by which this database is served from then on. It asks for the proof that the
 * Cinder is at rest and that nobody can write into its database; what fails before the mark leaves that Cinder as it was.
 */
import type { Database } from '../../db/database.ts';
import { findImport, markTurned } from '../../db/import-progress.ts';
import { examine, startBackends } from '../../doctor/examine.ts';
import { counted } from '../../doctor/report-facts.ts';
import { unrestOf } from '../../import/run/at-rest.ts';
import { fillDatabase } from '../../import/run/fill-database.ts';
import { writerState } from '../../import/run/shut-out.ts';
import type { Config } from '../../lib/config/config.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { reportLines } from '../doctor.ts';
import { Complaint, EXIT } from '../exit-codes.ts';
import { printable } from '../terminal.ts';
import { type CheckedFlags, connectAs, inWords, openChecked } from './checked-source.ts';
import { summaryLines } from './import-run.ts';
import { hostsIn, openTarget, refuseOthers, since, sourceOf } from './import-target.ts';
import { tellerOf } from './import-told.ts';
import { asKept, withKept } from './kept-decisions.ts';
import { backendNames } from './looked-at.ts';

export interface TurnOptions extends ConfigFlags, CheckedFlags {
  readonly writer?: string;
  readonly writerPasswordFile?: string;
  readonly acceptFindings?: boolean;
  readonly json?: boolean;
}

const MOST_SHOWN = 20;
/** How long a flow or an event may stand still: there is none in what was imported. */
const PATIENCE_MS = 600_000;

export async function turn(options: TurnOptions, around: CliContext): Promise<number> {
  const { out, signal } = around;
  const config = configurationOf({ ...options, set: [...options.set, 'rehearsal=false'] });
  await refuseWriters(options);
  const db = await openTarget(config);
  try {
    const before = await findImport(db.read);
    const flags = asKept(before, options);
    const { cinder, place, world } = await openChecked(flags, hostsIn(config), since(before));
    try {
      const source = sourceOf(cinder, place);
      await refuseOthers(db, before, source);
      const unrest = await inWords(() => unrestOf(cinder));
      if (unrest.length > 0) {
        out.lines(unrest.slice(0, MOST_SHOWN).map(({ resource, id, saw }) => printable(`${resource} ${id} ${saw}`)));
        throw new Complaint(
          `Cinder is not at rest (${unrest.length} found). Let it finish, or reset what nobody works on any more, and turn then. Nothing was changed.`,
        );
      }
      const told = tellerOf(options.json ? undefined : out);
      const recount = { snapshotGigabytes: !config.quota.no_snapshot_gb_quota };
      const onBackend = await backendNames(world, config, around);
      const decisions = withKept(before, options).text;
      const fill = { source, recount, resume: false, decisions, onBackend, told: told.tell, signal };
      const summary = await inWords(() => fillDatabase(cinder, world, db, fill));
      const findings = summary.refused > 0 ? 0 : await examined(db, config, options, around);
      const turned = summary.refused === 0 && (findings === 0 || options.acceptFindings === true);
      if (turned) await db.write(markTurned);
      if (options.json) out.line(JSON.stringify({ ...summary, ...told.all, doctor: findings, turned }, null, 2));
      else {
        out.lines(summaryLines(summary, told.all));
        out.line(
          turned
            ? 'Turned: serve it, and turn the endpoint. Keep the Cinder database; `pumice export` brings back what changes.'
            : summary.refused > 0
              ? 'Not turned: rows were refused. Settle them, or delete them in Cinder, and turn then.'
              : 'Not turned: the doctor found something. Put it right, or turn with --accept-findings.',
        );
      }
      return turned ? EXIT.ok : EXIT.findings;
    } finally {
      await cinder.close();
    }
  } finally {
    await db.close();
  }
}

/** How much the doctor found in what was imported, and on the backends. */
async function examined(
  db: Database,
  config: Config,
  { json }: TurnOptions,
  { out, driverOf, signal }: CliContext,
): Promise<number> {
  const backends = await startBackends(config, driverOf, signal);
  try {
    const { reports } = await examine({ db, config, patienceMs: PATIENCE_MS, backends, signal }, { repair: false });
    const found = counted(reports);
    if (found.length > 0 && !json) out.lines(reportLines(out, reports, []));
    return found.length;
  } finally {
    for (const { driver } of backends) if (!(driver instanceof Error)) driver.release();
  }
}

/** The user that Cinder writes as may not write: that of cinder.conf, or by default the one who reads here. */
async function refuseWriters(options: TurnOptions): Promise<void> {
  const { from, writer = options.cinderConf === undefined ? from : undefined } = options;
  const passwordFile = options.writerPasswordFile ?? (writer === from ? options.passwordFile : undefined);
  const { from: _, passwordFile: __, ...others } = options;
  const flags = { ...others, ...(writer && { from: writer }), ...(passwordFile && { passwordFile }) };
  switch (await inWords(() => writerState(() => connectAs(flags)))) {
    case 'shut-out':
      return;
    case 'may-write':
      throw new Complaint(
        'The user that Cinder wrote as may still write into its database: a Cinder that somebody starts would work on the same volumes. ' +
          'Take that right away (REVOKE INSERT, UPDATE, DELETE), or lock the user, and turn then. Nothing was changed.',
      );
    case 'unknown':
      throw new Complaint(
        'The server does not let the user in that Cinder wrote as, and says no more: with a wrong password, or another name, it says the same, ' +
          'so that proves nothing. Give the password that Cinder has (--writer-password-file), leave the user there, and take its right to write away ' +
          '(REVOKE INSERT, UPDATE, DELETE), or lock it. Nothing was changed.',
      );
  }
}
