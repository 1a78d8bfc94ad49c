/**
 * Times that come again: the five fields of cron (minute, hour, day of the month, month, day of the week), or plain words for the usual ones,
 * always in a time zone that is said.
 *
 * Where clocks are put forward, a time that is left out comes when they have been; where they are put back, a time of day comes once, and
 * what comes every so many minutes or hours goes on in between.
 */
import { Cron } from 'croner';
import { millis, type Timestamp, timestampOf } from './clock.ts';
import { isZone } from './zoned-time.ts';

/** What was typed is no time that comes again. */
export class TimesInvalid extends Error {
  override readonly name = 'TimesInvalid';
}

const WORDS = /^(hourly|daily|weekly|monthly)(?: at (\d{1,2}):(\d{2}))?$/;
const DAYS = { daily: '* * *', weekly: '* * 0', monthly: '1 * *' } as const;

/**
 * The five fields of what people type: those, or `hourly`, `daily`, `weekly` (on Sundays), `monthly` (on the first), all but the first with
 * `at 02:00` where midnight is not meant. Throws `TimesInvalid`, also for a zone that there is not, and for what never comes.
 */
export function recurringTimes(typed: string, zone: string, after: Timestamp): string {
  if (!isZone(zone)) throw new TimesInvalid(`There is no time zone ${zone}; one is called UTC, or Europe/Berlin.`);
  const text = typed.trim().toLowerCase().replaceAll(/\s+/g, ' ');
  const times = inFields(text);
  if (times.split(' ').length !== 5)
    throw new TimesInvalid(
      `${JSON.stringify(typed)} is no time that comes again: five fields as in cron, or hourly, daily, weekly or monthly, with "at 02:00" or without.`,
    );
  nextTime(times, zone, after);
  return times;
}

function inFields(text: string): string {
  const [, word, hour = '0', minute = '0'] = WORDS.exec(text) ?? [];
  if (word === undefined || (word === 'hourly' && text !== word)) return text;
  return word === 'hourly' ? '0 * * * *' : `${Number(minute)} ${Number(hour)} ${DAYS[word as keyof typeof DAYS]}`;
}

/** The first of them that comes later. Throws `TimesInvalid`. */
export function nextTime(times: string, zone: string, after: Timestamp): Timestamp {
  const next = soonest(times, zone, after);
  if (next === null) throw new TimesInvalid(`${times} never comes.`);
  return timestampOf(next.getTime());
}

function soonest(times: string, zone: string, after: Timestamp): Date | null {
  try {
    return new Cron(times, { timezone: zone }).nextRun(new Date(millis(after)));
  } catch (error) {
    throw new TimesInvalid(`${times} is no time that comes again.`, { cause: error });
  }
}
