/** A frame of `pumice top`: what runs, what is stuck, what pools have and have promised. */
import { type FlowRow, WAITING_LANE } from '../engine/journal.ts';
import { sizeText } from '../lib/bytes.ts';
import type { Timestamp } from '../lib/clock.ts';
import { age, clockTime, roughly } from '../lib/times.ts';
import { doingOf } from '../why/doing.ts';
import type { BackendFacts, Backends } from '../why/read-backends.ts';
import { STYLES } from './flows-list.ts';
import { inFlightLines, type Seen } from './flows-picture.ts';
import { type Cell, type TableColumn, tableLines } from './table.ts';
import { printable, type Style, type Terminal } from './terminal.ts';

export interface TopSeen extends Omit<Seen, 'more'>, Backends {
  readonly at: Timestamp;
}

export interface Counts {
  readonly running: number;
  readonly waiting: number;
  readonly stuck: number;
  readonly copies_running: number;
  readonly copies_waiting: number;
  /** Bytes a second. */
  readonly rate: number;
}

export function countsOf({ flows, backends }: Pick<TopSeen, 'flows' | 'backends'>): Counts {
  const stuck = flows.filter(({ state }) => state === 'stuck').length;
  const waiting = flows.filter(isWaiting).length;
  const sum = (of: (copies: BackendFacts['copies']) => number): number =>
    backends.reduce((total, { copies }) => total + of(copies), 0);
  return {
    running: flows.length - stuck - waiting,
    waiting,
    stuck,
    copies_running: sum(({ running }) => running),
    copies_waiting: sum(({ waiting }) => waiting),
    rate: sum(({ rate }) => rate),
  };
}

const isWaiting = ({ state, lane, owner, doing }: FlowRow): boolean =>
  state !== 'stuck' && (lane === WAITING_LANE || owner === null || doing?.waiting !== undefined);

/** Narrower than a table of flows with their bars. */
const NARROW = 80;

export function topLines(terminal: Terminal, seen: TopSeen, trouble: string | undefined): string[] {
  const { backends, troubles, holders, at } = seen;
  const flows = byUrgency(seen.flows);
  const table =
    terminal.width < NARROW ? narrowLines(terminal, seen, flows) : inFlightLines(terminal, flows, holders, at);
  return [
    ...headLines(terminal, seen),
    ...(trouble === undefined ? [] : [terminal.paint('yellow', printable(trouble))]),
    ...troubles.map(({ upkeep, about, reason }) =>
      terminal.paint('yellow', printable(`${upkeep} ${about}: ${reason}`)),
    ),
    '',
    ...poolLines(terminal, backends),
    '',
    ...table,
  ];
}

function headLines(terminal: Terminal, seen: TopSeen): string[] {
  const { running, waiting, stuck, copies_running, copies_waiting, rate } = countsOf(seen);
  const stuckText = terminal.paint(stuck > 0 ? STYLES.stuck : 'dim', `${stuck} stuck`);
  const ends = terminal.isLive ? '  q ends this' : '';
  return [
    `${terminal.paint('bold', `${running} running`)}  ${waiting} waiting  ${stuckText}  ${terminal.paint('dim', `${clockTime(seen.at).slice(11, 19)} UTC${ends}`)}`,
    `copies: ${copies_running} run, ${copies_waiting} wait${rate > 0 ? `, ${sizeText(rate)}/s` : ''}`,
  ];
}

/** Those that need somebody first, then the newest. */
const byUrgency = (flows: readonly FlowRow[]): FlowRow[] =>
  flows.toSorted((a, b) => Number(b.state === 'stuck') - Number(a.state === 'stuck') || (a.id < b.id ? 1 : -1));

const POOLS: readonly TableColumn[] = [
  { title: 'POOL', shrinksTo: 10 },
  { title: 'STATE' },
  { title: 'USED', align: 'right' },
  { title: 'PROMISED', align: 'right' },
];
const WIDE_POOLS: readonly TableColumn[] = [{ title: 'FREE', align: 'right' }, { title: 'COPIES' }];

const STATE_STYLES: Readonly<Record<BackendFacts['state'], Style>> = {
  up: 'green',
  failed: ['red', 'bold'],
  down: ['red', 'bold'],
  disabled: 'yellow',
  frozen: 'yellow',
};

function poolLines(terminal: Terminal, backends: readonly BackendFacts[]): string[] {
  const isWide = terminal.width >= NARROW;
  const rows = backends.flatMap(({ host, state, pools, copies }): Cell[][] => {
    const shown = pools.length > 0 ? pools : [{ name: host, total_gib: null, free_gib: null, promised_gib: 0 }];
    return shown.map(({ name, total_gib: total, free_gib: free, promised_gib: promised }) => [
      name,
      { text: state, style: STATE_STYLES[state] },
      total === null || free === null ? '?' : part(total - free, total),
      total === null ? '?' : part(promised, total),
      ...(isWide ? [free === null ? '?' : `${free} GiB`, `${copies.running} run, ${copies.waiting} wait`] : []),
    ]);
  });
  if (rows.length === 0) return ['No backend has ever been served.'];
  return tableLines(terminal, isWide ? [...POOLS, ...WIDE_POOLS] : POOLS, rows);
}

const part = (some: number, all: number): string => (all === 0 ? '?' : `${Math.round((some / all) * 100)} %`);

const NARROW_FLOWS: readonly TableColumn[] = [
  { title: 'FLOW', shrinksTo: 8 },
  { title: 'FOR', align: 'right' },
  { title: 'DOING', shrinksTo: 8 },
];

function narrowLines(terminal: Terminal, { holders, at }: TopSeen, flows: readonly FlowRow[]): string[] {
  if (flows.length === 0) return ['Nothing is in flight.'];
  const rows = flows.map((flow): Cell[] => [
    flow.name,
    roughly(age(flow.createdAt, at)),
    { text: flow.state === 'stuck' ? 'stuck' : doingOf(flow, holders.get(flow.id) ?? []), style: STYLES[flow.state] },
  ]);
  return tableLines(terminal, NARROW_FLOWS, rows);
}
