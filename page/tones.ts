/** What a status is like: a word is shown in one of five tones, and with the mark of its tone, for colours alone are not seen by all. */

export type Tone = 'good' | 'used' | 'busy' | 'bad' | 'quiet';

const BUSY = /ing$|^reserved$|^maintenance$/;

export function toneOf(status: string): Tone {
  if (status.includes('error') || status === 'stuck' || status === 'failed') return 'bad';
  if (status === 'available' || status === 'success') return 'good';
  if (status === 'in-use' || status === 'attached') return 'used';
  return BUSY.test(status) ? 'busy' : 'quiet';
}

/** Whether it will change by itself. */
export const isPassing = (status: string): boolean => toneOf(status) === 'busy';
