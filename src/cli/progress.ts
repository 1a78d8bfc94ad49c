/** A progress bar: a bar where there is room, else the percentage alone. */
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
