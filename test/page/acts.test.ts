/** What one does with storage in a browser: every way to make a volume, and what is made of one, given away and opened. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Page } from 'playwright-core';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { insertTransfer } from '../../src/db/transfers.ts';
import { uuid } from '../../src/lib/clock.ts';
import { newAuthKey } from '../../src/model/auth-key.ts';
import { freshWorld, PROJECT, USER } from '../api/world.ts';
import { makeBackup, makeGroup } from '../db/rows.ts';
import { describeInBrowser, isTooWide, signIn, violations, visit } from './browser.ts';

const OTHER = 'ffff';
const GROUP_TYPE = { version: '3.71', body: { group_type: { name: 'together' } } };

/** The only one that is open. */
const press = (page: Page, name: string): Promise<void> =>
  page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
const begin = (page: Page, name: string): Promise<void> =>
  page.getByRole('main').getByRole('button', { name, exact: true }).click();
const name = (page: Page, text: string): Promise<void> => page.getByLabel('Name', { exact: true }).fill(text);
const atRest = async (page: Page, title: string): Promise<void> => {
  await page.getByRole('heading', { name: title, exact: true }).waitFor();
  await page.locator('.title .status', { hasText: 'available' }).waitFor();
};

describeInBrowser('acting', () => {
  it('makes volumes in all four ways, and leads from each to what it came from', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    const directory = join(world.config.data_directory, 'images');
    await mkdir(directory, { recursive: true });
    const image = uuid();
    const facts = {
      id: image,
      name: 'plain',
      status: 'active',
      visibility: 'public',
      size: 1 << 20,
      disk_format: 'raw',
      container_format: 'bare',
    };
    await writeFile(join(directory, `${image}.json`), JSON.stringify(facts));
    await writeFile(join(directory, `${image}.image`), Buffer.alloc(1 << 20, 7));
    const { page } = await visit(t, world);
    await signIn(page, PROJECT);
    await begin(page, 'Create volume');
    await name(page, 'blank');
    await press(page, 'Create');
    await atRest(page, 'blank');

    await begin(page, 'Snapshot');
    await name(page, 'then');
    await press(page, 'Snapshot');
    await atRest(page, 'then');
    await begin(page, 'Create volume');
    await name(page, 'from snapshot');
    await press(page, 'Create');
    await atRest(page, 'from snapshot');
    await page
      .locator('dd', { hasText: /^snapshot / })
      .getByRole('link')
      .click();
    await atRest(page, 'then');
    await page.locator('.facts').getByRole('link').click();
    await atRest(page, 'blank');

    await begin(page, 'Clone');
    await name(page, 'clone');
    await press(page, 'Clone');
    await atRest(page, 'clone');

    await page.getByRole('link', { name: 'Volumes' }).click();
    await begin(page, 'Create volume');
    await name(page, 'from image');
    await page.getByLabel('Image').fill(image);
    await press(page, 'Create');
    await atRest(page, 'from image');
    await page.getByText('image plain').waitFor();
    const { volumes } = (await world.get('/volumes/detail?sort=created_at:asc')).body;
    assert.deepEqual(
      volumes.map((volume: { name: string; status: string }) => [volume.name, volume.status]),
      ['blank', 'from snapshot', 'clone', 'from image'].map((each) => [each, 'available']),
    );
  });

  it('opens a volume to a host, shows the connection, and closes it again', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    const { page, expect } = await visit(t, world);
    await signIn(page, PROJECT);
    await begin(page, 'Create volume');
    await name(page, 'data');
    await press(page, 'Create');
    await atRest(page, 'data');
    await begin(page, 'Attach');
    await page.getByLabel('Host').fill('node');
    await press(page, 'Attach');
    await page.getByRole('dialog').getByText('This is how it is reached').waitFor();
    await page.getByRole('dialog').getByText('device_path').waitFor();
    assert.deepEqual(await violations(page), []);
    await press(page, 'Close');
    await page.locator('.title .status', { hasText: 'in-use' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Transfer' }).getAttribute('aria-disabled'), 'true');
    await page.getByRole('button', { name: 'Transfer' }).press('Enter');
    await page.getByText('Not while it is in-use').waitFor();
    await page.getByRole('link', { name: 'Attachments' }).click();
    await page.locator('tbody tr:first-child th a').click();
    await begin(page, 'Detach');
    // What is shown may be asked for once more when it has just gone.
    expect(404);
    await press(page, 'Detach');
    await atRest(page, 'data');
  });

  it('gives a volume to another project by a key that is shown once', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    await world.volume({ name: 'gift' });
    const { page } = await visit(t, world);
    await signIn(page, PROJECT);
    await page.getByRole('link', { name: 'gift' }).click();
    await begin(page, 'Transfer');
    await press(page, 'Offer');
    const [id = '', key = ''] = await page.getByRole('dialog').locator('code').allTextContents();
    await press(page, 'Close');
    await page.locator('.title .status', { hasText: 'awaiting-transfer' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await signIn(page, OTHER);
    await page.getByRole('link', { name: 'Volumes' }).click();
    await begin(page, 'Accept transfer');
    await page.getByLabel('Transfer', { exact: true }).fill(id);
    await page.getByLabel('Key').fill(key);
    await press(page, 'Accept');
    await atRest(page, 'gift');
    assert.equal((await world.get('/volumes', { project: OTHER })).body.volumes[0].name, 'gift');
  });

  it('groups volumes, snapshots the group, and says at the field what is refused', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    const { page, expect } = await visit(t, world);
    await signIn(page, PROJECT);
    const { group_type: type } = (await world.ask('POST', '/group_types', GROUP_TYPE)).body;
    for (const each of ['data', 'log']) {
      await page.getByRole('link', { name: 'Volumes', exact: true }).click();
      await begin(page, 'Create volume');
      await name(page, each);
      await press(page, 'Create');
      await atRest(page, each);
    }
    const { volumes } = (await world.get('/volumes')).body;
    await page.getByRole('navigation').getByRole('link', { name: 'Groups' }).click();
    await begin(page, 'Create group');
    await name(page, 'pair');
    await page.getByLabel('Type of the group').selectOption(type.name);
    await page.getByLabel('Type of its volumes').selectOption('__DEFAULT__');
    await press(page, 'Create');
    await atRest(page, 'pair');

    await begin(page, 'Add volume');
    await page.getByLabel('Volume', { exact: true }).fill('nonsense');
    expect(400);
    await press(page, 'Add');
    await page.locator('.field .refused', { hasText: 'nonsense' }).waitFor();
    assert.equal(await page.getByLabel('Volume', { exact: true }).getAttribute('aria-invalid'), 'true');
    await page.getByLabel('Volume', { exact: true }).fill(volumes[0].id);
    await press(page, 'Add');
    await page.locator('dd', { hasText: volumes[0].id.slice(0, 8) }).waitFor();
    await atRest(page, 'pair');
    await begin(page, 'Snapshot');
    await name(page, 'at noon');
    await press(page, 'Snapshot');
    await page.locator('tbody').getByRole('link', { name: 'at noon' }).click();
    await atRest(page, 'at noon');
    await begin(page, 'Make a group');
    await name(page, 'copy');
    await press(page, 'Make');
    await atRest(page, 'copy');
    assert.deepEqual(await violations(page), []);
  });

  it('says at the field why nothing is restored, reverted or of another type', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    const volume = await world.volume({ name: 'data', sizeGiB: 1 });
    const older = await world.snapshot(volume, { name: 'older', createdAt: '2026-01-01T00:00:00.000000' });
    await world.snapshot(volume, { name: 'newer' });
    await makeBackup(world.service.db, { projectId: PROJECT, userId: USER, name: 'large', sizeGiB: 2 });
    const { page, expect } = await visit(t, world);
    await signIn(page, PROJECT);
    expect(400);
    const refused = async (where: string, text: RegExp): Promise<void> => {
      await page.getByRole('dialog').locator(where, { hasText: text }).waitFor();
      assert.deepEqual(await violations(page), []);
      await press(page, 'Cancel');
    };
    await page.getByRole('link', { name: 'data' }).click();
    await begin(page, 'Change type');
    await page.getByLabel('New type').selectOption('__DEFAULT__');
    await press(page, 'Change');
    await refused('.field .refused', /is of type __DEFAULT__ already/);

    await page.goto(`${new URL(page.url()).origin}/#/snapshots/${older.id}`);
    await begin(page, 'Revert volume');
    await press(page, 'Revert volume');
    await refused('.general', /newest snapshot only/);

    await page.getByRole('navigation').getByRole('link', { name: 'Backups' }).click();
    await page.locator('tbody').getByRole('link', { name: 'large' }).click();
    await begin(page, 'Restore');
    await page.getByLabel('Into volume').fill(volume.id);
    await press(page, 'Restore');
    await refused('.field .refused', /too small for a backup of 2GiB/);
  });

  it('has a table and a page of each kind, with nothing that axe finds, also at 375 pixels', async (t) => {
    const world = await freshWorld(t, { set: ['api.port=0'] });
    const volume = await world.volume({ name: 'data' });
    await world.snapshot(volume, { name: 'then' });
    const owner = { projectId: PROJECT, userId: USER };
    await makeBackup(world.service.db, { ...owner, name: 'kept' });
    const group = await makeGroup(world.service.db, { ...owner, name: 'pair' });
    const { id: groupId, groupTypeId } = group;
    const of = { ...owner, groupId, groupTypeId, status: 'available' } as const;
    await world.service.db.write((tx) => insertGroupSnapshot(tx, { id: uuid(), name: 'at noon', ...of }));
    const { kept } = newAuthKey();
    const offered = await world.volume({ status: 'awaiting-transfer' });
    await world.service.db.write((tx) =>
      insertTransfer(tx, { volumeId: offered.id, name: 'offer', noSnapshots: false, projectId: PROJECT, kept }),
    );
    const attachment = uuid();
    await world.service.db.write((tx) =>
      insertAttachment(tx, {
        id: attachment,
        projectId: PROJECT,
        volumeId: volume.id,
        instanceId: uuid(),
        attachMode: 'rw',
        attachStatus: 'attached',
      }),
    );
    const { page } = await visit(t, world, { width: 375 });
    await signIn(page, PROJECT);
    for (const [title, shown] of [
      ['Snapshots', 'then'],
      ['Backups', 'kept'],
      ['Attachments', attachment.slice(0, 8)],
      ['Groups', 'pair'],
      ['Group snapshots', 'at noon'],
      ['Transfers', 'offer'],
      ['Types', '__DEFAULT__'],
    ] as const) {
      await page.getByRole('navigation').getByRole('link', { name: title, exact: true }).click();
      await page.getByRole('heading', { name: title, exact: true }).waitFor();
      assert.deepEqual(await violations(page), [], title);
      assert.equal(await isTooWide(page), false, title);
      await page.locator('tbody').getByRole('link', { name: shown }).click();
      await page.locator('.facts').waitFor();
      assert.deepEqual(await violations(page), [], shown);
      assert.equal(await isTooWide(page), false, shown);
    }
  });
});
