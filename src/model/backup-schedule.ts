/** A schedule of backups: of which volumes, when, where to, and how many of its backups are kept. */
import type { Timestamp } from '../lib/clock.ts';

export const SCHEDULE_TARGETS = ['volume', 'type', 'project'] as const;
/** One volume, all of a volume type, or all of a project. */
export type ScheduleTarget = (typeof SCHEDULE_TARGETS)[number];

/** How many are kept; 0: this asks for none. All 0: every backup is kept. */
export interface KeepRule {
  /** The newest. */
  readonly last: number;
  /** The newest of each of so many days, weeks (from Monday) and months that have one. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

export interface BackupSchedule {
  readonly id: string;
  /** No other has it. */
  readonly name: string;
  readonly target: ScheduleTarget;
  /** The id of the volume, of the type, or of the project. */
  readonly targetId: string;
  /** Five fields (`lib/recurring-times.ts`), in the time zone. */
  readonly times: string;
  readonly zone: string;
  readonly keep: KeepRule;
  /** Every so many stores all, the others what has changed; null: only the first. */
  readonly fullEvery: number | null;
  /** As the configuration calls it; null: where backups go. */
  readonly store: string | null;
  /** Of volumes in use, too. */
  readonly force: boolean;
  readonly createdAt: Timestamp;
  readonly nextRunAt: Timestamp;
  /** For when the last run was planned; it began later when nobody served then. */
  readonly lastRunAt: Timestamp | null;
  readonly lastBeganAt: Timestamp | null;
  /** Null while it goes on. */
  readonly lastEndedAt: Timestamp | null;
  /** Why the last run was not whole; null when it was. */
  readonly lastFailure: string | null;
  /** When the last whole run began; before there is one, since when there should be. */
  readonly wholeAt: Timestamp;
}

/** A run that begins so long after its time is late, and says so. */
const LATE_MS = 60_000;

export const isLate = (plannedMs: number, beganMs: number): boolean => beganMs - plannedMs > LATE_MS;
