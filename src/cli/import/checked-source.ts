/** The Cinder that is checked: its database, opened for reading, and its configuration. */
import { readFileSync } from 'node:fs';
import { type CinderAddress, cinderAddress, connectionInConf, placeOf } from '../../import/cinder/cinder-address.ts';
import type { CinderDatabase } from '../../import/cinder/cinder-database.ts';
import type { CinderSession } from '../../import/cinder/cinder-session.ts';
import { connectCinder, openSession } from '../../import/cinder/open-cinder.ts';
import { defaultTypeNote, type FromCinderConf, fromCinderConf } from '../../import/conf/from-cinder-conf.ts';
import { OsloConf } from '../../import/conf/oslo-conf.ts';
import { type MapWorld, mapWorld } from '../../import/map/map-world.ts';
import { now, type Timestamp } from '../../lib/clock.ts';
import { Complaint, EXIT } from '../exit-codes.ts';
import type { SourceFlags } from './source-flags.ts';

export interface CheckedFlags extends Omit<SourceFlags, 'from'> {
  readonly from?: string;
  readonly cinderConf?: string;
}

export interface OpenedAs {
  /** For rows that do not say when they were made, and what has expired. Default: now. */
  readonly now?: Timestamp;
  /** Its transaction may change rows. */
  readonly toWrite?: boolean;
}

export interface CheckedSource {
  readonly cinder: CinderDatabase;
  readonly session: CinderSession;
  /** `db1:3306/cinder` */
  readonly place: string;
  readonly conf: FromCinderConf | undefined;
  readonly world: MapWorld;
  /** Nobody said what hosts are called here, so they are taken to be called the same. */
  readonly sameHosts: boolean;
}

/**
 * `sections` are `HOST@BACKEND` of the backends here. Rejects with a `Complaint` of exit code 2 for whatever cannot be read. The database is
 * to be closed.
 */
export async function openChecked(
  flags: CheckedFlags,
  sections: readonly string[],
  as: OpenedAs = {},
): Promise<CheckedSource> {
  const confText = flags.cinderConf === undefined ? undefined : textOf(flags.cinderConf);
  const conf =
    confText === undefined ? undefined : await inWords(() => fromCinderConf(confText, flags.cinderConf as string));
  const { address, password } = await inWords(() => accessOf(flags, confText));
  const access = { ...(password !== undefined && { password }), anyRevision: flags.anyRevision === true };
  const { toWrite = false } = as;
  const { cinder, session } = await inWords(() => openSession(address, { ...access, toWrite }));
  try {
    const sameHosts = sections.length === 0 && conf === undefined && flags.mapHost.length === 0;
    const places = sameHosts ? await inWords(() => cinder.places()) : [];
    const hosts = new Map([
      ...places.map(({ place }) => [place, place] as const),
      ...(conf?.hosts ?? []),
      ...sections.map((host) => [host, host] as const),
      ...flags.mapHost,
    ]);
    const settings = {
      hosts,
      adoptType: flags.adoptType ?? null,
      revive: flags.revive === true,
      missingAsError: flags.missingAsError === true,
      now: as.now ?? now(),
    };
    const world = await inWords(() => mapWorld(cinder, settings));
    if ('noType' in world)
      throw new Complaint(`--adopt-type ${world.noType}: Cinder has no type of that name or id.`, EXIT.usage);
    const note = conf && defaultTypeNote(conf.defaultVolumeType, world.types.values());
    const noted = conf && (note == null ? conf : { ...conf, notes: [...conf.notes, note] });
    return { cinder, session, place: placeOf(address), conf: noted, world, sameHosts };
  } catch (error) {
    await cinder.close();
    throw error;
  }
}

/** To write, of the database alone. Rejects with `CinderUnreadable` where it does not let the user in. */
export async function connectAs(flags: CheckedFlags): Promise<CinderSession> {
  const confText = flags.cinderConf === undefined ? undefined : textOf(flags.cinderConf);
  const { address, password } = await inWords(() => accessOf(flags, confText));
  return connectCinder(address, { ...(password !== undefined && { password }), toWrite: true });
}

function accessOf(flags: CheckedFlags, confText: string | undefined): { address: CinderAddress; password?: string } {
  const given =
    flags.passwordFile === undefined ? {} : { password: textOf(flags.passwordFile).split(/\r?\n/, 1)[0] ?? '' };
  if (flags.from !== undefined) return { address: cinderAddress(flags.from), ...given };
  const file = flags.cinderConf;
  const connection =
    confText === undefined ? undefined : new OsloConf(confText, file as string).value('database', 'connection');
  if (connection === undefined)
    throw new Complaint(
      file === undefined
        ? 'Which Cinder? --from names its database, --cinder-conf its configuration.'
        : `${file} does not say [database] connection; --from names the database.`,
      EXIT.usage,
    );
  return { ...connectionInConf(connection), ...given };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Complaint(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`, EXIT.usage);
  }
}

/** What cannot be read is no mistake of ours, and is told without a stack. */
export async function inWords<R>(does: () => R | Promise<R>): Promise<R> {
  try {
    return await does();
  } catch (error) {
    if (error instanceof Error && (error.name === 'CinderUnreadable' || error.name === 'OsloConfInvalid'))
      throw new Complaint(error.message, EXIT.usage, { cause: error });
    throw error;
  }
}
