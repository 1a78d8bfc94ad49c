/** An order to look at a backup: typed where no server is, carried out by one, and read where it was typed. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type VerifyOptions, verifyByOrder } from '../../src/cli/backups-verify.ts';
import { backups } from '../../src/cli/resources/backups.ts';
import { listResources } from '../../src/cli/resources/list-resources.ts';
import { showResource } from '../../src/cli/resources/show-resource.ts';
import { updateBackup } from '../../src/db/backups.ts';
import { BackupStoreRefused } from '../../src/model/errors.ts';
import { givenBackup, givenVolume } from '../flows/given.ts';
import { capturedCommand } from './captured.ts';
import { serverBeside } from './server-beside.ts';

async function start(context: TestContext) {
  const { live, set } = await serverBeside(context);
  const backup = await givenBackup(live.site, await givenVolume(live.site), { name: 'nightly' });
  const flags = { set };
  const verify = async (options: Partial<VerifyOptions> = {}) => {
    const { around, out } = capturedCommand();
    const code = await verifyByOrder('nightly', { ...flags, depth: 'packs', ...options }, around);
    return { code, out: out.text };
  };
  const show = async (json = false) => {
    const { around, out } = capturedCommand();
    await showResource(backups, 'nightly', { ...flags, json }, around);
    return out.text;
  };
  const list = async () => {
    const { around, out } = capturedCommand();
    await listResources(backups, { ...flags, limit: 9 }, around);
    return out.text;
  };
  return { live, backup, verify, show, list };
}

describe('pumice backups verify', () => {
  it('waits for whoever looks, and says that all is well', async (context) => {
    const { verify, show, list } = await start(context);
    assert.match(await show(), /verified +never/);
    const { code, out } = await verify();
    assert.equal(code, 0);
    assert.match(out, /verify_backup \S+ on backup:\S+ success in .*\n.*UTC, every byte of its packs\n$/);
    const today = /verified +(\d{4}-\d\d-\d\d) \d\d:\d\d UTC, every byte of its packs/.exec(await show())?.[1] ?? '';
    assert.match(await list(), new RegExp(` ${today} *\n`));
    assert.match((await verify({ depth: 'chunks', sample: 5 })).out, /UTC, every chunk \(5 % of them\)\n$/);
  });

  it('tells what is damaged, and where in the volume, and it is told again by show and list', async (context) => {
    const { live, backup, verify, show, list } = await start(context);
    const pack = `${backup.id}/1-0`;
    live.site.backups.rotten.add(pack);
    const { code, out } = await verify();
    assert.equal(code, 3);
    const told = 'damaged: It has been changed. Of the volume: 1 MiB at 1 MiB.';
    assert.ok(out.endsWith(`${told}\n`), out);
    assert.ok((await show()).includes(told));
    assert.match(await list(), / damaged *\n/);
    const facts = JSON.parse(await show(true));
    assert.partialDeepStrictEqual(facts, { status: 'available', verified_depth: 'packs', verified_percent: 100 });
    assert.partialDeepStrictEqual(facts.damage, [{ pack, ranges: [{ at: 2 ** 20, bytes: 2 ** 20 }] }]);
  });

  it('says why it could not be looked at, and refuses what cannot be asked', async (context) => {
    const { live, backup, verify } = await start(context);
    live.site.interposeBackups('verify', async () => {
      throw new BackupStoreRefused('It is another store.');
    });
    await assert.rejects(verify(), { name: 'Complaint', message: /It could not be looked at: It is another store\./ });
    await assert.rejects(verify({ budget: 1, sample: 5 }), { name: 'Complaint', exitCode: 2 });
    await live.database.write((tx) => updateBackup(tx, backup.id, { status: 'error' }));
    await assert.rejects(verify(), { name: 'Complaint', message: /must be available or restoring to be verified/ });
  });
});
