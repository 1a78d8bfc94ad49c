/**
 * `OS-SCH-HNT:scheduler_hints` of a create request: the shape, before anybody looks a volume up.
 *
 * `different_host` and `same_host` name volumes, one or a list. `local_to_instance` and `query` are checked as Cinder
 * checks them, but no filter reads them here. Other keys are let through unread, as Cinder does.
 */
import { InvalidInput } from '../model/errors.ts';

export interface SchedulerHints {
  /** Ids of volumes whose pools are not wanted. Empty: no such hint. */
  readonly differentHost: readonly string[];
  /** Ids of volumes of whose pools one is wanted. Empty: no such hint. */
  readonly sameHost: readonly string[];
}

/** Throws `InvalidInput`, which names the hint that is wrong. */
export function readHints(hints: unknown): SchedulerHints {
  if (hints === undefined || hints === null) return { differentHost: [], sameHost: [] };
  if (!isObject(hints)) throw new InvalidInput('Scheduler hints must be an object.');
  const { different_host, same_host, local_to_instance, query } = hints;
  if (local_to_instance !== undefined && local_to_instance !== null && !isUuid(local_to_instance)) {
    throw new InvalidInput('Scheduler hint local_to_instance must be the id of an instance.');
  }
  if (query !== undefined && typeof query !== 'string' && !isObject(query)) {
    throw new InvalidInput('Scheduler hint query must be a string or an object.');
  }
  return { differentHost: volumeIds('different_host', different_host), sameHost: volumeIds('same_host', same_host) };
}

function volumeIds(hint: string, value: unknown): readonly string[] {
  if (value === undefined) return [];
  const ids: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!ids.every(isUuid)) throw new InvalidInput(`Scheduler hint ${hint} must be the id of a volume or a list of ids.`);
  if (new Set(ids).size < ids.length) throw new InvalidInput(`Scheduler hint ${hint} names a volume twice.`);
  return ids;
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
