/**
 * `os-services/set-log` and `get-log`: the level of this process' log while it runs.
 *
 * All the services of a process share one log, so the level is the process'. Another process, on another node, is asked at its own
 * door; that a request here changes nothing there is said rather than passed over.
 */

import { VOLUME_BINARY } from '../../db/pools.ts';
import { listServices } from '../../db/services.ts';
import { hostOfSection } from '../../lib/config/config-rules.ts';
import { setLogLevel } from '../../lib/logging.ts';
import { InvalidInput } from '../../model/errors.ts';
import { type LogLevel, ourLevel, theirLevel } from '../../model/log-level.ts';
import type { Desk } from '../desk.ts';

export interface LoggingService {
  readonly binary: string;
  readonly host: string;
}

/** Null: any. */
export interface WantedLogs {
  readonly binary: string | null;
  /** The host of a service, or its node. */
  readonly server: string | null;
  /** The beginning of a logger's name. */
  readonly prefix: string | null;
}

/** What this process' log is called; clients that ask for Cinder's mean it, too. */
export const LOGGER = 'pumice';
const CALLED = [LOGGER, 'cinder'];

export async function setLog(desk: Desk, wanted: WantedLogs, level: LogLevel): Promise<void> {
  const services = await servicesOf(desk, wanted);
  if (services.length > 0 && isWanted(wanted.prefix)) setLogLevel(desk.log, ourLevel(level));
}

/** The services of this process whose log is wanted, and its level; null when no logger of it is. */
export async function getLog(
  desk: Desk,
  wanted: WantedLogs,
): Promise<{ readonly services: readonly LoggingService[]; readonly level: LogLevel | null }> {
  const services = await servicesOf(desk, wanted);
  return { services, level: isWanted(wanted.prefix) ? theirLevel(desk.log.level) : null };
}

const isWanted = (prefix: string | null): boolean => CALLED.some((name) => `${name}.`.startsWith(prefix ?? ''));

async function servicesOf({ db, config }: Desk, { binary, server }: WantedLogs): Promise<readonly LoggingService[]> {
  const { node_name: node, enabled_backends: backends } = config;
  const here: readonly LoggingService[] = [
    { binary: 'cinder-api', host: node },
    { binary: 'cinder-scheduler', host: node },
    ...backends.map((name) => ({ binary: VOLUME_BINARY, host: hostOfSection(config, name) })),
  ];
  const wanted = here.filter(
    (service) => (binary === null || service.binary === binary) && (server === null || isOn(server, service.host)),
  );
  if (server !== null && !here.some(({ host }) => isOn(server, host))) {
    const others = await listServices(db.read);
    if (others.some(({ host }) => isOn(server, host)))
      throw new InvalidInput(`${server} is another process than the one on ${node} that was asked; ask it there.`);
  }
  return wanted;
}

const isOn = (server: string, host: string): boolean => host === server || host.startsWith(`${server}@`);
