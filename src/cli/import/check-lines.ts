/** The report of `pumice import check`, for people. */
import { type HostProblem, type ImportCheck, outcomeOf } from '../../import/check/check-report.ts';
import type { FromCinderConf } from '../../import/conf/from-cinder-conf.ts';
import type { ImportFinding, ImportRefusal } from '../../import/map/verdict.ts';
import { inGiB } from '../../lib/bytes.ts';
import { tableLines } from '../table.ts';
import { printable, type Terminal, wrap } from '../terminal.ts';

export interface CheckedAround {
  /** `db1:3306/cinder` */
  readonly place: string;
  readonly conf: FromCinderConf | undefined;
  readonly sameHosts: boolean;
  readonly isConfigured: boolean;
}

/** Of one kind so many are told one by one. */
const MOST_OF_A_KIND = 50;
const TEXT_WIDTH = 110;

export function checkLines(terminal: Terminal, check: ImportCheck, around: CheckedAround): string[] {
  return [
    `${around.place} is a Cinder database on ${check.server}, with the schema of ${check.revision.release} (${check.revision.id}).`,
    '',
    ...rowLines(terminal, check),
    ...hostLines(terminal, check, around),
    ...section(terminal, 'Kept out', check.refusals.flatMap(refusalLine), '✗'),
    ...section(terminal, 'Put right, or told', check.findings.flatMap(findingLine), '·'),
    ...section(terminal, 'Usage that is counted anew', usageLines(check), '·'),
    ...section(terminal, 'Backends', backendLines(check, around), '·'),
    ...section(terminal, 'What clients will see differently', check.seenDifferently.map(plain), '·'),
    ...confLines(terminal, around.conf),
    '',
    summary(check),
  ];
}

/** What is said, what follows, and of which kind it is. */
interface Told {
  readonly kind: string;
  readonly says: string;
  readonly next?: string;
}

const plain = (says: string): Told => ({ kind: says, says });

function section(terminal: Terminal, title: string, all: readonly Told[], mark: string): string[] {
  if (all.length === 0) return [];
  const lines = ['', terminal.paint('bold', title)];
  const width = Math.min(TEXT_WIDTH, terminal.width) - 4;
  for (const [, of] of Map.groupBy(all, ({ kind }) => kind)) {
    for (const { says, next } of of.slice(0, MOST_OF_A_KIND)) {
      const painted = mark === '✗' ? terminal.paint('red', mark) : terminal.paint('dim', mark);
      const text = wrap(printable(says), width);
      lines.push(...text.map((line, index) => (index === 0 ? `${painted} ${line}` : `    ${line}`)));
      if (next !== undefined)
        lines.push(...wrap(printable(next), width).map((line) => `    ${terminal.paint('dim', line)}`));
    }
    if (of.length > MOST_OF_A_KIND)
      lines.push(`  … and ${of.length - MOST_OF_A_KIND} more like these; --json lists all.`);
  }
  return lines;
}

function rowLines(terminal: Terminal, { rows }: ImportCheck): string[] {
  const cells = rows.map(({ table, there, comeIn }) => [table, String(there), String(comeIn)]);
  return tableLines(
    terminal,
    [{ title: 'TABLE' }, { title: 'LIVING', align: 'right' }, { title: 'COME IN', align: 'right' }],
    cells,
  );
}

const PROBLEMS: Readonly<Record<HostProblem, string>> = {
  unmapped: 'kept out: no backend here; --map-host says which it is',
  'failed-over': 'kept out: failed over to another site; fail it back first',
  backend: 'no backend of this configuration is called so; --map-host says which it is',
  pool: 'its backend here has no such pool; --map-host FROM#POOL=TO#POOL says which it is',
};

function hostLines(terminal: Terminal, { hosts }: ImportCheck, { sameHosts }: CheckedAround): string[] {
  if (hosts.length === 0) return [];
  const cells = hosts.map(({ from, volumes, to, problem }) => [
    from,
    String(volumes),
    to ?? '',
    problem === null ? '' : { text: PROBLEMS[problem], style: 'red' as const },
  ]);
  return [
    '',
    ...tableLines(
      terminal,
      [{ title: 'HOST' }, { title: 'VOLUMES', align: 'right' }, { title: 'HERE' }, { title: '', shrinksTo: 20 }],
      cells,
    ),
    ...(sameHosts
      ? ['Nobody said what hosts are called here (--config, --cinder-conf, --map-host): as there, it is taken.']
      : []),
  ];
}

const named = (resource: string, id: string): string => `${resource} ${id}`;

function refusalLine({ code, resource, id, saw, next, settledBy }: ImportRefusal): Told[] {
  return [
    {
      kind: `${resource} ${code}`,
      says: `${named(resource, id)} ${saw}`,
      next: settledBy === undefined ? next : `${next}: ${settledBy}`,
    },
  ];
}

function findingLine({ code, resource, id, saw, does }: ImportFinding): Told[] {
  return [{ kind: `${resource} ${code}`, says: `${named(resource, id)} ${saw}`, next: does }];
}

function usageLines({ usage }: ImportCheck): Told[] {
  return usage.map(({ projectId, resource, said, counted }) => ({
    kind: 'usage',
    says: `project ${projectId}: ${resource} is ${said} in Cinder, its rows add up to ${counted}`,
  }));
}

function backendLines({ backends }: ImportCheck, { isConfigured }: CheckedAround): Told[] {
  if (!isConfigured) return [plain('were not looked at: --config or --data names the configuration that has them')];
  return backends.flatMap(({ host, failure, known, unknown }): Told[] => {
    if (failure !== null) return [plain(`${host} could not be looked at: ${failure}`)];
    return [
      plain(`${host} has ${known} of the volumes and snapshots`),
      ...unknown.map(({ name, bytes }) => ({
        kind: `unknown ${host}`,
        says: `${host} has ${name} (${inGiB(bytes)} GiB), which no living row names`,
        next: 'it is left alone',
      })),
    ];
  });
}

function confLines(terminal: Terminal, conf: FromCinderConf | undefined): string[] {
  if (conf === undefined) return [];
  return [
    ...section(terminal, 'Of cinder.conf', conf.notes.map(plain), '·'),
    '',
    terminal.paint('bold', 'A pumice.toml that fits'),
    ...conf.toml.trimEnd().split('\n').map(printable),
  ];
}

function summary(check: ImportCheck): string {
  const { refusals, hosts, atWork } = check;
  const busy = atWork.workers + atWork.rows + atWork.reservations;
  const work = busy === 0 ? '' : ` Cinder is at work (${busy}): the last run waits for its end.`;
  const out =
    refusals.length + hosts.filter(({ problem }) => problem !== null).reduce((sum, { volumes }) => sum + volumes, 0);
  switch (outcomeOf(check)) {
    case 'clean':
      return `Every row comes in.${work}`;
    case 'switches':
      return `${out} kept out, which switches let in.${work}`;
    case 'refused':
      return `${out} kept out; some of them only what is done in Cinder lets in.${work}`;
  }
}
