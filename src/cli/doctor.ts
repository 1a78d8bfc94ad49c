/**
 * `pumice doctor`: a checker of invariants (fsck), which repairs the violations that it can (`--repair`).
 *
 * It works beside a running server: what it sees is looked at twice (`checks/check.ts`), and it deletes nothing on a backend
 * but the temporary files that no flow will look for, and those only while no server serves that backend.
 */

import { type Database, openDatabase, sqlitePath } from '../db/database.ts';
import { DatabaseInUse, lockDatabase } from '../db/sql/sqlite-lock.ts';
import { idsInWork } from '../db/unended-flows.ts';
import { pause } from '../lib/clock.ts';
import type { BackendConfig, Config } from '../lib/config/config.ts';
import { unhandled } from '../lib/unhandled.ts';
import { laneOfHost } from '../model/backend.ts';
import { backends } from './checks/backends.ts';
import { backupKeys } from './checks/backup-keys.ts';
import { backups } from './checks/backups.ts';
import type { DoctorCheck, Finding, Patient } from './checks/check.ts';
import { events } from './checks/events.ts';
import { exports } from './checks/exports.ts';
import { leftByFlows } from './checks/left-by-flows.ts';
import { lives } from './checks/lives.ts';
import { motion } from './checks/motion.ts';
import { pools } from './checks/pools.ts';
import { quota } from './checks/quota.ts';
import { schedules } from './checks/schedules.ts';
import { transient } from './checks/transient.ts';
import { upkeep } from './checks/upkeep.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { printable, type Terminal, wrap } from './terminal.ts';

export interface DoctorOptions extends ConfigFlags {
  readonly repair?: boolean;
  readonly json?: boolean;
  /** Minutes. */
  readonly olderThan: number;
}

/** In the order of repair: dropped reservations change what quota usage should be. */
export const CHECKS: readonly DoctorCheck[] = [
  leftByFlows,
  quota,
  pools,
  transient,
  motion,
  backends,
  exports,
  backupKeys,
  backups,
  events,
  schedules,
  upkeep,
  lives,
];

/** Between the two looks; and when it has to be later than the next word of a running task. */
const AGAIN_MS = 250;
const AGAIN_SLOW_MS = 6_000;

/** What a check found, and what became of it. */
export interface CheckReport {
  readonly check: DoctorCheck;
  readonly findings: readonly (Finding & { readonly repaired: boolean })[];
}

export async function doctor(options: DoctorOptions, around: CliContext): Promise<number> {
  const config = configurationOf(options);
  const db = await openDatabase(config.database.url, { as: 'tool' });
  try {
    const patient: Patient = {
      db,
      config,
      patienceMs: options.olderThan * 60_000,
      backends: await startBackends(config, around),
      signal: around.signal,
    };
    const reports: CheckReport[] = [];
    for (const check of CHECKS) reports.push(await treated(check, patient, options.repair === true));
    const swept = options.repair ? await sweep(patient) : [];
    if (options.json) around.out.line(JSON.stringify(reportFacts(reports, swept), null, 2));
    else around.out.lines(reportLines(around.out, reports, swept));
    for (const { check, findings } of reports) note(check, patient, findings);
    return counted(reports).some(({ repaired }) => !repaired) ? EXIT.findings : EXIT.ok;
  } finally {
    await db.close();
  }
}

/** What is wrong, or was; notes are not. */
const counted = (reports: readonly CheckReport[]) =>
  reports.flatMap(({ findings }) => findings.filter(({ isNote }) => !isNote));
function note({ told }: DoctorCheck, patient: Patient, findings: readonly Finding[]): void {
  try {
    told?.(patient, findings);
  } catch {
    // Another user's doctor may read what it may not write.
  }
}

/** A directory that is missing is a finding; it is not made. */
function asFound(section: BackendConfig): BackendConfig {
  switch (section.driver) {
    case 'file':
      return { ...section, create: false };
    default:
      return unhandled(section.driver);
  }
}

async function startBackends(config: Config, { driverOf, signal }: CliContext): Promise<Patient['backends']> {
  return await Promise.all(
    config.enabled_backends.map(async (name) => {
      const driver = await driverOf(asFound(config.backends[name] as BackendConfig), config);
      const failure = await driver.start(signal).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      );
      signal.throwIfAborted();
      return { host: `${config.node_name}@${name}`, driver: failure ?? driver };
    }),
  );
}

