/**
 * The watch over alarms, kept by the process that delivers events. Each round reads the facts, compares the conditions that hold with the
 * alarms that last, and begins and ends alarms: a row, an event of the outbox in the same commit, a line of the log. Since the row is
 * in the database each is begun once and ended once, also when another process takes over in between.
 *
 * How long a condition has held is only in memory: who takes over waits anew, and tells some seconds later.
 */
import { beginAlarm, endAlarm, listAlarms } from '../db/alarms.ts';
import type { Database } from '../db/database.ts';
import { appendEvents } from '../db/outbox.ts';
import { now, type Timestamp, uuid } from '../lib/clock.ts';
import type { Log } from '../lib/logging.ts';
import { type Alarm, kindOf } from '../model/alarm.ts';
import type { NewEvent } from '../model/event.ts';
import { BY_THE_DOCTOR, type Condition, conditionsOf } from './conditions.ts';
import { type AlarmFacts, readFacts } from './facts.ts';

export interface AlarmWatchOptions {
  readonly db: Database;
  readonly log: Log;
  /** Who says so, in events. */
  readonly node: string;
  readonly serviceDownSeconds: number;
  /** Whether this process keeps the watch. */
  leads(): Promise<boolean>;
  /** Of each sink, a `seq` up to which it has had all events. */
  deliveredUpTo(): ReadonlyMap<string, number>;
  /** What the doctor of this process found last; null when it has not looked yet. */
  found(): AlarmFacts['found'];
  /** Monotonic milliseconds. */
  elapsed(): number;
}

type Thing = Pick<Alarm, 'alarm' | 'about'>;

export class AlarmWatch {
  readonly #options: AlarmWatchOptions;
  /** Since when what does not last yet has held, and what lasts has been gone. */
  #changing = new Map<string, number>();

  constructor(options: AlarmWatchOptions) {
    this.#options = options;
  }

  /** Rejects when the database fails. */
  async round(): Promise<void> {
    const { db, serviceDownSeconds, deliveredUpTo, found, leads } = this.#options;
    if (!(await leads())) {
      this.#changing.clear();
      return;
    }
    const lasting = new Map((await listAlarms(db.read)).map((alarm) => [keyOf(alarm), alarm]));
    const facts = await readFacts(db, serviceDownSeconds, deliveredUpTo(), found());
    const conditions = conditionsOf(facts, (alarm, about) => lasting.has(keyOf({ alarm, about })));
    const holding = new Map(conditions.map((condition) => [keyOf(condition), condition]));
    const begin = [...holding.values()].filter((condition) => !lasting.has(keyOf(condition)));
    // After a start, or when another process led before.
    const isUnknown = ({ alarm }: Alarm): boolean => facts.found === null && BY_THE_DOCTOR.includes(alarm);
    const end = [...lasting.values()].filter((alarm) => !holding.has(keyOf(alarm)) && !isUnknown(alarm));
    this.#changing = new Map(
      [...begin, ...end].map((thing) => [keyOf(thing), this.#changing.get(keyOf(thing)) ?? this.#options.elapsed()]),
    );
    for (const condition of begin) if (this.#isTime(condition)) await this.#begin(condition);
    for (const alarm of end) if (this.#isTime(alarm)) await this.#end(alarm);
  }

  #isTime(thing: Thing): boolean {
    const changed = this.#changing.get(keyOf(thing)) ?? Number.POSITIVE_INFINITY;
    return this.#options.elapsed() - changed >= (kindOf(thing.alarm).afterSeconds ?? 0) * 1000;
  }

  async #begin(condition: Condition): Promise<void> {
    const { db, log } = this.#options;
    const alarm = { ...condition, since: now() };
    const begun = await db.write(async (tx) => {
      if (!(await beginAlarm(tx, alarm))) return false;
      await appendEvents(tx, [this.#event(alarm, null)]);
      return true;
    });
    this.#changing.delete(keyOf(alarm));
    const { severity, advice } = kindOf(alarm.alarm);
    const facts = { alarm: alarm.alarm, about: alarm.about, reason: alarm.message, advice: advice(alarm.about) };
    if (begun) log[severity === 'error' ? 'error' : 'warn'](facts, 'alarm begins');
  }

  async #end(alarm: Alarm): Promise<void> {
    const { db, log } = this.#options;
    const ended = await db.write(async (tx) => {
      if (!(await endAlarm(tx, alarm))) return false;
      await appendEvents(tx, [this.#event(alarm, now())]);
      return true;
    });
    this.#changing.delete(keyOf(alarm));
    if (ended) log.info({ alarm: alarm.alarm, about: alarm.about, since: alarm.since }, 'alarm ends');
  }

  #event({ alarm, about, message, since }: Alarm, endedAt: Timestamp | null): NewEvent {
    const { severity, advice } = kindOf(alarm);
    const payload = { alarm, about, severity, message, advice: advice(about), since, ended_at: endedAt };
    return {
      messageId: uuid(),
      resource: `alarm:${alarm}:${about}`,
      eventType: endedAt === null ? 'pumice.alarm.start' : 'pumice.alarm.end',
      priority: endedAt === null && severity === 'error' ? 'ERROR' : 'INFO',
      publisherId: `pumice.${this.#options.node}`,
      payload: JSON.stringify(payload),
      projectId: '',
      userId: '',
      requestId: `req-${uuid()}`,
    };
  }
}

const keyOf = ({ alarm, about }: Thing): string => `${alarm} ${about}`;
