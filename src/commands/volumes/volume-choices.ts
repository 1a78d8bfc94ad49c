/** Defaults of a create: the volume type and the availability zone, where the request leaves them open. */
import { findDefaultType } from '../../db/default-types.ts';
import { VOLUME_BINARY } from '../../db/pools.ts';
import { listServices } from '../../db/services.ts';
import type { Db } from '../../db/sql/db.ts';
import {
  defaultVolumeType,
  findVolumeType,
  findVolumeTypeByName,
  getVolumeType,
  mayUseVolumeType,
} from '../../db/volume-types.ts';
import type { Config } from '../../lib/config/config.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput, VolumeTypeNotFound } from '../../model/errors.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import type { Source } from './volume-source.ts';

type Naming = Pick<Config, 'ignore_case'>;

/** By id or name. A private type the caller has no access to is not found. */
export async function typeFor(
  db: Db,
  caller: Caller,
  requested: string,
  { ignore_case: ignoreCase }: Naming,
): Promise<VolumeType> {
  const type = (await findVolumeType(db, requested)) ?? (await findVolumeTypeByName(db, requested, { ignoreCase }));
  if (type === undefined) throw new VolumeTypeNotFound(requested);
  if (!caller.isAdmin && !(await mayUseVolumeType(db, type, caller.projectId))) throw new VolumeTypeNotFound(requested);
  return type;
}

/** What was asked for, else the source's, else what the image says, else the default. */
export async function chooseType(
  db: Db,
  caller: Caller,
  requested: string | null,
  source: Source,
  config: Config,
): Promise<VolumeType> {
  if (requested !== null) return typeFor(db, caller, requested, config);
  if (source.is === 'snapshot') return getVolumeType(db, source.snapshot.volumeTypeId);
  if (source.is === 'volume') return getVolumeType(db, source.origin.volumeTypeId);
  const ofImage = source.is === 'image' ? source.image.properties.cinder_img_volume_type : undefined;
  // An empty one says nothing.
  if (ofImage) return typeFor(db, caller, ofImage, config);
  return defaultTypeFor(db, caller.projectId, config);
}

/** The project's own default, else the site's. */
export async function defaultTypeFor(db: Db, projectId: string, config: Config): Promise<VolumeType> {
  const own = await findDefaultType(db, projectId);
  if (own !== undefined) return getVolumeType(db, own.volumeTypeId);
  const ofSite = await findVolumeTypeByName(db, config.default_volume_type, { ignoreCase: config.ignore_case });
  return ofSite ?? defaultVolumeType(db);
}

/** `provisioning:min_vol_size` and `max_vol_size`, GiB. */
export function checkSizeForType(sizeGiB: number, { name, extraSpecs }: VolumeType): void {
  const least = Number(extraSpecs['provisioning:min_vol_size'] ?? 0);
  const most = Number(extraSpecs['provisioning:max_vol_size'] ?? Number.POSITIVE_INFINITY);
  if (sizeGiB < least || sizeGiB > most)
    throw new InvalidInput(`Volumes of type ${name} have ${least} to ${most} GiB, not ${sizeGiB}.`);
}

/** The zones any of which will do. */
export async function chooseZones(
  db: Db,
  requested: string | null,
  source: Source,
  type: VolumeType,
  config: Config,
): Promise<{ readonly zone: string | null; readonly zones: readonly string[] }> {
  const services = await listServices(db, { binary: VOLUME_BINARY });
  const known = new Set(services.filter(({ disabled }) => !disabled).map(({ availabilityZone }) => availabilityZone));
  const ofType = type.extraSpecs['RESKEY:availability_zones']
    ?.split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  const ofSource = source.is === 'snapshot' || source.is === 'volume' ? source.origin.availabilityZone : null;
  if (requested !== null && ofSource !== null && requested !== ofSource) {
    throw new InvalidInput(`A copy is made in the availability zone of its source, ${ofSource}, not in ${requested}.`);
  }
  const zone = requested ?? ofSource ?? (ofType === undefined ? config.default_availability_zone : null);
  if (zone === null || ofType?.includes(zone) === false) {
    const usable = ofType?.filter((each) => known.has(each)) ?? [];
    if (zone !== null || usable.length === 0)
      throw new InvalidInput(`Volumes of type ${type.name} are made in ${ofType?.join(', ')} only.`);
    return { zone: usable.length === 1 ? (usable[0] ?? null) : null, zones: usable };
  }
  if (known.has(zone)) return { zone, zones: [zone] };
  // Before the first backend has reported nothing is known, and the flow will say what is missing.
  if (requested === null && known.size === 0) return { zone, zones: [zone] };
  const fallback = config.default_availability_zone;
  if (config.allow_availability_zone_fallback && known.has(fallback)) return { zone: fallback, zones: [fallback] };
  throw new InvalidInput(`Availability zone '${zone}' is invalid.`);
}
