/**
 * The way back: what has changed here since the import is written into the Cinder database that it came from, in one transaction that the
 * caller commits. What Cinder has and we do not know stays as it was.
 *
 * First what is new here, what others hang on before it; then each of Cinder's living rows is made a row of ours again, as an import would, and
 * where ours is another its changed fields are written; where ours is gone it is marked. So a second time writes nothing.
 */
import type { Database } from '../../db/database.ts';
import { allRowsOf, type ExportedRow, rowsAmong, rowsInBatches } from '../../db/exported-rows.ts';
import { now } from '../../lib/clock.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { CinderSession } from '../cinder/cinder-session.ts';
import { CINDER_TABLES, type CinderColumn, type CinderTable, type ColumnKind } from '../cinder/cinder-tables.ts';
import { mapStep } from '../map/map-cinder.ts';
import type { MapWorld } from '../map/map-world.ts';
import { MAP_STEPS, type MappedBatch, type MapStep } from '../map/mapped-batch.ts';
import { BackWriter, seconds } from './back-writer.ts';
import { hostsBack } from './hosts-back.ts';
import { MIRRORS, type Mirror, type Written } from './mirrors.ts';
import { writeQosSpecs } from './qos-back.ts';
import { writeAccess, writeLimits, writeServices } from './sets-back.ts';
import { writeUsage } from './usage-back.ts';

/** What Cinder cannot hold. */
export interface UnheldRow {
  readonly resource: string;
  readonly id: string;
  readonly saw: string;
  readonly next: string;
}

export interface WrittenBack {
  /** By Cinder's table. */
  readonly counts: Readonly<Record<string, number>>;
  readonly unheld: readonly UnheldRow[];
}

const BATCH = 500;

export async function writeBack(
  { cinder, session }: { readonly cinder: CinderDatabase; readonly session: CinderSession },
  world: MapWorld,
  db: Database,
): Promise<WrittenBack> {
  const back = new Back(cinder, new BackWriter(session, now()), world, db, await hostsBack(cinder, world));
  await back.write();
  return { counts: back.writer.counts, unheld: back.unheld };
}

class Back {
  readonly writer: BackWriter;
  readonly unheld: UnheldRow[] = [];
  readonly #cinder: CinderDatabase;
  readonly #world: MapWorld;
  readonly #db: Database;
  readonly #hosts: Awaited<ReturnType<typeof hostsBack>>;
  /** Volumes that wait for a transfer which Cinder could not accept. */
  readonly #offered = new Set<string>();

  constructor(
    cinder: CinderDatabase,
    writer: BackWriter,
    world: MapWorld,
    db: Database,
    hosts: Awaited<ReturnType<typeof hostsBack>>,
  ) {
    this.#cinder = cinder;
    this.writer = writer;
    this.#world = world;
    this.#db = db;
    this.#hosts = hosts;
  }

