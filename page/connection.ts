/** Whether the service answers, as the last request found it. */
import { signal } from '@preact/signals';

/** Since when nobody answers, ms since 1970; null while somebody does. */
export const lostSince = signal<number | null>(null);

export const lost = (): void => {
  lostSince.value ??= Date.now();
};

export const heard = (): void => {
  lostSince.value = null;
};
