/** Every route there is. */
import type { Route } from './route.ts';

export const routes: readonly Route[] = [];
