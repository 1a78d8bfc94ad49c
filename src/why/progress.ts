/** Progress: a bar where there is room, else the percentage alone; what is copied, and what it tells of the time that is left. */
import type { Copying } from '../engine/journal.ts';
import { sizeText } from '../lib/bytes.ts';
import { millis, type Timestamp } from '../lib/clock.ts';
import { duration } from '../lib/times.ts';

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

export const percent = (fraction: number): string => `${Math.floor(clamped(fraction) * 100)} %`;

/** `██████▌     54 %`, the bar `columns` wide. */
export function bar(fraction: number, columns: number): string {
  const eighths = Math.round(clamped(fraction) * columns * 8);
  const full = '█'.repeat(Math.floor(eighths / 8));
  const filled = `${full}${EIGHTHS[eighths % 8]}`;
  return `${filled.padEnd(columns, '░')} ${percent(fraction).padStart(5)}`;
}

const clamped = (fraction: number): number => Math.min(1, Math.max(0, fraction));

/** Less than this tells nothing of the rest. */
const TELLING = 0.01;

/**
 * How long the rest takes when it goes on as it did from `since` until `at`, in whole seconds; null when that is not known. Whoever calls
 * knows that somebody works at it.
 */
export function timeLeft(
  { since, progress }: { readonly since: Timestamp; readonly progress: number | null },
  at: Timestamp,
): string | null {
  if (progress === null || progress < TELLING || progress >= 1) return null;
  const spent = Math.max(0, millis(at) - millis(since));
  return duration(Math.max(1, Math.ceil((spent * (1 - progress)) / progress / 1_000)) * 1_000);
}

/** `540 MiB of 1.5 GiB, 45 MiB/s`. */
export function copiedText(copying: Copying): string {
  const rate = rateOf(copying);
  return `${sizeText(copying.bytes)} of ${sizeText(copying.of)}${rate === null ? '' : `, ${sizeText(rate)}/s`}`;
}

/** Shorter tells nothing of the rate. */
const TELLING_MS = 1_000;

/** Bytes a second since the copy began; null when that is too short a time. */
export function rateOf({ bytes, from, since, at }: Copying): number | null {
  const ms = millis(at) - millis(since);
  return ms < TELLING_MS ? null : Math.round(((bytes - from) / ms) * 1_000);
}
