/** The levels of a log as operators of OpenStack call them, and as ours are called. */

export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const OURS = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', ERROR: 'error', CRITICAL: 'fatal' } as const;

export const ourLevel = (level: LogLevel) => OURS[level];

/** A log that tells more than debugging needs, or nothing at all, is told of as the level next to it. */
export function theirLevel(ours: string): LogLevel {
  if (ours === 'trace') return 'DEBUG';
  return LOG_LEVELS.find((level) => OURS[level] === ours) ?? 'CRITICAL';
}
