/** Sizes as people read them. */
const STEPS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `12.5 GiB`, `512 MiB`: one digit after the point where it says something. */
export function sizeInWords(bytes: number): string {
  let [value, step] = [bytes, 0];
  while (value >= 1024 && step < STEPS.length - 1) [value, step] = [value / 1024, step + 1];
  const digits = value < 100 && !Number.isInteger(value) ? 1 : 0;
  return `${value.toFixed(digits)} ${STEPS[step]}`;
}
