/** Bytes: the units that sizes are counted in, and sizes as people read them. */
export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

/** Whole GiB that hold so many bytes. */
export const inGiB = (bytes: number): number => Math.ceil(bytes / GIB);

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `0 B`, `12.5 MiB`, `540 MiB`. */
export function sizeText(bytes: number): string {
  const at = UNITS.findIndex((_, index) => bytes < 1024 ** (index + 1) * ROUNDED || index === UNITS.length - 1);
  const size = bytes / 1024 ** at;
  return `${at === 0 || size >= 99.95 ? Math.round(size) : Number(size.toFixed(1))} ${UNITS[at]}`;
}

/** What would be rounded up to 1024 is one of the next unit. */
const ROUNDED = 1023.5 / 1024;
