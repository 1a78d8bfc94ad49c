/**
 * An examination: every check is made, and what it finds counts when a second look finds it again (`checks/check.ts`).
 *
 * It works beside running servers, and deletes nothing on a backend but, when it repairs, the temporary files that no flow will look
 * for, and those only while no server serves that backend.
 */
import { type Database, sqlitePath } from '../db/database.ts';
import { DatabaseInUse, lockDatabase } from '../db/sql/sqlite-lock.ts';
import { idsInWork } from '../db/unended-flows.ts';
import type { VolumeDriver } from '../drivers/driver.ts';
import { pause } from '../lib/clock.ts';
import type { BackendConfig, Config } from '../lib/config/config.ts';
import { hostOfSection } from '../lib/config/config-rules.ts';
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

export interface Examination {
  readonly reports: readonly CheckReport[];
  /** Temporary files that were removed. */
  readonly swept: readonly string[];
}

export async function examine(patient: Patient, { repair }: { readonly repair: boolean }): Promise<Examination> {
  const reports: CheckReport[] = [];
  for (const check of CHECKS) reports.push(await treated(check, patient, repair));
  return { reports, swept: repair ? await sweep(patient) : [] };
}

/** They were told to somebody. */
export function noteTold({ reports }: Examination, patient: Patient): void {
  for (const { check, findings } of reports) note(check, patient, findings);
}

function note({ told }: DoctorCheck, patient: Patient, findings: readonly Finding[]): void {
  try {
    told?.(patient, findings);
  } catch {
    // Another user's doctor may read what it may not write.
  }
}

/** A directory, or a pool, that is missing is a finding; it is not made. */
export function asFound(section: BackendConfig): BackendConfig {
  switch (section.driver) {
    case 'file':
      return { ...section, create: false };
    case 'lvm':
      return { ...section, create: false };
    case 'rbd':
      return section;
    default:
      return unhandled(section);
  }
}

/** As they are found: nothing is made that is missing. */
export async function startBackends(
  config: Config,
  driverOf: (section: BackendConfig, config: Config) => Promise<VolumeDriver>,
  signal: AbortSignal,
): Promise<Patient['backends']> {
  return await Promise.all(
    config.enabled_backends.map(async (name) => {
      const driver = await driverOf(asFound(config.backends[name] as BackendConfig), config);
      const failure = await driver.start(signal).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      );
      if (failure !== undefined) driver.release();
      signal.throwIfAborted();
      return { host: hostOfSection(config, name), driver: failure ?? driver };
    }),
  );
}

/** They are asked nothing more. A helper of a driver's would keep the process alive. */
export function releaseBackends(backends: Patient['backends']): void {
  for (const { driver } of backends) if (!(driver instanceof Error)) driver.release();
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
