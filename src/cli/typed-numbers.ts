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
