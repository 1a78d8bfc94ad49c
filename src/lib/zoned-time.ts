/** The time of day that clocks on the wall show in a time zone. */
import { millis, type Timestamp } from './clock.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether there is a zone of this name: `UTC`, `Europe/Berlin`. */
export function isZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** `2026-11-30 02:00`. Throws `RangeError` when there is no such zone. */
export function wallTime(at: Timestamp, zone: string): string {
  const parts = formatOf(zone).formatToParts(millis(at));
  const of = (type: Intl.DateTimeFormatPartTypes): string => parts.find((part) => part.type === type)?.value ?? '';
  return `${of('year')}-${of('month')}-${of('day')} ${of('hour')}:${of('minute')}`;
}

/** Making one costs a hundred times as much as using it. */
function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const two = '2-digit';
  const made = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    ...{ year: 'numeric', month: two, day: two, hour: two, minute: two },
  });
  formats.set(zone, made);
  return made;
}
