/**
 * `pumice doctor`: a checker of invariants (fsck), which repairs the violations that it can (`--repair`). The examination is in
 * `doctor/examine.ts`; here it is begun and told.
 */
import { openDatabase } from '../db/database.ts';
import type { Patient } from '../doctor/checks/check.ts';
import { type CheckReport, examine, noteTold, releaseBackends, startBackends } from '../doctor/examine.ts';
import { counted, reportFacts } from '../doctor/report-facts.ts';
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

export async function doctor(options: DoctorOptions, around: CliContext): Promise<number> {
  const config = configurationOf(options);
  const db = await openDatabase(config.database.url, { as: 'tool' });
  let backends: Patient['backends'] = [];
  try {
    backends = await startBackends(config, around.driverOf, around.signal);
    const patient: Patient = {
      db,
      config,
      patienceMs: options.olderThan * 60_000,
      backends,
      signal: around.signal,
    };
    const examination = await examine(patient, { repair: options.repair === true });
    const { reports, swept } = examination;
    if (options.json) around.out.line(JSON.stringify(reportFacts(examination), null, 2));
    else around.out.lines(reportLines(around.out, reports, swept));
    noteTold(examination, patient);
    return counted(reports).some(({ repaired }) => !repaired) ? EXIT.findings : EXIT.ok;
  } finally {
    releaseBackends(backends);
    await db.close();
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
