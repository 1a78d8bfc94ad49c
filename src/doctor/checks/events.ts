/** Check: every sink has been given its events. */
import { newestDelivered, undelivered } from '../../db/outbox.ts';
import { sinkNames } from '../../events/sink-names.ts';
import { millis, now } from '../../lib/clock.ts';
import { age } from '../../lib/times.ts';
import type { DoctorCheck, Patient } from './check.ts';

/** More are not counted. */
const COUNTED = 1_000;

export const events: DoctorCheck = {
  name: 'events',
  wellSaid: 'every sink has been given its events',
  examine: async ({ db, config, patienceMs }: Patient) => {
    const sinks = await Promise.all(
      sinkNames(config).map(async (sink) => ({
        sink,
        newest: await newestDelivered(db.read, sink),
        waiting: await undelivered(db.read, sink, 0, COUNTED),
      })),
    );
    return sinks.flatMap(({ sink, newest, waiting }) => {
      const [oldest] = waiting;
      if (oldest === undefined || millis(now()) - millis(oldest.createdAt) < patienceMs) return [];
      const many = waiting.length === COUNTED ? `${COUNTED} or more` : String(waiting.length);
      const had = newest === undefined ? 'it has had none yet' : `the newest it had is of ${age(newest, now())} ago`;
      return {
        key: `undelivered ${sink} ${oldest.seq}`,
        about: `sink ${sink}`,
        says: `has events to take: ${many}, the oldest for ${age(oldest.createdAt, now())}; ${had}`,
        advice: 'they are delivered when a server runs and the sink takes them; `pumice sinks` says why it does not',
      };
    });
  },
};
