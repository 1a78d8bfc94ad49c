/**
 * The check: everything that an import would do, but for writing. All living rows are judged in one snapshot of the database, and nothing is
 * kept of them but counts and what was found.
 */
import { hostOf, poolOf } from '../../model/backend.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { CinderTable } from '../cinder/cinder-tables.ts';
import { mappedHost } from '../map/host-map.ts';
import { mapStep } from '../map/map-cinder.ts';
import type { MapWorld } from '../map/map-world.ts';
import { MAP_STEPS, type MappedBatch } from '../map/mapped-batch.ts';
import type { ImportedTable, ImportFinding, ImportRefusal } from '../map/verdict.ts';
import { type ConfiguredBackend, ListedBackends } from './backend-names.ts';
import type { BackendLook, HostUse, ImportCheck, RowCount } from './check-report.ts';
import { CountedUsage } from './counted-usage.ts';
import { leftOut } from './left-out.ts';
import { seenDifferently } from './seen-differently.ts';

export interface CheckOptions {
  readonly backends: readonly ConfiguredBackend[];
  /** Whether snapshots count as gigabytes (`no_snapshot_gb_quota` turns it off). */
  readonly snapshotGigabytes: boolean;
  readonly signal: AbortSignal;
  /** Told after each batch, how many rows were judged. */
  judged?(rows: number): void;
}

/** Cinder's tables, and what their rows become. */
const COUNTED: readonly (readonly [CinderTable, ImportedTable])[] = [
  ['volume_types', 'volume_type'],
  ['group_types', 'group_type'],
  ['groups', 'volume_group'],
  ['volumes', 'volume'],
  ['volume_attachment', 'volume_attachment'],
  ['transfers', 'transfer'],
  ['snapshots', 'snapshot'],
  ['group_snapshots', 'group_snapshot'],
  ['backups', 'backup'],
  ['messages', 'message'],
  ['quotas', 'quota_limit'],
];

/** Told by host, of which there are few, and not by each of its volumes. */
const OF_HOSTS: ReadonlySet<string> = new Set(['host-unmapped', 'failed-over']);

/** Rejects with `CinderUnreadable`, or the signal's reason. */
export async function checkCinder(
  cinder: CinderDatabase,
  world: MapWorld,
  { backends, snapshotGigabytes, signal, judged }: CheckOptions,
): Promise<ImportCheck> {
  const listed = await ListedBackends.list(backends, world.settings.hosts, signal);
  const usage = new CountedUsage(world, snapshotGigabytes);
  const tally = new Tally();
  for (const step of MAP_STEPS)
    for await (const batch of mapStep(cinder, world, step, { onBackend: listed })) {
      signal.throwIfAborted();
      tally.take(batch);
      usage.count(batch.rows);
      judged?.(tally.rows);
    }
  const { findings, refusals, comeIn, oldAttachments } = tally;
  const rest = await leftOut(cinder, {
    volume_attachment: comeIn('volume_attachment'),
    transfers: comeIn('transfer'),
  });
  const looks = listed.looks();
  const hosts = await hostUses(cinder, world, looks);
  const places = await cinder.distinct('volumes', 'cluster_name');
  return {
    server: cinder.server,
    revision: cinder.revision,
    rows: await rowCounts(cinder, comeIn),
    hosts,
    atWork: {
      workers: await workersOf(cinder),
      rows: findings.filter(({ code }) => code === 'at-work').length,
      reservations: await cinder.count('reservations'),
    },
    findings: [...findings, ...rest.findings],
    refusals: [...refusals, ...rest.refusals],
    usage: await usage.differences(cinder),
    backends: looks,
    seenDifferently: seenDifferently({
      dialect: cinder.dialect,
      volumes: comeIn('volume'),
      oldAttachments,
      neverPlaced: tally.neverPlaced,
      transfers: comeIn('transfer'),
      messages: comeIn('message'),
      clustered: places.filter((place) => place !== null).length,
      renamed: hosts.flatMap(({ from, to }) => (to === null || to === from ? [] : [from])),
    }),
  };
}

/** What is kept of the batches. */
class Tally {
  readonly findings: ImportFinding[] = [];
  readonly refusals: ImportRefusal[] = [];
  rows = 0;
  oldAttachments = 0;
  neverPlaced = 0;
  readonly #comeIn = new Map<ImportedTable, number>();

  readonly comeIn = (table: ImportedTable): number => this.#comeIn.get(table) ?? 0;

  take({ rows, findings, refusals }: MappedBatch): void {
    for (const [table, all] of Object.entries(rows) as [ImportedTable, readonly unknown[]][]) {
      this.#comeIn.set(table, this.comeIn(table) + all.length);
      this.rows += all.length;
    }
    for (const { connection_info: info, attach_status: status } of rows.volume_attachment ?? [])
      if (info === null && status === 'attached') this.oldAttachments += 1;
    for (const { host } of rows.volume ?? []) if (host === null) this.neverPlaced += 1;
    this.findings.push(...findings);
    this.refusals.push(...refusals.filter(({ code }) => !OF_HOSTS.has(code)));
    this.rows += refusals.length;
  }
}

async function rowCounts(cinder: CinderDatabase, comeIn: (table: ImportedTable) => number): Promise<RowCount[]> {
  const counts: RowCount[] = [];
  for (const [table, ours] of COUNTED) counts.push({ table, there: await cinder.count(table), comeIn: comeIn(ours) });
  return counts;
}

async function hostUses(
  cinder: CinderDatabase,
  { settings, failedOver }: MapWorld,
  looks: readonly BackendLook[],
): Promise<HostUse[]> {
  const uses = (await cinder.places()).map(({ place, volumes }): HostUse => {
    const to = mappedHost(settings.hosts, place) ?? null;
    const problem = failedOver.has(hostOf(place)) ? 'failed-over' : to === null ? 'unmapped' : problemOf(to, looks);
    return { from: place, volumes, to, problem };
  });
  return uses.sort((a, b) => (a.from < b.from ? -1 : 1));
}

/** Of a place here, where the backends were looked at. */
function problemOf(to: string, looks: readonly BackendLook[]): HostUse['problem'] {
  if (looks.length === 0) return null;
  const look = looks.find(({ host }) => host === hostOf(to));
  if (look === undefined) return 'backend';
  return look.failure === null && !look.pools.includes(poolOf(to) ?? '') ? 'pool' : null;
}

/** But for the row that is no work. */
async function workersOf(cinder: CinderDatabase): Promise<number> {
  let workers = 0;
  for await (const rows of cinder.living('workers'))
    workers += rows.filter(({ resource_type }) => resource_type !== 'SENTINEL').length;
  return workers;
}
