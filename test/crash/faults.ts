/** Faults of what the service works with, beside the kills: each comes for a while, goes, and comes again, whatever the others do. */
import { readdir, readFile, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exec } from '../../src/lib/exec.ts';
import type { Chance } from './chance.ts';
import type { ImageService } from './glance.ts';
import type { Site } from './site.ts';

export interface Fault {
  readonly name: string;
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
  /** Default 2,500. */
  readonly mostApartMs?: number;
}

const APART_MS = 2_500;
const LASTS_MS = 1_500;

/** Those that can be here. */
export function faultsOf(
  { smallDisk, store, pool }: Site,
  images: ImageService | undefined,
  services: () => readonly number[],
): readonly Fault[] {
  const copies = async (signal: NodeJS.Signals): Promise<void> => {
    for (const pid of await childrenOf(services(), 'backup-child')) kill(pid, signal);
  };
  // Of an image a copy takes longer, which is a file only when a daemon shows it: two deaths at the same place fail a backup, and one that is
  // made is all that can be restored.
  const copiesApartMs = pool === null ? 6_000 : 25_000;
  const found: Fault[] = [
    // All that is asked of it then fails at once.
    {
      name: 'no backup store',
      begin: () => rename(store, `${store}.away`),
      end: () => rename(`${store}.away`, store),
      mostApartMs: 30_000,
    },
    { name: 'killed copies', begin: () => copies('SIGKILL'), end: () => {}, mostApartMs: copiesApartMs },
    { name: 'frozen copies', begin: () => copies('SIGSTOP'), end: () => copies('SIGCONT'), mostApartMs: copiesApartMs },
  ];
  if (smallDisk !== null)
    found.push({
      name: 'full disk',
      begin: () => fill(smallDisk),
      end: () => rm(ballastOf(smallDisk), { force: true }),
    });
  if (pool !== null) {
    const { ceph } = pool;
    for (const [name, daemon] of [
      ['frozen OSD', 'osd'],
      ['frozen monitor', 'mon'],
    ] as const)
      found.push({
        name,
        begin: () => ceph.freeze(daemon),
        end: () => ceph.thaw(daemon),
        mostApartMs: 10_000,
      });
    const killHelpers = async (): Promise<void> => {
      for (const pid of await childrenOf(services(), 'rbd-helper')) kill(pid, 'SIGKILL');
    };
    found.push({ name: 'killed helpers', begin: killHelpers, end: () => {}, mostApartMs: 8_000 });
  }
  if (images !== undefined) {
    const dead = (is: boolean): void => {
      images.dead = is;
    };
    const keepsLess = (is: boolean): void => {
      images.keepsLess = is;
    };
    found.push({ name: 'no image service', begin: () => dead(true), end: () => dead(false) });
    found.push({ name: 'images kept in part', begin: () => keepsLess(true), end: () => keepsLess(false) });
  }
  return found;
}

export class Faults {
  /** How often each was there. */
  readonly had: Record<string, number> = {};
  readonly #faults: readonly Fault[];
  readonly #chance: Chance;
  readonly #stop = new AbortController();
  #raging: Promise<unknown> = Promise.resolve();

  constructor(faults: readonly Fault[], chance: Chance) {
    this.#faults = faults;
    this.#chance = chance;
  }

  start(): void {
    this.#raging = Promise.all(this.#faults.map((fault) => this.#rage(fault)));
  }

  /** Resolves when there is none any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#raging;
  }

  async #rage(fault: Fault): Promise<void> {
    for (;;) {
      await this.#rest(fault.mostApartMs ?? APART_MS);
      if (this.#stop.signal.aborted) return;
      await fault.begin();
      this.had[fault.name] = (this.had[fault.name] ?? 0) + 1;
      await this.#rest(LASTS_MS);
      await fault.end();
    }
  }

  async #rest(mostMs: number): Promise<void> {
    await pause(this.#chance.between(mostMs / 5, mostMs), undefined, this.#stop).catch(() => {});
  }
}

const ballastOf = (directory: string): string => join(directory, 'ballast');
/** What is left is nothing to a copy. */
const LEFT_BYTES = 128 * 1024;

async function fill(directory: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const bytes = bavail * bsize - LEFT_BYTES;
  const call = { signal: AbortSignal.timeout(20_000) };
  // What others write meanwhile is not there to be taken any more.
  if (bytes > 0) await exec(['fallocate', '--length', String(bytes), ballastOf(directory)], call).catch(() => {});
}

/** What these have started whose command line has the word: what copies backups, what works in a pool. */
async function childrenOf(services: readonly number[], word: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string): Promise<string> => readFile(join('/proc', pid, file), 'utf8').catch(() => '');
    if (!(await read('cmdline')).includes(word)) continue;
    const stat = await read('stat');
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (services.includes(Number(parent))) found.push(Number(pid));
  }
  return found;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
