/**
 * `pumice top`: flows in flight, copies and pools, drawn again every second on a screen of their own until somebody has seen enough.
 * Elsewhere it is one plain frame. It only reads the database, whether a server runs or not.
 */
import { type Database, openDatabase } from '../db/database.ts';
import { flowPage } from '../db/flow-page.ts';
import { whatKeeps } from '../db/journal-holds.ts';
import { isTrouble } from '../db/sql/trouble.ts';
import { WAITING_LANE } from '../engine/journal.ts';
import { now, pause } from '../lib/clock.ts';
import { flowFacts } from '../why/flow-facts.ts';
import { readBackends } from '../why/read-backends.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { listenForQuit } from './keyboard.ts';
import { Screen } from './screen.ts';
import type { Terminal } from './terminal.ts';
import { countsOf, type TopSeen, topLines } from './top-frame.ts';

export interface TopOptions extends ConfigFlags {
  readonly json?: boolean;
}

const POLL_MS = 1_000;
/** More are no picture. */
const MOST = 500;

export async function top(options: TopOptions, { out, signal, keyboard }: CliContext): Promise<number> {
  const config = configurationOf(options);
  const db = await openDatabase(config.database.url, { as: 'tool', readers: 1 });
  const look = (): Promise<TopSeen> => read(db, config.services.service_down_time);
  try {
    if (options.json) out.line(JSON.stringify(topFacts(await look())));
    else if (out.isLive) await live(out, look, listenForQuit(keyboard), signal);
    else out.lines(topLines(out, await look(), undefined));
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

/** Until a key or a signal ends it, which is how it is meant to end. */
async function live(
  out: Terminal,
  look: () => Promise<TopSeen>,
  quit: ReturnType<typeof listenForQuit>,
  signal: AbortSignal,
): Promise<void> {
  const until = AbortSignal.any([signal, quit.signal]);
  let seen: TopSeen | undefined;
  const screen = new Screen(out);
  try {
    while (!until.aborted) {
      const trouble = await look().then(
        (newest) => {
          seen = newest;
          return undefined;
        },
        (error: unknown) => {
          if (!isTrouble(error) || !(error instanceof Error)) throw error;
          return `The database does not answer: ${error.message}`;
        },
      );
      screen.draw(seen === undefined ? [trouble ?? ''] : topLines(out, seen, trouble));
      await pause(POLL_MS, until).catch(() => {});
    }
  } finally {
    screen.close();
    quit.stop();
  }
}

async function read(db: Database, downSeconds: number): Promise<TopSeen> {
  const flows = await flowPage(db, { unended: true, limit: MOST });
  const waiting = flows.filter(({ lane }) => lane === WAITING_LANE).map(({ id }) => id);
  const holders = await whatKeeps(db.read, waiting);
  return { ...(await readBackends(db, downSeconds)), flows, holders, at: now() };
}

function topFacts(seen: TopSeen): object {
  const { at, flows, holders, backends, troubles } = seen;
  return {
    at,
    ...countsOf(seen),
    backends,
    troubles,
    flows: flows.map((flow) => flowFacts(flow, holders.get(flow.id) ?? [])),
  };
}
