/**
 * A site whose flows run: what a command meets, without the door. For tests of behaviour; proofs have an engine of their
 * own that dies on demand.
 */
import type { TestContext } from 'node:test';
import type { Desk } from '../../src/commands/desk.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { findGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { findGroup } from '../../src/db/groups.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { findSnapshot, listSnapshots } from '../../src/db/snapshots.ts';
import { processName } from '../../src/db/sql/ownership.ts';
import type { Tx } from '../../src/db/sql/tx.ts';
import { getVolume, listVolumes } from '../../src/db/volumes.ts';
import { Engine, type EngineOptions } from '../../src/engine/engine.ts';
import type { EngineEvent } from '../../src/engine/events.ts';
import type { FlowRow } from '../../src/engine/journal.ts';
import type { Step } from '../../src/engine/step.ts';
import { FLOWS } from '../../src/flows/registry.ts';
import type { Tools } from '../../src/flows/tools.ts';
import { pause } from '../../src/lib/clock.ts';
import type { Group } from '../../src/model/group.ts';
import type { GroupSnapshot } from '../../src/model/group-snapshot.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import type { Volume } from '../../src/model/volume.ts';
import { freshSqlite } from '../databases.ts';
import { BACKENDS, Site, type SiteOptions } from './site.ts';

const DEADLINE_MS = 60_000;

export class LiveSite {
  readonly site: Site;
  #engine: Engine<Tools, Tx>;
  readonly journal: DatabaseJournal;
  readonly events: EngineEvent[] = [];
  readonly #looks = new Set<(event: EngineEvent) => void>();

  readonly #engineOptions: LiveSiteOptions['engine'];

  constructor(site: Site, engineOptions: LiveSiteOptions['engine']) {
    this.site = site;
    this.#engineOptions = engineOptions;
    this.journal = new DatabaseJournal(site.database);
    this.#engine = this.#newEngine();
  }

  #newEngine(): Engine<Tools, Tx> {
    return new Engine<Tools, Tx>({
      journal: this.journal,
      tools: this.site.tools,
      flows: FLOWS,
      pollMs: 10,
      ...this.#engineOptions,
      revertRetry: { tries: 2, when: () => true, backoffMs: 1 },
      listen: (event) => {
        this.events.push(event);
        for (const look of this.#looks) look(event);
      },
    });
  }

  get engine(): Engine<Tools, Tx> {
    return this.#engine;
  }

  get database(): Database {
    return this.site.database;
  }

  get desk(): Desk {
    return this.site.desk(this.engine);
  }

  async start(): Promise<void> {
    await this.database.ownership.take(processName(this.engine.process));
    await this.engine.start(BACKENDS.map((backend) => `host:${this.site.host(backend)}`));
  }

  /** The process ends, with its flows where they stand, and another one begins. */
  async restart(): Promise<void> {
    await this.engine.stop();
    await this.database.ownership.release(processName(this.engine.process));
    this.#engine = this.#newEngine();
    await this.start();
  }

  async close(): Promise<void> {
    await this.engine.stop();
    this.site.close();
  }

  /** Resolves when there has been an event that is as wanted. */
  async heard(wanted: (event: EngineEvent) => boolean): Promise<void> {
    if (this.events.some(wanted)) return;
    let look = (_event: EngineEvent): void => {};
    const heard = new Promise<void>((resolve) => {
      look = (event) => {
        if (wanted(event)) resolve();
      };
      this.#looks.add(look);
    });
    const late = pause(DEADLINE_MS, new AbortController().signal).then(() => {
      throw new Error('It was never heard.');
    });
    await Promise.race([heard, late]).finally(() => this.#looks.delete(look));
  }

  /** The newest flow of a volume or a snapshot. */
  async flowOf(resource: string): Promise<FlowRow> {
    const [flow] = await this.journal.list({ resource, limit: 1 });
    if (flow === undefined) throw new Error(`No flow works on ${resource}.`);
    return flow;
  }

  /** That flow when it has ended or is stuck. */
  async settled(resource: string): Promise<FlowRow> {
    const { id } = await this.flowOf(resource);
    return this.engine.settled(id, AbortSignal.timeout(DEADLINE_MS));
  }

  async steps(resource: string): Promise<readonly Step[]> {
    return this.journal.steps((await this.flowOf(resource)).id);
  }

  /** The volume when its flow has ended. */
  async settledVolume({ id }: { readonly id: string }): Promise<Volume> {
    await this.settled(`volume:${id}`);
    return getVolume(this.database.read, id);
  }

  /** The snapshot when its flow has ended; undefined when it is gone. */
  async settledSnapshot({ id }: { readonly id: string }): Promise<Snapshot | undefined> {
    await this.settled(`snapshot:${id}`);
    return findSnapshot(this.database.read, id);
  }

  /** The group when its flow has ended; undefined when it is gone. */
  async settledGroup({ id }: { readonly id: string }): Promise<Group | undefined> {
    await this.settled(`group:${id}`);
    return findGroup(this.database.read, id);
  }

  /** The group snapshot when its flow has ended; undefined when it is gone. */
  async settledGroupSnapshot({ id }: { readonly id: string }): Promise<GroupSnapshot | undefined> {
    await this.settled(`group_snapshot:${id}`);
    return findGroupSnapshot(this.database.read, id);
  }

  volumes(): Promise<readonly Volume[]> {
    return listVolumes(this.database, {});
  }

  snapshots(): Promise<readonly Snapshot[]> {
    return listSnapshots(this.database, {});
  }
}

export interface LiveSiteOptions extends SiteOptions {
  /** False: flows are begun and wait, so that what a command has written stays as it was written. */
  readonly running?: boolean;
  readonly engine?: Pick<EngineOptions<Tools, Tx>, 'concurrency' | 'doingIntervalMs'>;
}

/** On a database of the caller's, who closes first this and then that. */
export async function liveSiteOn(
  database: Database,
  { running = true, engine = {}, ...options }: LiveSiteOptions = {},
): Promise<LiveSite> {
  const live = new LiveSite(await Site.open(database, options), engine);
  if (running) await live.start();
  return live;
}

/** Closed when the test ends. */
export async function liveSite(context: TestContext, options: LiveSiteOptions = {}): Promise<LiveSite> {
  const fresh = await freshSqlite();
  const database = await openDatabase(fresh.url, { as: 'server' });
  const live = await liveSiteOn(database, options);
  context.after(async () => {
    await live.close();
    await database.close();
    await fresh.remove();
  });
  return live;
}
