/** Differences that are there after every import, and why: who compares is to see the others. */
import type { Difference } from './compare-services.ts';

interface KnownDifference {
  readonly is: (difference: Difference) => boolean;
  readonly because: string;
}

const on =
  (list: string, field: RegExp) =>
  (each: Difference): boolean =>
    each.list.startsWith(list) && field.test(each.field);

const isEmpty = (value: unknown): boolean =>
  value === null || (typeof value === 'object' && Object.keys(value).length === 0);

const KNOWN: readonly KnownDifference[] = [
  {
    is: (each) => on('/attachments', /^connection_info$/)(each) && isEmpty(each.cinder) && isEmpty(each.pumice),
    because: 'an attachment that was made by os-attach has no connection_info: null there, {} here',
  },
  {
    is: (each) => on('/volumes', /^shared_targets$/)(each) && each.pumice === false,
    because: 'no target is shared here',
  },
  {
    is: on('/volumes', /^service_uuid$/),
    because: 'Cinder keeps the service of before a retype or a migration; here it is that of the host',
  },
  {
    is: on('/os-volume-transfer', /^links/),
    because: 'links of transfers say volume-transfers here',
  },
  { is: on('/messages', /^user_message$/), because: 'messages are told in words of ours' },
  { is: on('/scheduler-stats', /^capabilities/), because: 'what a pool can is what its driver says' },
  {
    is: on('/os-services', /^(updated_at|state|backend_state|\(row\)|cluster|replication_status|active_backend_id|id)/),
    because: 'services are those that run: hosts and heartbeats are of each service',
  },
  {
    is: (each) => on('/os-quota-sets', /\.(in_use|reserved)$/)(each) || on('/limits', /^absolute\.total\w+Used$/)(each),
    because: 'usage is counted anew from the rows; the import has told where Cinder kept other numbers',
  },
  {
    is: on('/types/default', /^os-volume-type-access:is_public$/),
    because: 'the default type says here whether it is public, as others do',
  },
  { is: on('/limits', /^rate/), because: 'limits of requests are each service’s own' },
];

/** Undefined: it is none of them. */
export const whyKnown = (difference: Difference): string | undefined => KNOWN.find(({ is }) => is(difference))?.because;