  async write(): Promise<void> {
    await this.#transfers();
    await writeQosSpecs(this.#cinder, this.writer, this.#db);
    for (const mirror of PARENTS_FIRST) await this.#writeNew(mirror);
    for (const step of CHILDREN_FIRST)
      for await (const batch of mapStep(this.#cinder, this.#world, step, { limit: BATCH }))
        await this.#writeChanged(step, batch);
    await writeUsage(this.#cinder, this.writer, this.#db);
  }

  /** Those that were made here: Cinder could not check their keys. */
  async #transfers(): Promise<void> {
    for (const row of await allRowsOf(this.#db.read, 'transfer')) {
      if (row.scheme === 'cinder') continue;
      this.#offered.add(String(row.volume_id));
      this.#unheld(
        'transfer',
        row.id,
        `of volume ${row.volume_id} has a key that Cinder cannot check`,
        'delete it, or let it be accepted',
      );
    }
  }

  async #writeNew(mirror: Mirror): Promise<void> {
    const { ours, theirs, key, columns, fresh, values } = mirror;
    for await (const rows of rowsInBatches(this.#db.read, ours, key, BATCH)) {
      const keys = rows.map((row) => String(row[key]));
      const column = key as CinderColumn<CinderTable>;
      const known = await this.#cinder.among(theirs, column, keys, { evenDeleted: true });
      const living = new Set((await this.#cinder.among(theirs, column, keys)).map((row) => keyOf(row, key)));
      const marked = new Set(known.map((row) => keyOf(row, key)).filter((each) => !living.has(each)));
      for (const row of rows) {
        const id = String(row[key]);
        if (living.has(id) || !this.#mayBeNew(mirror, row)) continue;
        const set = { ...fresh, ...this.#columnsOf(mirror, row, Object.keys(columns)) };
        if (marked.has(id)) await this.writer.revive(theirs, { [key]: id }, set);
        else await this.writer.insert(theirs, { [key]: id, ...set });
        for (const [field, { table, owner }] of Object.entries(values))
          await this.writer.values(table, { [owner]: id }, {}, objectOf(row[field]));
        if (ours === 'volume_group') await this.#groupTypes(id, [], listOf(row.volume_type_ids));
      }
    }
  }

  #mayBeNew({ ours }: Mirror, row: ExportedRow): boolean {
    switch (ours) {
      case 'backup':
        this.#unheld(
          'backup',
          row.id,
          `of volume ${row.volume_id} is in a format that Cinder cannot read`,
          'restore what is needed of it, and delete it',
        );
        return false;
      case 'volume_attachment':
        // A connection that nobody has attached has no row in Cinder.
        if (row.attach_status === 'detached') return false;
        if (row.connection_info !== null && JSON.parse(String(row.connection_info)).driver_volume_type !== 'rbd')
          this.#unheld(
            'attachment',
            row.id,
            `of volume ${row.volume_id} is exported by Pumice, and Cinder would not find that`,
            'detach the volume',
          );
        return true;
      case 'transfer':
        return false;
      default:
        return true;
    }
  }

  async #writeChanged(step: MapStep, batch: MappedBatch): Promise<void> {
    const { rows } = batch;
    for (const mirror of MIRRORS.filter((each) => each.step === step)) {
      const imported = (rows[mirror.ours] ?? []) as readonly ExportedRow[];
      const keys = imported.map((row) => String(row[mirror.key]));
      const kept = await rowsAmong(this.#db.read, mirror.ours, mirror.key, keys);
      const byKey = new Map(kept.map((row) => [String(row[mirror.key]), row]));
      for (const was of imported) {
        const is = byKey.get(String(was[mirror.key]));
        if (is === undefined) await this.#remove(mirror, was);
        else await this.#change(mirror, was, is);
      }
    }
    const sides = { cinder: this.#cinder, writer: this.writer, db: this.#db };
    if (step === 'types') await writeAccess(sides, rows);
    if (step === 'limits') await writeLimits(sides, rows);
    if (step === 'services') await writeServices(sides, rows);
  }

  async #change(mirror: Mirror, was: ExportedRow, is: ExportedRow): Promise<void> {
    const { theirs, key, columns, values, ours } = mirror;
    const changed = Object.keys(columns).filter((column) => !this.#isSame(mirror, column, was, is));
    if (changed.length > 0)
      await this.writer.update(theirs, { [key]: String(is[key]) }, this.#columnsOf(mirror, is, changed));
    for (const [field, { table, owner }] of Object.entries(values))
      await this.writer.values(table, { [owner]: String(is[key]) }, objectOf(was[field]), objectOf(is[field]));
    if (ours === 'volume_group')
      await this.#groupTypes(String(is.id), listOf(was.volume_type_ids), listOf(is.volume_type_ids));
  }

  async #remove({ theirs, key, gone, values }: Mirror, was: ExportedRow): Promise<void> {
    const id = String(was[key]);
    const also = Object.entries(gone).map(([column, value]) => [column, value === 'now' ? this.writer.now : value]);
    await this.writer.markGone(theirs, { [key]: id }, Object.fromEntries(also));
    for (const [field, { table, owner }] of Object.entries(values))
      await this.writer.values(table, { [owner]: id }, objectOf(was[field]), {});
  }

  #isSame(mirror: Mirror, column: string, was: ExportedRow, is: ExportedRow): boolean {
    const [before, after] = [was, is].map((row) => this.#fieldOf(mirror, column, row));
    return before === after;
  }

  /** What is written of a field, and compared by. */
  #fieldOf({ ours, theirs, columns }: Mirror, column: string, row: ExportedRow): Written {
    const value = row[column] ?? null;
    if (column === 'status' && ours === 'volume' && value === 'awaiting-transfer' && this.#offered.has(String(row.id)))
      return 'available';
    if (value === null) return null;
    if (column === 'connector') return sorted(JSON.parse(String(value)));
    if (column === 'connection_info') return sorted(flatConnection(row));
    const kind = (CINDER_TABLES[theirs].columns as Readonly<Record<string, ColumnKind>>)[columns[column] ?? ''];
    return kind?.startsWith('time') ? seconds(String(value)) : value;
  }

  #columnsOf(mirror: Mirror, row: ExportedRow, names: readonly string[]): Record<string, Written> {
    const { ours, columns } = mirror;
    const written: Record<string, Written> = {};
    for (const name of names) written[columns[name] ?? name] = this.#fieldOf(mirror, name, row);
    if (!names.includes('host') || (ours !== 'volume' && ours !== 'volume_group')) return written;
    const place = row.host === null ? null : this.#hosts.placeOf(String(row.host));
    if (place === undefined)
      this.#unheld(
        ours,
        row.id,
        `is on ${row.host}, which is no host of that Cinder`,
        'say with --map-host which it is, or migrate it',
      );
    else {
      written.host = place;
      written.cluster_name = place !== null && this.#hosts.isCluster(place) ? place : null;
      if (ours === 'volume') written.service_uuid = place === null ? null : this.#hosts.serviceOf(place);
    }
    return written;
  }

  async #groupTypes(groupId: string, was: readonly string[], is: readonly string[]): Promise<void> {
    for (const type of was)
      if (!is.includes(type))
        await this.writer.markGone('group_volume_type_mapping', { group_id: groupId, volume_type_id: type });
    for (const type of is)
      if (!was.includes(type))
        await this.writer.insert('group_volume_type_mapping', { group_id: groupId, volume_type_id: type });
  }

  #unheld(resource: string, id: unknown, saw: string, next: string): void {
    this.unheld.push({ resource, id: String(id), saw, next });
  }
}

/** A snapshot of what is gone would not be judged as it was. What is told to users is not brought back. */
const CHILDREN_FIRST = MAP_STEPS.filter((step) => step !== 'messages').toReversed();

/** In which what is new can be written: a snapshot hangs on the one of its group. */
const PARENTS_FIRST: readonly Mirror[] = MIRRORS.toSorted(
  (a, b) => Number(a.ours === 'snapshot') - Number(b.ours === 'snapshot'),
);

const keyOf = (row: object, key: string): string => String((row as Readonly<Record<string, unknown>>)[key]);

const objectOf = (text: unknown): Readonly<Record<string, string>> =>
  text === null || text === undefined ? {} : JSON.parse(String(text));

const listOf = (text: unknown): readonly string[] => JSON.parse(String(text ?? '[]'));

/** As Cinder keeps it: what the driver said, and beside it which driver and which attachment. */
function flatConnection(row: ExportedRow): object {
  const { driver_volume_type, data } = JSON.parse(String(row.connection_info));
  const secret = data?.auth_method === 'CHAP' ? { auth_password: String(row.secret) } : {};
  return { ...data, ...secret, driver_volume_type, attachment_id: String(row.id) };
}

/** The same object is the same text, whatever the order of its keys. */
const sorted = (value: object): string =>
  JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));
