/**
 * A request to the scheduler.
 *
 * Everything is already looked up: a hint that named volumes arrives as the pools of those volumes, a retry as the
 * places that were tried. So a decision depends on the request and the pools alone, and can be made again in a test.
 */
import { hostOf, type Pool } from '../model/backend.ts';
import type { Specs } from '../model/specs.ts';

export interface ScheduleRequest {
  /** GiB the pool has to find: the whole size of a new volume, the difference of an extend. */
  readonly sizeGiB: number;
  readonly volumeType?: { readonly name: string; readonly extraSpecs: Specs } | null;
  /** Any of these will do; empty or absent means any at all. */
  readonly availabilityZones?: readonly string[] | null;
  /** Hint `different_host`: the pools of the volumes it named. */
  readonly differentFrom?: ReadonlySet<string> | null;
  /** Hint `same_host`: the pools of the volumes it named. An empty set is a hint nobody can meet; absent is no hint. */
  readonly sameAs?: ReadonlySet<string> | null;
  /** Hosts or pools where an earlier attempt failed. */
  readonly attempted?: readonly string[];
  /** The one host or pool that will do, for a volume that must stay near its source, its group or itself. */
  readonly resourceBackend?: string | null;
  /** The pool that holds the volume's data already, so keeping it there needs no room (retype). Not for an extend. */
  readonly existingPool?: string | null;
}

/** Whether `place`, a host or a pool, is or contains this pool. */
export function contains(place: string, pool: Pool): boolean {
  return place === pool.name || place === hostOf(pool.name);
}

/** An extra spec of the request's volume type; one without a value says nothing. */
export function extraSpec(request: ScheduleRequest, key: string): string | undefined {
  const specs = request.volumeType?.extraSpecs;
  return specs !== undefined && Object.hasOwn(specs, key) ? (specs[key] ?? undefined) : undefined;
}
