/**
 * The metrics of a process: what it counts while it works, what it is asked when somebody scrapes, and what the tables say.
 *
 * Nothing of this is loaded, and no clock is looked at, where metrics are off. A text of our own and not one of the libraries: a
 * histogram by a kept child costs 0.02 µs here and 0.7 to 1.5 there, the text of 2,800 lines holds the event loop for 2 ms here
 * and for 11 to 27 there, and either of those takes 8 MB before anything is counted.
 */
import type { EngineEvent } from '../engine/events.ts';
import { pause } from '../lib/clock.ts';
import type { Config } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';
import { FlowFigures } from './flow-figures.ts';
import { listenForScrapes, type MetricsListener } from './listener.ts';
import { ProcessFigures, type ProcessParts } from './process-figures.ts';
import { RequestFigures } from './request-figures.ts';
import { type TableParts, tableFamilies } from './table-figures.ts';
import { type Family, gauge, textOf } from './text.ts';

export interface MetricsParts extends ProcessParts, TableParts {
  readonly engine: { running(): readonly string[] };
}

/** Who scrapes waits ten seconds as a rule, and is to have the figures of the process when the database is silent. */
const PATIENCE_MS = 5_000;

export class Metrics {
  readonly requests = new RequestFigures();
  readonly process: ProcessFigures;
  readonly #flows = new FlowFigures();
  readonly #config: Config;
  readonly #log: Log;
  #parts: MetricsParts | undefined;
  /** By path. */
  readonly #making = new Map<string, Promise<string>>();
  #failing = false;
  #listener: MetricsListener | undefined;

  constructor(config: Config, log: Log, version = 'unknown') {
    this.#config = config;
    this.#log = log;
    this.process = new ProcessFigures({ version, node: config.node_name });
  }

  /** Undefined while it does not listen. */
  get address(): string | undefined {
    return this.#listener?.address;
  }

  /** Once, when the parts are there. */
  read(parts: MetricsParts): void {
    this.#parts = parts;
  }

  hear(event: EngineEvent): void {
    this.#flows.hear(event);
  }

  text(): Promise<string> {
    return this.#once('/metrics', () => this.#families());
  }

  /** By the names of the OpenStack exporter: told by the process that tells what the tables say. */
  openstackText(): Promise<string> {
    return this.#once('/metrics/openstack', async () => {
      const { openstackFamilies, up } = await import('./openstack-figures.ts');
      return (
        (await this.#asked(async ({ db, leads }) => ((await leads()) ? openstackFamilies(db, this.#config) : []))) ?? [
          up(0),
        ]
      );
    });
  }

  async listen(): Promise<void> {
    const { host, port, bearer_token: token } = this.#config.metrics;
    const texts = new Map([
      ['/metrics', () => this.text()],
      ['/metrics/openstack', () => this.openstackText()],
    ]);
    const failed = (error: unknown): void => this.#log.error({ err: error }, 'metrics could not be told');
    this.#listener = await listenForScrapes({ host, port, token, texts, failed });
    this.#log.info({ address: this.#listener.address }, 'metrics are told');
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }

  async #families(): Promise<readonly Family[]> {
    if (this.#parts === undefined) return [];
    const tables = await this.#asked((parts) => tableFamilies(parts, this.#config.services.service_down_time));
    return [
      gauge('pumice_database_up', 'Whether the database could be asked.', [[{}, tables === undefined ? 0 : 1]]),
      ...(tables ?? []),
      ...this.#flows.families(this.#parts.engine.running().length),
      ...this.requests.families(),
      ...this.process.families(this.#parts),
    ];
  }

  /** Those who ask at the same time are told the same. */
  #once(path: string, families: () => Promise<readonly Family[]>): Promise<string> {
    const making =
      this.#making.get(path) ??
      families()
        .then(textOf)
        .finally(() => this.#making.delete(path));
    this.#making.set(path, making);
    return making;
  }

  /** Undefined when the database fails or is silent, which is told once. */
  async #asked(ask: (parts: MetricsParts) => Promise<readonly Family[]>): Promise<readonly Family[] | undefined> {
    if (this.#parts === undefined) return undefined;
    const patience = new AbortController();
    const asked = ask(this.#parts);
    // It may still fail when it is waited for no longer.
    asked.catch(() => {});
    const silence = pause(PATIENCE_MS, patience.signal).then(
      () => Promise.reject(new Error(`The database did not answer within ${PATIENCE_MS} ms.`)),
      () => [],
    );
    try {
      const families = await Promise.race([asked, silence]);
      this.#failing = false;
      return families;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ err: error }, 'metrics are told without what the tables say');
      this.#failing = true;
      return undefined;
    } finally {
      patience.abort();
    }
  }
}
