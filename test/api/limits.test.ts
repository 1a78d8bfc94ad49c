import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NEWEST } from '../../src/api/microversion.ts';
import { getAsMember } from './member.ts';
import { freshWorld, PROJECT } from './world.ts';

const OTHER_PROJECT = 'ffffffffffffffffffffffffffffffff';

describe('the limits', () => {
  it('are these ten, and no rates', async (context) => {
    const world = await freshWorld(context);
    await world.ask('POST', '/volumes', { body: { volume: { size: 3 } } });
    assert.deepEqual((await world.get('/limits')).body, {
      limits: {
        rate: [],
        absolute: {
          maxTotalVolumes: 10,
          maxTotalSnapshots: 10,
          maxTotalVolumeGigabytes: 1000,
          maxTotalBackups: 10,
          maxTotalBackupGigabytes: 1000,
          totalVolumesUsed: 1,
          totalGigabytesUsed: 3,
          totalSnapshotsUsed: 0,
          totalBackupsUsed: 0,
          totalBackupGigabytesUsed: 0,
        },
      },
    });
  });

  it("are another project's from 3.39 on, for an administrator", async (context) => {
    const world = await freshWorld(context);
    await world.ask('PUT', `/os-quota-sets/${OTHER_PROJECT}`, { body: { quota_set: { volumes: 3 } } });
    const volumes = async (version: string) =>
      (await world.get(`/limits?project_id=${OTHER_PROJECT}`, { version })).body.limits.absolute.maxTotalVolumes;
    assert.equal(await volumes('3.38'), 10);
    assert.equal(await volumes('3.39'), 3);
    const member = { query: `project_id=${OTHER_PROJECT}`, version: NEWEST, project: PROJECT };
    assert.equal((await getAsMember(world, '/limits', member)).limits.absolute.maxTotalVolumes, 10);
  });
});
