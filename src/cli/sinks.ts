/** `pumice sinks`: where events go, with the last success of each, since when it fails, and when it is tried again. */
import { openDatabase } from '../db/database.ts';
import { sinkNames } from '../events/sink-names.ts';
import { millis, now, type Timestamp } from '../lib/clock.ts';
import { age, between, roughly } from '../lib/times.ts';
import { type SinkFacts, sinkFacts, type WaitingFacts } from '../why/read-sinks.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, type TableColumn, tableLines } from './table.ts';
import type { Style, Terminal } from './terminal.ts';

export async function listSinks(
  options: ConfigFlags & { readonly json?: boolean },
  { out }: CliContext,
): Promise<number> {
  const config = configurationOf(options);
  const db = await openDatabase(config.database.url, { as: 'tool' });
  try {
    const sinks = await sinkFacts(db, sinkNames(config));
    if (options.json) out.line(JSON.stringify(sinks, null, 2));
    else if (sinks.length === 0) out.line('Events go nowhere: [notifications] and [webhooks] name no sink.');
    else out.lines(sinkLines(out, sinks, now()));
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

const SINKS: readonly TableColumn[] = [
  { title: 'SINK', shrinksTo: 12 },
  { title: 'STATE' },
  { title: 'LAST TAKEN', align: 'right' },
  { title: 'FAILING FOR', align: 'right' },
  { title: 'TRIES', align: 'right' },
  { title: 'NEXT TRY', align: 'right' },
  { title: 'WHY', shrinksTo: 10 },
];

const WAITING: readonly TableColumn[] = [
  { title: 'AT', shrinksTo: 12 },
  { title: 'WAITS', shrinksTo: 12 },
  { title: 'FOR', align: 'right' },
  { title: 'TRIES', align: 'right' },
  { title: 'NEXT TRY', align: 'right' },
  { title: 'WHY', shrinksTo: 10 },
];

export function sinkLines(terminal: Terminal, sinks: readonly SinkFacts[], at: Timestamp): string[] {
  const waiting = sinks.flatMap(({ sink, waiting }) => waiting.map((each) => waitingRow(sink, each, at)));
  return [
    ...tableLines(
      terminal,
      SINKS,
      sinks.map((each) => sinkRow(each, at)),
    ),
    ...(waiting.length > 0 ? ['', ...tableLines(terminal, WAITING, waiting)] : []),
  ];
}

function sinkRow(facts: SinkFacts, at: Timestamp): Cell[] {
  return [
    facts.sink,
    { text: facts.state, style: STYLES[facts.state] },
    ago(facts.succeeded_at, at),
    facts.failing_since === null ? '' : roughly(age(facts.failing_since, at)),
    facts.tries === 0 ? '' : String(facts.tries),
    facts.state === 'failing' ? nextTry(facts.next_try_at, at) : '',
    facts.reason ?? '',
  ];
}

const waitingRow = (sink: string, facts: WaitingFacts, at: Timestamp): Cell[] => [
  sink,
  facts.resource,
  roughly(age(facts.since, at)),
  String(facts.tries),
  nextTry(facts.next_try_at, at),
  facts.reason,
];

const ago = (then: Timestamp | null, at: Timestamp): string =>
  then === null ? 'never' : `${roughly(age(then, at))} ago`;

/** Where that is over and nothing was tried, no server runs. */
function nextTry(then: Timestamp | null, at: Timestamp): string {
  if (then === null) return 'at a restart';
  return millis(then) <= millis(at) ? 'due' : `in ${roughly(between(at, then))}`;
}

const STYLES: Readonly<Record<SinkFacts['state'], Style>> = { well: 'green', failing: ['red', 'bold'], untried: 'dim' };
