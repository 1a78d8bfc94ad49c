/**
 * A flow that is stuck for a real reason, seen through by an operator in a browser: a disk that lets nobody remove anything, a copy that is
 * cancelled, a revert that is given up, a service that is killed meanwhile, and the end of it when the disk is well again.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { withPumice } from '../cli/pumice-process.ts';
import { condition } from '../crash/condition.ts';
import { cannotMount, missing, mountFileSystem } from '../drivers/file/file-systems.ts';
import { freePort } from '../free-port.ts';
import { describeInBrowser, signIn, violations, visitAt } from './browser.ts';

const skip = cannotMount('ext4') ?? missing('chattr') ?? false;
const DATA_BYTES = 32 * 1024 ** 2;
const LATE_MS = 60_000;

describeInBrowser('a flow that is stuck', () => {
  it('is understood and resumed in the page, which outlasts the service', { skip }, (t) =>
    withPumice(async ({ directory, run }) => {
      const disk = mountFileSystem('ext4', 400);
      const pool = join(disk.path, 'volumes');
      t.after(() => {
        execFileSync('chattr', ['-i', pool]);
        disk.remove();
      });
      const settings = [`api.port=${await freePort()}`, `backends.file.path=${pool}`, 'backends.file.driver=file'];
      // Slow enough to be met in the middle.
      settings.push('backends.file.create=true', 'volume_copy_bps_limit=1048576');
      const serve = () => run('serve', '--data', directory, ...settings.flatMap((each) => ['--set', each]));
      const first = serve();
      const { page } = await visitAt(t, await first.address());
      await signIn(page, 'demo');
      const press = (name: string) => page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
      const begin = (name: string) => page.getByRole('main').getByRole('button', { name, exact: true }).click();
      const name = (text: string) => page.getByLabel('Name', { exact: true }).fill(text);
      await begin('Create volume');
      await name('source');
      await press('Create');
      await page.locator('.title .status', { hasText: 'available' }).waitFor();
      const [source = ''] = readdirSync(pool).filter((file) => file.startsWith('volume-'));
      const file = await open(join(pool, source), 'r+');
      await file.write(randomBytes(DATA_BYTES));
      await file.close();

      await begin('Clone');
      await name('copy');
      await press('Clone');
      await page.getByRole('heading', { name: 'copy', exact: true }).waitFor();
      await condition('it is copied', LATE_MS, () => readdirSync(pool).some((each) => each.startsWith('.tmp-')));
      execFileSync('chattr', ['+i', pool]);
      await page.getByRole('article', { name: 'create volume' }).getByRole('link', { name: 'create volume' }).click();
      await begin('Cancel');
      await page.getByLabel('Reason').fill('not needed');
      await press('Cancel the flow');
      await page.getByText('waits for an operator').first().waitFor();
      await page
        .getByText(/permission denied|not permitted/i)
        .first()
        .waitFor();
      assert.deepEqual(await violations(page), []);

      first.signal('SIGKILL');
      await first.ended();
      await page.getByRole('alert').getByText('No connection to the service since').waitFor();
      const second = serve();
      await second.address();
      await page.getByText('No connection to the service since').waitFor({ state: 'detached' });
      await page.getByRole('navigation').getByRole('link', { name: 'Overview' }).click();
      await page.getByRole('heading', { name: 'Stuck 1' }).waitFor();

      execFileSync('chattr', ['-i', pool]);
      await page.getByRole('link', { name: 'create volume' }).first().click();
      await begin('Resume');
      await page.getByLabel('Reason').fill('the disk is well again');
      await press('Resume the flow');
      await page.getByText('failed, and undone').first().waitFor();
      assert.deepEqual(
        readdirSync(pool).filter((each) => /^(volume|\.tmp|\.del)-/.test(each)),
        [source],
      );
      await page.getByRole('navigation').getByRole('link', { name: 'Overview' }).click();
      await page.getByText('Nothing runs now').waitFor();
      assert.equal(await page.getByRole('heading', { name: /^Stuck/ }).count(), 0);
      assert.deepEqual(await violations(page), []);
    }),
  );
});
