/** Debian's python3-openstacksdk, which Ansible and many tools stand on, against a real service. What it does is in `sdk.py`. */
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { liveService } from './live-service.ts';
import { missing, PYTHON } from './python-client.ts';

const PROGRAM = fileURLToPath(new URL('sdk.py', import.meta.url));

describe('openstacksdk', { skip: missing(['openstack'], ['python3-openstacksdk']) }, () => {
  it('does all of it through its block storage', async (t) => {
    const { endpoint } = await liveService(t);
    await promisify(execFile)(PYTHON, [PROGRAM, endpoint], { timeout: 120_000 });
  });
});
