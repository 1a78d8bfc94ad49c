/**
 * Check: the rows and the backends agree.
 *
 * An object with a name of ours and no row (an orphan) is told of, and never deleted: only its owner knows whether it can go. One
 * that was given back on purpose under such a name (`unmanage`) is no fault, and noted.
 *
 * What is kept of volumes for their next backups is known by its rows, and a row without it costs the next backup some time.
 * Cached images are nobody's: one that no row knows takes room for nothing, and a row without one is made good by the next volume of it.
 */
import { allBases, forgetBase } from '../../db/backup-bases.ts';
import { cachedImages, forgetCachedImage } from '../../db/image-cache.ts';
import type { Db } from '../../db/sql/db.ts';
import { resourcesInWork } from '../../db/unended-flows.ts';
import type { BackendObject, ObjectKind, ObjectName, VolumeDriver } from '../../drivers/driver.ts';
import { clockTime } from '../../lib/times.ts';
import { hostOf } from '../../model/backend.ts';
import { DriverNotInitialized } from '../../model/errors.ts';
import { SNAPSHOT_TRANSITIONS, VOLUME_TRANSITIONS } from '../../model/status.ts';
import { DOWN, type DoctorCheck, type Finding, type Patient } from './check.ts';

export const backends: DoctorCheck = {
  name: 'backends',
  wellSaid: 'backends hold what the rows say, and nothing else under names of ours',
  examine: async ({ db, backends: all, signal }: Patient) => {
    const findings: Finding[] = [];
    for (const { host, driver } of all) {
      if (driver instanceof Error) findings.push(down(host, driver));
      else
        try {
          findings.push(...(await examineBackend(db.read, host, driver, signal)));
        } catch (error) {
          // It fell silent meanwhile.
          if (!(error instanceof DriverNotInitialized)) throw error;
          findings.push(down(host, error));
        }
    }
    return findings;
  },
};

const down = (host: string, { message }: Error): Finding => ({
  key: `down ${host}`,
  about: host,
  says: `cannot be used: ${message}`,
  advice: DOWN,
});

/** A row as the backend should know it. */
interface Expected {
  readonly object: ObjectName;
  readonly host: string | null;
  readonly status: string;
}

const nameOf = (kind: ObjectKind, id: string): string => `${kind}:${id}`;
const resourceOf = ({ object: { kind, id } }: Expected): string => nameOf(kind, id);
/** The id in its name on the backend. */
const idInName = (object: ObjectName): string => (object.kind === 'volume' ? (object.nameId ?? object.id) : object.id);

async function examineBackend(db: Db, host: string, driver: VolumeDriver, signal: AbortSignal): Promise<Finding[]> {
  // Before the rows: an object that comes later is not missed, one that goes is seen by the second look.
  const objects = new Map((await driver.list(signal)).flatMap((object) => named(object)));
  const rows = new Map((await expectedRows(db)).map((row) => [nameOf(row.object.kind, idInName(row.object)), row]));
  const busy = await resourcesInWork(db);
  const pool = `${host}#${(await driver.stats(signal))[0]?.pool_name}`;
  const findings: Finding[] = [];
  for (const [name, object] of objects) {
    const row = rows.get(name);
    // Without a row here it is another backend's, or somebody else's.
    if (object.unservable !== undefined && (row?.host == null || hostOf(row.host) !== host)) continue;
    if (busy.has(row === undefined ? name : resourceOf(row))) continue;
    if (object.owner?.kind === 'image') {
      // Whoever makes one gives it a row when it is made.
      if (row === undefined && busy.size === 0) findings.push(uselessImage(host, object));
    } else if (row === undefined)
      findings.push(object.unmanagedAt === null ? orphan(pool, object) : unmanaged(pool, object));
    else if (row.host === null || hostOf(row.host) !== host)
      findings.push(stray(host, object, `${resourceOf(row)} is ${row.host === null ? 'nowhere' : `on ${row.host}`}`));
    else if (object.unservable !== undefined) findings.push(unservable(row, host, object));
  }
  for (const [name, row] of rows) {
    if (row.host === null || hostOf(row.host) !== host || objects.has(name)) continue;
    if (inDoubt.has(row.status) || busy.has(resourceOf(row))) continue;
    const found = await driver.probe(row.object, signal);
    if (found.is !== 'present') findings.push(LOST[row.object.kind](row, host));
  }
  return findings;
}

const named = (object: BackendObject): (readonly [string, BackendObject])[] =>
  object.owner === null ? [] : [[nameOf(object.owner.kind, object.owner.id), object]];

const orphan = (pool: string, object: BackendObject): Finding =>
  object.owner?.kind === 'backup'
    ? stray(hostOf(pool), object, 'the backup that was made from it has ended')
    : unknown(pool, object);

const unknown = (pool: string, object: BackendObject): Finding => ({
  ...stray(hostOf(pool), object, 'no row knows it'),
  advice: `Pumice never deletes it. If it is wanted, name it anew there (mv ${object.name} found-${object.name}), then: ${manage(pool, object, `found-${object.name}`)}`,
});

