/** An image of a pool as qemu's programs are told it: options, never a name in which `:` and `@` would mean something. No secret is in them. */
import type { RbdAddress } from './helper-process.ts';

/** A comma is doubled in it. */
export function blockOptions({ conf, user, pool }: RbdAddress, image: string): string {
  return Object.entries({ driver: 'rbd', pool, image, user, conf })
    .map(([name, value]) => `${name}=${value.replaceAll(',', ',,')}`)
    .join(',');
}
