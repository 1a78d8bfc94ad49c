/** `pumice import check`: whether a Cinder database can come in, row by row, and how. Writes nothing anywhere. */
import { startBackends } from '../../doctor/examine.ts';
import { checkCinder } from '../../import/check/check-cinder.ts';
import { type ImportCheck, type ImportOutcome, outcomeOf } from '../../import/check/check-report.ts';
import type { FromCinderConf } from '../../import/conf/from-cinder-conf.ts';
import type { Config } from '../../lib/config/config.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { checkLines } from './check-lines.ts';
import { type CheckedFlags, inWords, openChecked } from './checked-source.ts';

export interface ImportCheckOptions extends ConfigFlags, CheckedFlags {
  readonly json?: boolean;
}

const EXITS: Readonly<Record<ImportOutcome, number>> = { clean: 0, switches: 1, refused: 2 };

export async function importCheck(options: ImportCheckOptions, around: CliContext): Promise<number> {
  const { out, err, signal } = around;
  const isConfigured = options.config !== undefined || options.data !== undefined;
  const config = isConfigured ? configurationOf(options) : undefined;
  const backends = config === undefined ? [] : await startBackends(config, around.driverOf, signal);
  const { cinder, place, conf, world, sameHosts } = await openChecked(
    options,
    backends.map(({ host }) => host),
  );
  try {
    const report = await inWords(() =>
      checkCinder(cinder, world, {
        backends,
        snapshotGigabytes: countsSnapshots(config, conf),
        signal,
        judged: (rows) => err.live(`${rows} rows …`),
      }),
    );
    err.live('');
    if (options.json) out.line(JSON.stringify(facts(report, place, conf), null, 2));
    else out.lines(checkLines(out, report, { place, conf, sameHosts, isConfigured }));
    return EXITS[outcomeOf(report)];
  } finally {
    await cinder.close();
  }
}

const countsSnapshots = (config: Config | undefined, conf: FromCinderConf | undefined): boolean =>
  config === undefined ? (conf?.snapshotGigabytes ?? true) : !config.quota.no_snapshot_gb_quota;

function facts(report: ImportCheck, place: string, conf: FromCinderConf | undefined): object {
  const { server, revision, rows, hosts, atWork, findings, refusals, usage, backends, seenDifferently } = report;
  return {
    outcome: outcomeOf(report),
    database: place,
    server,
    revision: revision.id,
    release: revision.release,
    rows: Object.fromEntries(rows.map(({ table, there, comeIn }) => [table, { there, come_in: comeIn }])),
    hosts,
    at_work: atWork,
    refusals: refusals.map(({ settledBy, ...refusal }) => ({ ...refusal, settled_by: settledBy ?? null })),
    findings,
    usage: usage.map(({ projectId, resource, said, counted }) => ({ project_id: projectId, resource, said, counted })),
    backends,
    seen_differently: seenDifferently,
    ...(conf && { cinder_conf: { toml: conf.toml, notes: conf.notes } }),
  };
}
