/** What Nova and Ironic ask through Debian's python3-cinderclient, of a real service. What they ask is in `compute.py`. */
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { liveService } from './live-service.ts';
import { missing, PYTHON } from './python-client.ts';

const PROGRAM = fileURLToPath(new URL('compute.py', import.meta.url));

describe('compute services', { skip: missing(['cinderclient'], ['python3-cinderclient']) }, () => {
  it('attach, move, snapshot and give back what servers and bare metal boot from', async (t) => {
    const { endpoint } = await liveService(t);
    await promisify(execFile)(PYTHON, [PROGRAM, endpoint, 'node'], { timeout: 120_000 });
  });
});
