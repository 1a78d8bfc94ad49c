/** A client of the Block Storage API, whoever speaks it: what it asks for it waits for. */
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './creates.ts';
import { path } from './subject.ts';

const DEADLINE_MS = 120_000;

export class VolumeClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
  }

  async create(volume: object): Promise<string> {
    const id = await this.begin(volume);
    await this.rests('volume', id);
    return id;
  }

  /** Accepted. */
  async begin(volume: object): Promise<string> {
    return (await this.#ask('POST', '/volumes', { volume })).volume.id;
  }

  async snapshot(volume: string): Promise<void> {
    const { id } = (await this.#ask('POST', '/snapshots', { snapshot: { volume_id: volume } })).snapshot;
    await this.rests('snapshot', id);
  }

  async extend(id: string, size: number): Promise<void> {
    await this.#ask('POST', `/volumes/${id}/action`, { 'os-extend': { new_size: size } });
    await this.rests('volume', id);
  }

  async remove(id: string): Promise<void> {
    await this.#ask('DELETE', `/volumes/${id}`);
    await patiently(`volume ${id} is gone`, () =>
      this.#ask('GET', `/volumes/${id}`).then(
        () => false,
        (error: Error) => / 404: /.test(error.message),
      ),
    );
  }

  rests(kind: 'volume' | 'snapshot', id: string): Promise<void> {
    return patiently(`${kind} ${id} is available`, async () => {
      const { status } = (await this.#ask('GET', `/${kind}s/${id}`))[kind];
      if (/error/.test(status)) throw new Error(`${kind} ${id} is ${status}.`);
      return status === 'available';
    });
  }

  /** It knows how much room its pool has. */
  serves(): Promise<void> {
    return patiently('the pool is served', async () => {
      const { pools } = await this.#ask('GET', '/scheduler-stats/get_pools?detail=true').catch(() => ({ pools: [] }));
      return pools[0]?.capabilities.free_capacity_gb > 0;
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  async #ask(method: string, rest: string, body?: object): Promise<any> {
    return (await ask(this.#agent, method, `${this.#address}${path(rest)}`, body && JSON.stringify(body))) ?? {};
  }
}

/** Looks again after a twentieth of what it has waited: looking costs a service time, and what is seen late counts as its own. */
async function patiently(what: string, holds: () => Promise<boolean>): Promise<void> {
  const begun = performance.now();
  for (let waited = 0; !(await holds()); waited = performance.now() - begun) {
    if (waited > DEADLINE_MS) throw new Error(`Never: ${what}.`);
    await delay(Math.max(2, waited / 20));
  }
}
