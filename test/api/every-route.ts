/** Every route there is, Cinder's and our own, with what it stands below. */
import { sessionRoutes } from '../../src/api/page/session-routes.ts';
import { ownRoutes } from '../../src/api/pumice/own-routes.ts';
import type { Route } from '../../src/api/route.ts';
import { routes } from '../../src/api/routes.ts';

type RootPath = '/v3' | '/pumice/v1';

export interface PlacedRoute extends Route {
  readonly root: RootPath;
}

const below = (root: RootPath, table: readonly Route[]): PlacedRoute[] => table.map((route) => ({ ...route, root }));

/** Those of our own API, the session's among them. They are looked at here, and asked elsewhere. */
export const everyOwnRoute: readonly Route[] = [
  ...ownRoutes,
  ...sessionRoutes(() => Promise.reject(new Error('There are no sessions.'))),
];

export const everyRoute: readonly PlacedRoute[] = [...below('/v3', routes), ...below('/pumice/v1', everyOwnRoute)];

/** What a path of its table is appended to, for a client of that project. */
export const baseFor = ({ root }: Pick<PlacedRoute, 'root'>, project: string): string =>
  root === '/v3' ? `/v3/${project}` : root;

/** As people write it. Without what it stands below where it is Cinder's. */
export const callOf = ({ root, method, path, action = '' }: PlacedRoute): string =>
  `${method} ${root === '/v3' ? '' : root}${path} ${action}`.trim();
