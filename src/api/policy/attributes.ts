/** Which attributes of a row a caller is shown: those that Cinder has a rule of their own for. */
import type { Caller } from '../../model/caller.ts';
import type { RuleName } from './default-rules.ts';
import type { Policy } from './policy.ts';

const RULES = {
  host: 'volume_extension:volume_host_attribute',
  migration: 'volume_extension:volume_mig_status_attribute',
  tenant: 'volume_extension:volume_tenant_attribute',
  imageMetadata: 'volume_extension:volume_image_metadata:show',
  snapshot: 'volume_extension:extended_snapshot_attributes',
} as const satisfies Readonly<Record<string, RuleName>>;

type Attribute = keyof typeof RULES;

export type Attributes = { readonly [name in Attribute]: boolean };

export const ALL_ATTRIBUTES: Attributes = {
  host: true,
  migration: true,
  tenant: true,
  imageMetadata: true,
  snapshot: true,
};

export function attributesFor(policy: Policy, caller: Caller): Attributes {
  const allowed = Object.entries(RULES).map(([name, rule]) => [name, policy.allows(rule, caller)]);
  return Object.fromEntries(allowed) as unknown as Attributes;
}

/** The same for the same attributes. */
export const attributesKey = (shown: Attributes): string =>
  `${Number(shown.host)}${Number(shown.migration)}${Number(shown.tenant)}${Number(shown.imageMetadata)}${Number(shown.snapshot)}`;
