/** Flows in flight as `pumice flows watch` draws them: a line each, with how far it is and how long it may take. */
import type { Holder } from '../db/journal-holds.ts';
import type { Doing, FlowRow } from '../engine/journal.ts';
import type { Timestamp } from '../lib/clock.ts';
import { age, between, clockTime, roughly } from '../lib/times.ts';
import { doingOf, waitText } from '../why/doing.ts';
import { bar, copiedText, timeLeft } from '../why/progress.ts';
import { shortId } from '../why/short-id.ts';
import { STYLES } from './flows-list.ts';
import { type Cell, type TableColumn, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';

/** In flight, the newest last, and what keeps those that wait. */
export interface Seen {
  readonly flows: readonly FlowRow[];
  readonly holders: ReadonlyMap<string, readonly Holder[]>;
  /** There are more than were read. */
  readonly more: boolean;
}

const COLUMNS: readonly TableColumn[] = [
  { title: 'ID' },
  { title: 'FLOW', shrinksTo: 10 },
  { title: 'ON', shrinksTo: 8 },
  { title: 'FOR', align: 'right' },
  { title: 'DOING', shrinksTo: 8 },
  { title: 'PROGRESS' },
];
/** Where there is room for it. */
const COPIED: TableColumn = { title: 'COPIED', shrinksTo: 32 };
const LEFT: TableColumn = { title: 'LEFT', align: 'right' };

/** Lines that are no flow: the titles, what else there is, and the line that the cursor stands in. */
const AROUND = 4;
const isWide = ({ width }: Terminal): boolean => width >= 110;

/** No more lines than the terminal has. `trouble`: why the newest is not known. */
export function pictureLines(terminal: Terminal, seen: Seen, trouble: string | undefined, at: Timestamp): string[] {
  const room = Math.max(1, terminal.height - AROUND);
  const shown = seen.flows.slice(-room);
  const table = inFlightLines(terminal, shown, seen.holders, at).slice(0, room + 1);
  const all = `${seen.flows.length}${seen.more ? ' and more' : ''}`;
  const hidden = shown.length < seen.flows.length || seen.more ? `  The newest ${shown.length} of ${all}.` : '';
  return [
    ...table,
    terminal.paint('dim', `${clockTime(at).slice(11, 19)} UTC  q ends this, and no flow.${hidden}`),
    ...(trouble === undefined ? [] : [terminal.paint('yellow', trouble)]),
  ];
}

/** Titles and a line for each, where the terminal is wide enough for a table. */
export function inFlightLines(
  terminal: Terminal,
  flows: readonly FlowRow[],
  holders: Seen['holders'],
  at: Timestamp,
): string[] {
  if (flows.length === 0) return ['Nothing is in flight.'];
  const rows = flows.map((flow) => cells(terminal, flow, holders.get(flow.id) ?? [], at));
  return tableLines(terminal, [...COLUMNS, ...(isWide(terminal) ? [COPIED] : []), LEFT], rows);
}

function cells(terminal: Terminal, flow: FlowRow, holders: readonly Holder[], at: Timestamp): Cell[] {
  const { id, name, resource, state, doing, createdAt } = flow;
  const progress = doing?.progress ?? null;
  const left = flow.owner === null || doing === null || doing.waiting ? null : timeLeft(doing, at);
  return [
    shortId(id),
    name,
    resource,
    roughly(age(createdAt, at)),
    { text: stateOf(flow, holders, isWide(terminal)), style: STYLES[state] },
    progress === null ? '' : bar(progress, terminal.width >= 140 ? 16 : 6),
    ...(isWide(terminal) ? [copiedOrWaits(doing)] : []),
    left === null ? '' : roughly(left),
  ];
}

function copiedOrWaits(doing: Doing | null): string {
  if (doing?.waiting !== undefined) return waitText(doing.waiting);
  return doing?.copying === undefined ? '' : copiedText(doing.copying);
}

function stateOf(flow: FlowRow, holders: readonly Holder[], isWide: boolean): string {
  if (flow.state === 'stuck') return 'stuck';
  const does = doingOf({ ...flow, doing: flow.doing && withoutColumns(flow.doing, isWide) }, holders);
  return flow.state === 'reverting' ? `reverting ${does}`.trim() : does;
}

/** What has a column of its own need not be said twice: how far it is, and where there is room what it waits for. */
function withoutColumns({ waiting, ...doing }: Doing, isWide: boolean): Doing {
  return { ...doing, progress: null, ...(!isWide && waiting && { waiting }) };
}

/** One line, where nothing can be drawn again: another one when it says something else. */
export function flowLine(flow: FlowRow, holders: readonly Holder[]): string {
  const { id, name, resource, state, doing } = flow;
  const coarse = doing === null || doing.progress === null ? doing : { ...doing, progress: tenths(doing.progress) };
  const does = doingOf({ ...flow, doing: coarse }, holders);
  return `${name} ${shortId(id)} on ${resource} ${state}${does === '' ? '' : `: ${does}`}`;
}

const tenths = (fraction: number): number => Math.floor(fraction * 10) / 10;

/** The last line of a flow. */
export function endedLine(terminal: Terminal, { id, name, resource, state, createdAt, endedAt }: FlowRow): string {
  const took = between(createdAt, endedAt ?? createdAt);
  return `${name} ${shortId(id)} on ${resource} ${terminal.paint(STYLES[state], state)} in ${took}`;
}
