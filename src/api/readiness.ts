/**
 * Whether this process can do what it is asked: its database answers and takes writes, and some backend of the site can be used.
 *
 * Cinder's `/healthcheck` (oslo.middleware) says that the process lives, and by no means that a request will work. Here 200 is a
 * promise that one should: a load balancer that asks sends no client to a process that could only refuse.
 */
import type { Desk } from '../commands/desk.ts';
import { VOLUME_BINARY } from '../db/pools.ts';
import { isUsable, listServices, type Service } from '../db/services.ts';
import { fromNow, pause } from '../lib/clock.ts';

export interface Readiness {
  /** In words for anybody: no name of a host, no text of an error. Empty when it is ready. */
  readonly reasons: readonly string[];
  /** Null when the database does not answer. */
  readonly services: readonly ServiceHealth[] | null;
}

export interface ServiceHealth extends Pick<Service, 'host' | 'binary' | 'failure' | 'updatedAt'> {
  readonly isUp: boolean;
}

/** Who asks whether a service is well waits for no answer that comes later. */
const PATIENCE_MS = 2_000;

const SILENT = 'The database does not answer.';
const READ_ONLY = 'The database has taken no sign of life of this process for long.';
const NO_BACKEND = 'No backend can be used.';

/** `patienceMs`: how long the database may take. Never rejects. */
export async function readinessOf(desk: Desk, patienceMs = PATIENCE_MS): Promise<Readiness> {
  const services = await inTime(servicesOf(desk), patienceMs).catch(() => null);
  if (services === null) return { reasons: [SILENT], services };
  const ours = services.filter(({ host, binary }) => host === desk.config.node_name && binary !== VOLUME_BINARY);
  const backends = services.filter(({ binary }) => binary === VOLUME_BINARY);
  const reasons = [
    ...(ours.some(({ isUp }) => !isUp) ? [READ_ONLY] : []),
    ...(backends.length > 0 && backends.every(({ isUp }) => !isUp) ? [NO_BACKEND] : []),
  ];
  return { reasons, services };
}

async function servicesOf({ db, tools }: Desk): Promise<readonly ServiceHealth[]> {
  await db.reader.query('SELECT 1');
  const alive = fromNow(-tools.serviceDownSeconds * 1000);
  return (await listServices(db.read)).map(({ host, binary, failure, updatedAt }) => ({
    ...{ host, binary, failure, updatedAt },
    isUp: isUsable({ failure, updatedAt }, alive),
  }));
}

async function inTime<T>(asked: Promise<T>, ms: number): Promise<T> {
  const over = new AbortController();
  const late = pause(ms, over.signal).then(() => {
    throw new Error(SILENT);
  });
  // Whichever comes second is heard by nobody.
  late.catch(() => {});
  asked.catch(() => {});
  try {
    return await Promise.race([asked, late]);
  } finally {
    over.abort();
  }
}
