/** The database that is filled: nobody serves it, and it holds nothing but what was imported from the same Cinder. */
import { type Database, openDatabase } from '../../db/database.ts';
import { type ImportProgress, ownRows } from '../../db/import-progress.ts';
import { EVENTS_LEADER } from '../../db/outbox.ts';
import type { CinderDatabase } from '../../import/cinder/cinder-database.ts';
import type { Config } from '../../lib/config/config.ts';
import { hostOfSection } from '../../lib/config/config-rules.ts';
import { Complaint } from '../exit-codes.ts';
import type { OpenedAs } from './checked-source.ts';

/**
 * Made, and brought forward, where it is not there. `bulk`: the whole of it is written, and could be again. On SQLite rejects with `DatabaseInUse`
 * while a server runs.
 */
export async function openTarget(config: Config, { bulk = false } = {}): Promise<Database> {
  const db = await openDatabase(config.database.url, { as: 'server', bulk });
  if (await db.ownership.take(EVENTS_LEADER)) return db;
  await db.close();
  throw new Complaint('A server runs on this database: stop it first, a rehearsal too.');
}

/** Rejects with a `Complaint` when it holds anything but what was imported from there (`before`). */
export async function refuseOthers(db: Database, before: ImportProgress | undefined, source: string): Promise<void> {
  if (before === undefined) {
    const tables = await ownRows(db.read);
    if (tables.length > 0)
      throw new Complaint(
        `The database has rows of its own (${tables.join(', ')}): a Cinder is imported into an empty one. Nothing was changed.`,
      );
  } else if (before.turnedAt !== null)
    throw new Complaint(
      `The database was filled from ${before.source} and has been served since ${before.turnedAt}: what is here would be lost. Import into an empty one.`,
    );
  else if (before.source !== source)
    throw new Complaint(`The database is filled from ${before.source}, not from ${source}: import into another one.`);
}

/** What an import is known by: no user, no password. */
export const sourceOf = ({ dialect }: Pick<CinderDatabase, 'dialect'>, place: string): string =>
  `${dialect}://${place}`;

/** Each run judges rows by the moment when the first began, so that each comes to the same. */
export const since = (before: ImportProgress | undefined): OpenedAs => (before ? { now: before.beganAt } : {});

/** `HOST@BACKEND` of the backends that are served with this configuration. */
export const hostsIn = (config: Config): readonly string[] =>
  config.enabled_backends.map((name) => hostOfSection(config, name));
