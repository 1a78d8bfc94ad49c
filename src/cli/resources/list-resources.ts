/**
 * `pumice volumes|snapshots|groups|backups list`: what there is, the newest first, and what is at work on each. A page is read and the flows
 * that hold something of it, however many volumes and flows there are besides.
 */
import { openDatabase } from '../../db/database.ts';
import { flowsOn } from '../../db/flows-on.ts';
import { type Holder, whatKeeps } from '../../db/journal-holds.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import type { FlowRow } from '../../engine/journal.ts';
import { now, type Timestamp } from '../../lib/clock.ts';
import { age, roughly } from '../../lib/times.ts';
import { TRANSIENT_GROUP_STATUSES } from '../../model/group-status.ts';
import { isTransient } from '../../model/status.ts';
import { doingOf } from '../../why/doing.ts';
import { flowFacts } from '../../why/flow-facts.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { Complaint, EXIT } from '../exit-codes.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import type { ResourceField, ResourceKind, ResourceRow } from './kind.ts';

export interface ListResourcesOptions extends ConfigFlags {
  readonly status?: string;
  readonly project?: string;
  readonly host?: string;
  readonly limit: number;
  readonly json?: boolean;
}

/** What is at work on each resource (`volume:<id>`), and what keeps those flows that wait, by the id of each. */
export interface AtWork {
  readonly flows: ReadonlyMap<string, readonly FlowRow[]>;
  readonly holders: ReadonlyMap<string, readonly Holder[]>;
}

export async function listResources<Row extends ResourceRow>(
  kind: ResourceKind<Row>,
  options: ListResourcesOptions,
  { out, err }: CliContext,
): Promise<number> {
  const filters = filtersOf(kind, options);
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const rows = await kind.list(db, { filters, limit: options.limit });
    const flows = await flowsOn(
      db.read,
      rows.map(({ id }) => `${kind.word}:${id}`),
    );
    const ids = new Set([...flows.values()].flat().map(({ id }) => id));
    const work = { flows, holders: await whatKeeps(db.read, [...ids]) };
    if (options.json)
      out.line(
        JSON.stringify(
          rows.map((row) => resourceFacts(kind, row, work)),
          null,
          2,
        ),
      );
    else if (rows.length > 0) out.lines(resourcesTable(out, kind, rows, work, now()));
    else out.line(filters.length > 0 ? `No such ${kind.word}.` : `There is no ${kind.word}.`);
    if (!options.json && rows.length === options.limit) {
      const all = await kind.count(db, filters);
      if (all > rows.length) err.line(`The newest ${rows.length} of ${all}; --limit shows more.`);
    }
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

function filtersOf<Row extends ResourceRow>(
  { word, statuses }: ResourceKind<Row>,
  { status, project, host }: ListResourcesOptions,
): readonly ListFilter<ResourceField>[] {
  if (status !== undefined && !statuses.includes(status))
    throw new Complaint(`No ${word} is ever ${status}, but one of: ${statuses.join(', ')}.`, EXIT.usage);
  return [
    ...(status === undefined ? [] : [{ is: 'equal', field: 'status', value: status } as const]),
    ...(project === undefined ? [] : [{ is: 'equal', field: 'projectId', value: project } as const]),
    ...(host === undefined ? [] : [placed(host)]),
  ];
}

/** A node names all its backends, `node@backend` all its pools. */
function placed(host: string): ListFilter<ResourceField> {
  if (host.includes('#')) return { is: 'equal', field: 'host', value: host };
  return { is: 'starts-with', field: 'host', text: host.includes('@') ? `${host}#` : `${host}@` };
}

/** For programs. */
export function resourceFacts<Row extends ResourceRow>(kind: ResourceKind<Row>, row: Row, { flows, holders }: AtWork) {
  const working = flows.get(`${kind.word}:${row.id}`) ?? [];
  return { ...kind.facts(row), flows: working.map((flow) => flowFacts(flow, holders.get(flow.id) ?? [])) };
}

export function resourcesTable<Row extends ResourceRow>(
  terminal: Terminal,
  kind: ResourceKind<Row>,
  rows: readonly Row[],
  { flows, holders }: AtWork,
  at: Timestamp,
): string[] {
  const columns = [
    { title: 'ID', shrinksTo: 14 },
    { title: 'NAME', shrinksTo: 8 },
    { title: 'STATUS' },
    ...kind.columns,
    { title: 'FOR', align: 'right' },
    { title: 'DOING', shrinksTo: 12 },
  ] as const;
  const cells = rows.map((row): Cell[] => {
    const [flow, ...others] = flows.get(`${kind.word}:${row.id}`) ?? [];
    const more = others.length > 0 ? ` (and ${others.length} more)` : '';
    return [
      row.id,
      row.name ?? '',
      statusCell(row),
      ...kind.cells(row),
      flow === undefined ? '' : roughly(age(flow.createdAt, at)),
      flow === undefined ? '' : `${workOf(flow, holders.get(flow.id) ?? [])}${more}`,
    ];
  });
  return tableLines(terminal, columns, cells);
}

export function statusCell({ status }: ResourceRow): Cell {
  if (status.startsWith('error')) return { text: status, style: 'red' };
  const passes = isTransient(status) || TRANSIENT_GROUP_STATUSES.some((each) => each === status);
  return passes ? { text: status, style: 'cyan' } : status;
}

function workOf(flow: FlowRow, holders: readonly Holder[]): string {
  const doing = flow.state === 'stuck' ? 'stuck' : doingOf(flow, holders);
  return doing === '' ? flow.name : `${flow.name}: ${doing}`;
}
