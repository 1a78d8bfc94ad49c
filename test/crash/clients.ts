/** Clients of a storm: each does one thing after the other until all are told to stop, and less while nobody answers. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './chance.ts';
import type { Door } from './door.ts';

/** While nobody answers. */
const DOWN_PACE_MS = 250;

export class Clients {
  readonly #door: Pick<Door, 'answers'>;
  readonly #chance: Chance;
  readonly #paceMs: number;
  readonly #act: () => Promise<void>;
  readonly #stop = new AbortController();
  #acting: Promise<void>[] = [];

  /** `paceMs`: on average between two things. */
  constructor(door: Pick<Door, 'answers'>, chance: Chance, paceMs: number, act: () => Promise<void>) {
    this.#door = door;
    this.#chance = chance;
    this.#paceMs = paceMs;
    this.#act = act;
  }

  start(clients: number): void {
    this.#acting = Array.from({ length: clients }, () => this.#client());
  }

  /** Resolves when what was begun has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#acting);
  }

  async #client(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#act();
      const paceMs = this.#door.answers ? this.#paceMs : DOWN_PACE_MS;
      await pause(this.#chance.next() * 2 * paceMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }
}
