/** Check: every sink has been given its events. */
import { undelivered } from '../../db/outbox.ts';
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
      config.notifications.drivers.map(async (sink) => ({
        sink,
        waiting: await undelivered(db.read, sink, 0, COUNTED),
      })),
    );
    return sinks.flatMap(({ sink, waiting }) => {
      const [oldest] = waiting;
      if (oldest === undefined || millis(now()) - millis(oldest.createdAt) < patienceMs) return [];
      const many = waiting.length === COUNTED ? `${COUNTED} or more` : String(waiting.length);
      return {
        key: `undelivered ${sink} ${oldest.seq}`,
        about: `sink ${sink}`,
        says: `has events to take: ${many}, the oldest for ${age(oldest.createdAt, now())}`,
        advice: 'they are delivered when a server runs and the sink takes them; `upkeep` says why it does not',
      };
    });
  },
};
