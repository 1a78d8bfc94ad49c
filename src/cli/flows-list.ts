/** `pumice flows list`: the flows that are not done, or all that are kept. */
import { type Database, openDatabase } from '../db/database.ts';
import { flowPage } from '../db/flow-page.ts';
import { type Holder, whatKeeps } from '../db/journal-holds.ts';
import { type FlowRow, type FlowState, WAITING_LANE } from '../engine/journal.ts';
import { now, type Timestamp } from '../lib/clock.ts';
import { age, between, roughly } from '../lib/times.ts';
import { doingOf } from '../why/doing.ts';
import { flowFacts } from '../why/flow-facts.ts';
import { shortId } from '../why/short-id.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, type TableColumn, tableLines } from './table.ts';
import type { Style, Terminal } from './terminal.ts';

export interface ListOptions extends ConfigFlags {
  readonly all?: boolean;
  readonly state?: FlowState;
  readonly resource?: string;
  readonly project?: string;
  readonly limit: number;
  readonly json?: boolean;
}

export async function listFlows(options: ListOptions, { out, err }: CliContext): Promise<number> {
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const flows = await found(db, options);
    const waiting = flows.filter(({ lane }) => lane === WAITING_LANE);
    const holders = await whatKeeps(
      db.read,
      waiting.map(({ id }) => id),
    );
    if (options.json)
      out.line(
        JSON.stringify(
          flows.map((flow) => flowFacts(flow, holders.get(flow.id) ?? [])),
          null,
          2,
        ),
      );
    else if (flows.length > 0) out.lines(flowsTable(out, flows, holders, now()));
    else
      out.line(options.all || options.state ? 'No such flow.' : 'Nothing is in flight. `--all` shows what has ended.');
    if (!options.json && flows.length === options.limit) err.line(`The newest ${options.limit}; --limit shows more.`);
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

const ENDED: readonly FlowState[] = ['success', 'reverted'];

/** Newest first. */
function found(db: Database, options: ListOptions): Promise<readonly FlowRow[]> {
  const { all = false, state, resource, project: projectId, limit } = options;
  return flowPage(db, {
    unended: !all && (state === undefined || !ENDED.includes(state)),
    limit,
    ...(state !== undefined && { state }),
    ...(projectId !== undefined && { projectId }),
    ...(resource !== undefined && { resources: resourcesOf(resource) }),
  });
}

/** `volume:ID` and `snapshot:ID` are meant; a bare id may be either. */
const resourcesOf = (resource: string): string[] =>
  resource.includes(':') ? [resource] : [`volume:${resource}`, `snapshot:${resource}`];

const COLUMNS: readonly TableColumn[] = [
  { title: 'ID' },
  { title: 'FLOW', shrinksTo: 10 },
  { title: 'STATE' },
  { title: 'ON', shrinksTo: 12 },
  { title: 'AGE', align: 'right' },
  { title: 'TOOK', align: 'right' },
  { title: 'DOING', shrinksTo: 8 },
];

/** `holders`: what keeps those that wait, by the id of each. */
export function flowsTable(
  terminal: Terminal,
  flows: readonly FlowRow[],
  holders: ReadonlyMap<string, readonly Holder[]>,
  at: Timestamp,
): string[] {
  const rows = flows.map((flow): Cell[] => [
    shortId(flow.id),
    flow.name,
    { text: flow.state, style: STYLES[flow.state] },
    flow.resource,
    roughly(age(flow.createdAt, at)),
    flow.endedAt === null ? '' : between(flow.createdAt, flow.endedAt),
    doingOf(flow, holders.get(flow.id) ?? []),
  ]);
  return tableLines(terminal, COLUMNS, rows);
}

export const STYLES: Readonly<Record<FlowState, Style>> = {
  pending: 'dim',
  running: 'cyan',
  reverting: 'yellow',
  stuck: ['red', 'bold'],
  success: 'green',
  reverted: 'yellow',
};