/** Of a row that is elsewhere. */
const stray = (host: string, { name, bytes, owner }: BackendObject, why: string): Finding => ({
  key: `orphan ${host} ${name}`,
  about: host,
  says: `${name} (${bytes} bytes) lies here, and ${why}`,
  advice:
    owner?.kind === 'backup'
      ? `nothing needs it: remove it (rm ${name})`
      : `Pumice never deletes it: compare it with the other, then remove it (rm ${name})`,
});

const unmanaged = (pool: string, object: BackendObject): Finding => ({
  key: `unmanaged ${pool} ${object.name}`,
  about: hostOf(pool),
  says: `${object.name} (${object.bytes} bytes) lies here, unmanaged since ${clockTime(object.unmanagedAt ?? '').slice(0, 16)} UTC`,
  advice: `${manage(pool, object, object.name)} takes it back`,
  isNote: true,
});

const manage = (pool: string, { owner }: BackendObject, name: string): string =>
  owner?.kind === 'snapshot' ? `cinder snapshot-manage VOLUME ${name}` : `cinder manage ${pool} ${name}`;

const missing = ({ object: { kind, id }, status }: Expected, host: string): Finding => ({
  key: `missing ${kind} ${id}`,
  about: nameOf(kind, id),
  says: `is ${status}, and is not on ${host}`,
  advice: `bring its file back, or: openstack volume ${kind === 'snapshot' ? 'snapshot ' : ''}delete ${id}`,
});

const unservable = ({ object: { kind, id }, status }: Expected, host: string, object: BackendObject): Finding => ({
  key: `unservable ${kind} ${id}`,
  about: nameOf(kind, id),
  says: `is ${status}, and its ${object.name} on ${host} ${object.unservable}`,
  advice: `nothing can be done with it until its bytes (${object.bytes}) are there under that name: copy them, and give the copy the name`,
});

const uselessImage = (host: string, { name, bytes }: BackendObject): Finding => ({
  key: `orphan ${host} ${name}`,
  about: host,
  says: `${name} (${bytes} bytes) lies here, a cached image that no row knows`,
  advice: `nothing needs it (rm ${name})`,
});

const lostBase = ({ object: { id } }: Expected): Finding => ({
  key: `missing base ${id}`,
  about: `backup:${id}`,
  says: 'is to have left what it was made from for the next backup, and that is not there',
  remedy: {
    says: 'its row is dropped',
    apply: async (tx) => {
      const isThere = (await allBases(tx.db)).some(({ backupId, givenUp }) => backupId === id && !givenUp);
      if (isThere) await forgetBase(tx, id);
      return isThere;
    },
  },
});

const lostImage = ({ object: { id }, host: pool }: Expected): Finding => ({
  key: `missing image ${id}`,
  about: `image:${id}`,
  says: `is in the cache of ${pool}, and is not there`,
  remedy: {
    says: 'its row is dropped',
    apply: async (tx) => {
      const lost = (await cachedImages(tx.db)).find((each) => each.pool === pool && each.id === id && !each.evictedAt);
      if (lost !== undefined) await forgetCachedImage(tx, lost);
      return lost !== undefined;
    },
  },
});

const LOST: Readonly<Record<ObjectKind, (row: Expected, host: string) => Finding>> = {
  volume: missing,
  snapshot: missing,
  image: lostImage,
  backup: lostBase,
};

/** Statuses of a row whose object may be there or not: an operation makes it or removes it, or failed to. */
const inDoubt: ReadonlySet<string> = new Set([
  ...[...Object.values(VOLUME_TRANSITIONS), ...Object.values(SNAPSHOT_TRANSITIONS)]
    .filter(({ from, success }) => from.length === 0 || success === 'gone')
    .flatMap(({ during, failure }): readonly string[] => [...during, failure]),
  // Cinder's, of rows on their way out. No operation here sets them.
  'error_managing_deleting',
  'deleted',
]);

async function expectedRows(db: Db): Promise<Expected[]> {
  const volumes = await db.selectFrom('volume').select(['id', 'name_id', 'host', 'status']).execute();
  const snapshots = await db
    .selectFrom('snapshot')
    .innerJoin('volume', 'volume.id', 'snapshot.volume_id')
    .select(['snapshot.id', 'volume.host', 'snapshot.status', 'volume.id as volume_id', 'volume.name_id'])
    .execute();
  // One that was evicted goes: object and row, one after the other.
  const images = (await cachedImages(db)).map(({ id, pool, evictedAt }): Expected => {
    return { object: { kind: 'image', id }, host: pool, status: evictedAt === null ? 'cached' : 'deleting' };
  });
  const bases = (await allBases(db)).map(({ backupId: id, volume, pool, givenUp }): Expected => {
    return { object: { kind: 'backup', id, volume }, host: pool, status: givenUp ? 'deleting' : 'kept' };
  });
  return [
    ...images,
    ...bases,
    ...volumes.map(
      ({ id, name_id: nameId, host, status }): Expected => ({ object: { kind: 'volume', id, nameId }, host, status }),
    ),
    ...snapshots.map(
      ({ id, volume_id: volumeId, name_id: volumeNameId, host, status }): Expected => ({
        object: { kind: 'snapshot', id, volumeId, volumeNameId },
        host,
        status,
      }),
    ),
  ];
}
