/** A word about what was just done, said once, also to those who hear the page. */
import { signal } from '@preact/signals';

export const note = signal('');

let timer: ReturnType<typeof setTimeout> | undefined;

export function tell(text: string): void {
  note.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => {
    note.value = '';
  }, 6_000);
}
