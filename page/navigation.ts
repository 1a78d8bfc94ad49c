/** Where one is in the page, as the browser's address and history have it. */
import { signal } from '@preact/signals';
import { hashOf, type Place, placeOf } from './places.ts';

export const place = signal<Place>(placeOf(location.hash));

addEventListener('hashchange', () => {
  place.value = placeOf(location.hash);
});

export function go(path: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): void {
  location.hash = hashOf(path, query);
  // The browser tells of it later.
  place.value = placeOf(location.hash);
}

/** The same view, of something else: no step of its own in the history, as when one types. */
export function look(query: Readonly<Record<string, string | undefined>>): void {
  history.replaceState(null, '', hashOf(place.value.path, query));
  place.value = placeOf(location.hash);
}
