/**
 * The alarms: what an operator is told while it lasts, and that it is over. One for each cause and thing, so that whoever hears of one
 * knows what it is about and what to type. Words stay for ever: programs sort by them.
 */
import type { Timestamp } from '../lib/clock.ts';

interface Kind {
  /** `error`: a person must act. */
  readonly severity: 'error' | 'warning';
  readonly means: string;
  /** A command, or what to look at. */
  readonly advice: (about: string) => string;
  /** Seconds that it must have lasted before it is told, and been gone before it is over. Default 0. */
  readonly afterSeconds?: number;
}

/** `flow <id>` */
const lastWord = (about: string): string => about.slice(about.lastIndexOf(' ') + 1);

export const ALARMS = {
  flow_stuck: {
    severity: 'error',
    means: 'a revert was given up, and its flow keeps what it holds',
    advice: (about) =>
      `pumice flows show ${lastWord(about)}; put right what it says, then pumice flows resume ${lastWord(about)}`,
  },
  flow_slow: {
    severity: 'warning',
    means: 'a flow has run for longer than a minute and four times what nine of ten of its name took',
    advice: (about) => `pumice flows show ${lastWord(about)} says what it does, and what it waits for`,
  },
  flows_failing: {
    severity: 'error',
    means: 'the last five flows of a name were all taken back, within half an hour',
    advice: () => 'pumice flows list --all, then pumice flows show ID of one of them',
  },
  backend_down: {
    severity: 'error',
    means: 'an enabled backend cannot be used, or its process gives no sign of life',
    advice: () => 'pumice doctor; where it is to be away: openstack volume service set --disable',
    afterSeconds: 30,
  },
  pool_nearly_full: {
    severity: 'warning',
    means: 'less than a tenth of a pool is free; over when it is more than 15 %',
    advice: () => 'make room, or openstack volume migrate; thin volumes that find none get write errors',
    afterSeconds: 60,
  },
  sink_behind: {
    severity: 'warning',
    means: 'a sink lacks an event of five minutes ago; over when the oldest is younger than one',
    advice: () => 'pumice sinks says since when it fails, why, and when it is tried again; no event is lost',
  },
  events_held_back: {
    severity: 'warning',
    means: 'an open transaction of PostgreSQL keeps those who watch from events of a minute ago',
    advice: () => 'end that transaction: its client, or SELECT pg_terminate_backend(PID)',
  },
  upkeep_failing: {
    severity: 'warning',
    means: 'upkeep of one thing has failed for ten minutes',
    advice: () => 'pumice doctor says what to do about it',
    afterSeconds: 60,
  },
  quota_drift: {
    severity: 'error',
    means: 'the quota usage that is kept of a project is not what its rows make',
    advice: () => 'pumice doctor --repair counts it again; what led to it is a fault of Pumice and worth a report',
  },
  doctor_finding: {
    severity: 'warning',
    means: 'the doctor has found what may not be',
    advice: () => 'pumice doctor says what, and what to do; --repair puts right what can be',
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type AlarmName = keyof typeof ALARMS;

export const ALARM_NAMES = Object.keys(ALARMS) as readonly AlarmName[];

/** By its name; what a newer version has raised is unknown. */
export const kindOf = (name: AlarmName): Kind => ALARMS[name];

/** One that lasts. */
export interface Alarm {
  readonly alarm: AlarmName;
  /** `flow <id>`, `backend node@backend`, `sink file` */
  readonly about: string;
  /** As it began. */
  readonly message: string;
  readonly since: Timestamp;
}
