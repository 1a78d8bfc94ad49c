/** Times as people read them: in their own zone, with the day only where it is another, and how long ago. */

/** Milliseconds since 1970 of a time of the API, which is UTC and says so or not. */
export const millisOf = (time: string): number => Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(time) ? time : `${time}Z`);

/** `2026-11-30 14:02:11`. Without a zone: the reader's. */
export function exactTime(ms: number, timeZone?: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    ...(timeZone !== undefined && { timeZone }),
  });
  return format.format(ms);
}

/** What the service says in words, with the times in the reader's zone. */
export const inZone = (text: string, timeZone?: string): string =>
  text.replace(/(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g, (_, day, clock) =>
    exactTime(millisOf(`${day}T${clock}Z`), timeZone),
  );

/** `14:02` on the same day, else `30 Nov 14:02`, else `30 Nov 2025`. */
export function shortTime(ms: number, nowMs: number, timeZone?: string): string {
  const [day = '', clock = ''] = exactTime(ms, timeZone).split(' ');
  const [today = ''] = exactTime(nowMs, timeZone).split(' ');
  const minutes = clock.slice(0, 5);
  if (day === today) return minutes;
  const [year, month = '1', date] = day.split('-');
  const named = `${Number(date)} ${MONTHS[Number(month) - 1]}`;
  return year === today.slice(0, 4) ? `${named} ${minutes}` : `${named} ${year}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `just now`, `4 min ago`, `3 h ago`, `12 days ago`. A clock that is behind the server's sees nothing in the future. */
export function ago(ms: number, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - ms) / 1000);
  if (seconds < 10) return 'just now';
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}

/** `12 ms`, `1.24 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1) return '<1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** From one time of the API to another. */
export const between = (from: string, to: string): string => duration(Math.max(0, millisOf(to) - millisOf(from)));
