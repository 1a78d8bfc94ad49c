/** Numbers that are typed as values of options; what is none is said to whoever typed it. */
import { InvalidArgumentError } from 'commander';

export function positiveNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('It is a whole number from 1 on.');
  return number;
}

/** Of what may be none at all. */
export function count(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 0 to 999999.');
  return Number(text);
}

/** `5%` or `5`, as 5. */
export function percentage(text: string): number {
  const percent = Number(text.replace(/%$/, ''));
  if (!Number.isInteger(percent) || percent < 1 || percent > 100)
    throw new InvalidArgumentError('It is a whole number from 1 to 100, in percent.');
  return percent;
}

const UNITS: Readonly<Record<string, number>> = { MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };

/** Bytes. */
export function sizeOf(text: string): number {
  const [, number = '', unit = ''] = /^([1-9][0-9]{0,5}) ?(MiB|GiB|TiB)$/.exec(text) ?? [];
  if (number === '') throw new InvalidArgumentError('It is a size like 500MiB, 10GiB or 2TiB.');
  return Number(number) * (UNITS[unit] as number);
}
