/** Clients that ask for as much as is wanted, each one thing after the other: eight, unless somebody needs another number. */
import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './creates.ts';
import type { Server } from './processes.ts';
import { median } from './report.ts';
import { path } from './subject.ts';

export const CLIENTS = 8;

export interface Asked {
  readonly perSecond: number;
  /** The median of the answers. */
  readonly waitMs: number;
}

export async function byClients(times: number, one: (at: number) => Promise<void>): Promise<Asked> {
  const begun = performance.now();
  const waits = await timesOf(CLIENTS, times, one);
  return { perSecond: (times / (performance.now() - begun)) * 1000, waitMs: median(waits) };
}

/** Milliseconds of each, by so many clients. `between`: before each, and not counted. */
export async function timesOf(
  clients: number,
  times: number,
  one: (at: number) => Promise<unknown>,
  between?: () => Promise<unknown>,
): Promise<number[]> {
  const waits: number[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    for (let at = next++; at < times; at = next++) {
      await between?.();
      const begun = performance.now();
      await one(at);
      waits.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return waits;
}

const DEADLINE_MS = 120_000;
/** Asking costs the server time that is counted. */
const BETWEEN_LOOKS_MS = 5;

/** `query`: may say which of them. */
export async function allGone(server: Server, agent: Agent, list: 'volumes' | 'snapshots', query = ''): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  const all = `${server.address}${path(`/${list}?limit=1${query}`)}`;
  while (((await ask(agent, 'GET', all)) as Readonly<Record<string, readonly unknown[]>>)[list]?.length !== 0) {
    if (performance.now() > until) throw new Error(`After ${DEADLINE_MS} ms there are ${list} still.`);
    await delay(BETWEEN_LOOKS_MS);
  }
}