async function treated(check: DoctorCheck, patient: Patient, repair: boolean): Promise<CheckReport> {
  const found = await confirmed(check, patient);
  const findings: (Finding & { repaired: boolean })[] = [];
  for (const finding of found) {
    const { remedy } = finding;
    if (repair && remedy !== undefined) await patient.db.write((tx) => remedy.apply(tx));
    findings.push({ ...finding, repaired: repair && remedy !== undefined });
  }
  return { check, findings };
}

async function confirmed(check: DoctorCheck, patient: Patient): Promise<readonly Finding[]> {
  const first = await check.examine(patient);
  if (first.length === 0) return [];
  await pause(first.some(({ slow }) => slow) ? AGAIN_SLOW_MS : AGAIN_MS, patient.signal);
  const again = new Set((await check.examine(patient)).map(({ key }) => key));
  return first.filter(({ key }) => again.has(key));
}

/** Temporary files, of backends that no server serves just now: a flow that begins meanwhile could be making one. */
async function sweep({ db, config, backends, signal }: Patient): Promise<readonly string[]> {
  const swept: string[] = [];
  for (const { host, driver } of backends) {
    if (driver instanceof Error) continue;
    const names = await whileUnserved(db, config, host, async () => {
      return driver.sweep(await idsInWork(db.read), signal);
    });
    swept.push(...(names ?? []).map((name) => `${host}: ${name}`));
  }
  return swept;
}

/** Undefined when a server serves it. */
async function whileUnserved<T>(
  { dialect, ownership }: Database,
  config: Config,
  host: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  if (dialect === 'postgresql') {
    if (!(await ownership.take(laneOfHost(host)))) return undefined;
    return await work().finally(() => ownership.release(laneOfHost(host)));
  }
  try {
    const lock = lockDatabase(sqlitePath(config.database.url));
    return await work().finally(() => lock.release());
  } catch (error) {
    if (error instanceof DatabaseInUse) return undefined;
    throw error;
  }
}

const TEXT_WIDTH = 110;

export function reportLines(terminal: Terminal, reports: readonly CheckReport[], swept: readonly string[]): string[] {
  const lines = reports.flatMap(({ check, findings }) => [
    ...(findings.every(({ isNote }) => isNote) ? [`${terminal.paint('green', '✓')} ${check.wellSaid}`] : []),
    ...findings.flatMap((finding) => findingLines(terminal, finding)),
  ]);
  if (swept.length > 0)
    lines.push(`${terminal.paint('green', '✓')} temporary files of no flow were removed: ${swept.length}`);
  const all = counted(reports);
  const left = all.filter(({ repaired }) => !repaired);
  const curable = left.filter(({ remedy }) => remedy !== undefined).length;
  lines.push('', summary(all.length, left.length, curable));
  return lines;
}

function summary(found: number, left: number, curable: number): string {
  if (found === 0) return 'All is well.';
  if (left === 0) return `${found} found, all repaired.`;
  const repaired = found > left ? ` ${found - left} repaired,` : '';
  const hint =
    curable > 0 ? ` \`--repair\` puts ${curable === left ? 'all of them' : `${curable} of them`} right.` : '';
  return `${found} found,${repaired} ${left} left.${hint}`;
}

function findingLines(
  terminal: Terminal,
  { about, says, advice, remedy, repaired, isNote }: CheckReport['findings'][number],
): string[] {
  const mark = isNote
    ? terminal.paint('dim', '·')
    : repaired
      ? terminal.paint('yellow', '✓')
      : terminal.paint('red', '✗');
  const width = Math.min(TEXT_WIDTH, terminal.width) - 4;
  const text = wrap(printable(`${about} ${says}`), width);
  const then = repaired ? `repaired: ${remedy?.says}` : (advice ?? (remedy && `with --repair ${remedy.says}`));
  return [
    ...text.map((line, index) => (index === 0 ? `${mark} ${line}` : `    ${line}`)),
    ...(then === undefined ? [] : wrap(printable(then), width).map((line) => `    ${terminal.paint('dim', line)}`)),
  ];
}

function reportFacts(reports: readonly CheckReport[], swept: readonly string[]) {
  const all = reports.flatMap(({ check, findings }) => findings.map((finding) => ({ ...finding, check: check.name })));
  return {
    findings: all
      .filter(({ isNote }) => !isNote)
      .map(({ check, about, says, advice, remedy, repaired }) => ({
        check,
        about,
        says,
        advice: advice ?? null,
        remedy: remedy?.says ?? null,
        repaired,
      })),
    /** What is as somebody wanted it, and worth knowing. */
    notes: all
      .filter(({ isNote }) => isNote)
      .map(({ check, about, says, advice }) => ({ check, about, says, advice: advice ?? null })),
    swept,
  };
}
