/** A port that nobody listens on, for a program that must be told one; never the same twice, since the first may not be in use yet. */
import { once } from 'node:events';
import { createServer } from 'node:net';

const given = new Set<number>();

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port.');
  if (given.has(address.port)) return freePort();
  given.add(address.port);
  return address.port;
}
