/** `resource_filters`: what lists may be filtered by, by others than administrators too. */
import { RESOURCE_FILTERS as FILTERS } from '../filters.ts';
import { RESOURCE_FILTERS } from '../microversion.ts';
import { route } from '../route.ts';

export const resourceFilters = [
  route({
    method: 'GET',
    path: '/resource_filters',
    since: RESOURCE_FILTERS,
    policy: '@',
    async handle({ query }) {
      const wanted = query.get('resource');
      const shown = Object.entries(FILTERS).filter(([resource]) => wanted === undefined || resource === wanted);
      return { resource_filters: shown.map(([resource, filters]) => ({ resource, filters })) };
    },
  }),
];
