/**
 * `POST workers/cleanup`: interrupted flows go on at once.
 *
 * Nothing needs this to be finished. The owner of a host takes up its flows by itself, and looks at the queue every
 * second; here it looks at once, in every process, and a revert that had given up (*stuck*) is tried again. A service that is
 * down has no process to do it: its flows wait for its next life.
 */
import { DatabaseJournal, FLOWS_CHANNEL } from '../../db/journal.ts';
import { VOLUME_BINARY } from '../../db/pools.ts';
import { listServices, type Service } from '../../db/services.ts';
import { FIRST_LANE } from '../../engine/cursor.ts';
import type { FlowRow } from '../../engine/journal.ts';
import { fromNow, type Timestamp } from '../../lib/clock.ts';
import { laneOfHost } from '../../model/backend.ts';
import type { Desk } from '../desk.ts';

/** Null: any. */
export interface CleanupRequest {
  readonly clusterName: string | null;
  /** Its uuid. */
  readonly serviceId: string | null;
  /** Of a service, or its node. */
  readonly host: string | null;
  readonly binary: string | null;
  readonly isUp: boolean | null;
  readonly disabled: boolean | null;
  readonly resourceType: 'volume' | 'snapshot' | null;
  readonly resourceId: string | null;
  /** What was begun later is left alone. */
  readonly until: Timestamp | null;
}

export interface Cleanup {
  readonly cleaning: readonly Service[];
  readonly unavailable: readonly Service[];
}

export async function cleanUp(desk: Desk, request: CleanupRequest): Promise<Cleanup> {
  const { db, engine, tools } = desk;
  const flows = await interrupted(desk, request);
  const alive = fromNow(-tools.serviceDownSeconds * 1000);
  const isUp = (service: Service): boolean => service.updatedAt > alive;
  const ofResource = request.resourceType !== null || request.resourceId !== null;
  const services = (await listServices(db.read)).filter(
    (service) =>
      isWanted(service, request) &&
      (request.isUp === null || isUp(service) === request.isUp) &&
      (!ofResource || flows.some(({ lane }) => lane === laneOf(service))),
  );
  const cleaning = services.filter(isUp);
  const lanes = new Set(cleaning.map(laneOf));
  for (const { id, lane, state } of flows) {
    if (state === 'stuck' && lanes.has(lane)) await engine.wish(id, 'resume', 'asked for by a clean-up of workers');
  }
  if (cleaning.length > 0) db.ownership.notify(FLOWS_CHANNEL);
  return { cleaning, unavailable: services.filter((service) => !isUp(service)) };
}

function isWanted(service: Service, { clusterName, serviceId, host, binary, disabled }: CleanupRequest): boolean {
  return (
    // No service here is in a cluster.
    clusterName === null &&
    (serviceId === null || service.uuid === serviceId) &&
    (host === null || service.host === host || service.host.startsWith(`${host}@`)) &&
    (binary === null || service.binary === binary) &&
    (disabled === null || service.disabled === disabled)
  );
}

const laneOf = ({ host, binary }: Service): string => (binary === VOLUME_BINARY ? laneOfHost(host) : FIRST_LANE);

async function interrupted(
  { db }: Desk,
  { resourceType, resourceId, until }: CleanupRequest,
): Promise<readonly FlowRow[]> {
  const flows = await new DatabaseJournal(db).list({ unended: true });
  return flows.filter(({ resource, createdAt }) => {
    const [type, id] = resource.split(':');
    return (
      (until === null || createdAt <= until) &&
      (resourceType === null || type === resourceType) &&
      (resourceId === null || id === resourceId)
    );
  });
}
