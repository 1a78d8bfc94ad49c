/** Volumes in a browser: made, looked for, grown, deleted, refused, and whose requests are taken. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { freshWorld, PROJECT, type World, type WorldOptions } from '../api/world.ts';
import { httpServer } from '../clients/http-server.ts';
import { condition } from '../crash/condition.ts';
import { describeInBrowser, isTooWide, signIn, type VisitOptions, violations, visit } from './browser.ts';

const MANY = 100_000;
const MARKUP = '<img src=x onerror=alert(1)><b>bold</b>';

async function open(t: TestContext, world: World, options?: VisitOptions) {
  const visited = await visit(t, world, options);
  await signIn(visited.page, PROJECT);
  return visited;
}

const start = (t: TestContext, options: WorldOptions = {}): Promise<World> =>
  freshWorld(t, { ...options, set: ['api.port=0', ...(options.set ?? [])] });

describeInBrowser('volumes', () => {
  it('are created, become available, grow and are deleted, each seen as it happens', async (t) => {
    const { page, expect } = await open(t, await start(t, { running: true }));
    await page.getByText('There is no volume yet').waitFor();
    await page.getByRole('button', { name: 'Create volume' }).click();
    await page.getByRole('dialog').getByText('Volumes: 0 of 10').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByLabel('Name', { exact: true }).fill('first');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'first' }).waitFor();
    await page.getByText('available').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Extend' }).click();
    await page.getByLabel('New size').fill('3');
    await page.getByRole('dialog').getByRole('button', { name: 'Extend' }).click();
    await page.getByText('3 GiB').waitFor();
    await page.getByText('available').waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    // What is shown may be asked for once more when it has just gone.
    expect(404);
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('heading', { name: 'Volumes' }).waitFor();
    await page.getByText('There is no volume yet').waitFor();
  });

  it('that are refused say why in the service’s words, at the field that they are about', async (t) => {
    const { page, expect } = await open(t, await start(t, { set: ['quota.quota_gigabytes=5'] }));
    await page.getByRole('button', { name: 'Create volume' }).click();
    const size = page.getByLabel('Size');
    for (const [typed, words, status] of [
      ['none', /\/volume\/size/, 400],
      ['0', /\/volume\/size/, 400],
      ['9', /VolumeSizeExceedsAvailableQuota/, 413],
    ] as const) {
      await size.fill(typed);
      expect(status);
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page.getByRole('dialog').getByText(words).waitFor();
      // The words of the last refusal stand there until the next comes.
      const isAtIt = () =>
        size.evaluate((field) => field.ariaInvalid === 'true' && field === field.ownerDocument.activeElement);
      await condition(`the field is what the refusal of ${typed} is about`, 5_000, isAtIt);
    }
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    assert.equal(await page.getByRole('dialog').count(), 0);
  });

  it('are found by a part of the name and by status, sorted, and shown page by page', async (t) => {
    const world = await start(t);
    for (let index = 0; index < 60; index += 1)
      await world.volume({
        name: `row-${index}`,
        sizeGiB: 100 - index,
        status: index % 2 === 0 ? 'available' : 'error',
      });
    const { page } = await open(t, world);
    const names = () => page.locator('tbody th').allTextContents();
    await page.getByText('50 volumes on this page').waitFor();
    assert.equal((await names())[0], 'row-59', 'the newest first');
    await page.getByRole('link', { name: 'Next page' }).click();
    await page.getByText('10 volumes').waitFor();
    assert.equal((await names()).at(-1), 'row-0');
    await page.goBack();
    await page.getByText('50 volumes on this page').waitFor();
    await page.getByLabel('Part of the name').fill('row-1');
    await page.getByText('11 volumes').waitFor();
    await page.getByLabel('Status').selectOption('error');
    await page.getByText('6 volumes').waitFor();
    await page.getByRole('link', { name: 'Size' }).click();
    await page.getByRole('columnheader', { name: 'Size' }).and(page.locator('[aria-sort=descending]')).waitFor();
    await page.locator('tbody tr:first-child', { hasText: 'row-1' }).filter({ hasText: '99 GiB' }).waitFor();
    await page.getByLabel('Part of the name').fill('nothing');
    await page.getByText('No volume is like that').waitFor();
  });

  it('are right among a hundred thousand: found, sorted, and shown page by page', async (t) => {
    const world = await start(t);
    const { id } = await world.volume({ name: 'row-0', sizeGiB: 1 });
    await world.service.db.write((tx) =>
      tx.connection.run(`
        INSERT INTO volume (id, project_id, user_id, name, size_gib, status, attach_status, host, availability_zone,
          volume_type_id, bootable, multiattach, use_quota, metadata, admin_metadata, created_at, updated_at, revision)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY - 1})
        SELECT printf('%08x', (i * 2654435761) % 4294967296) || '-0000-4000-8000-' || printf('%012d', i), project_id, user_id,
          'row-' || i, CASE i WHEN 7 THEN 900 ELSE 2 END, CASE i % 10000 WHEN 1 THEN 'error' ELSE status END, attach_status, host,
          availability_zone, volume_type_id, 0, 0, 1, '{}', '{}', '2026-01-01T00:00:00.' || printf('%06d', i), NULL, 1
        FROM n, volume WHERE id = '${id}'`),
    );
    const { page } = await open(t, world);
    const names = () => page.locator('tbody th').allTextContents();
    await page.getByText('50 volumes on this page').waitFor();
    const pages: string[][] = [];
    for (const next of [true, true, false]) {
      await page.locator('tbody tr').nth(49).waitFor();
      pages.push(await names());
      if (next) {
        const [first] = pages.at(-1) as [string];
        await page.getByRole('link', { name: 'Next page' }).click();
        await page
          .locator('tbody th')
          .first()
          .filter({ hasNotText: new RegExp(`^${first}$`) })
          .waitFor();
      }
    }
    const shown = pages.flat();
    assert.equal(new Set(shown).size, 150, 'none twice');
    const newest = Array.from({ length: MANY - 1 }, (_, index) => `row-${MANY - 1 - index}`);
    assert.deepEqual(shown, ['row-0', ...newest].slice(0, 150));
    await page.getByLabel('Part of the name').fill('w-7777');
    await page.getByText('11 volumes').waitFor();
    await page.getByLabel('Part of the name').fill('');
    await page.getByLabel('Status').selectOption('error');
    await page.getByText('10 volumes').waitFor();
    await page.getByLabel('Status').selectOption('');
    await page.getByRole('link', { name: 'Size' }).click();
    await page.locator('tbody tr:first-child', { hasText: 'row-7' }).filter({ hasText: '900 GiB' }).waitFor();
  });

  for (const dark of [false, true]) {
    it(`fit a window of 375 pixels ${dark ? 'in the dark' : 'by day'}, where the table is moved by keys`, async (t) => {
      const world = await start(t);
      const { id } = await world.volume({ name: MARKUP, description: MARKUP, metadata: { [MARKUP]: MARKUP } });
      const { page } = await open(t, world, { width: 375, dark });
      await page.getByRole('link', { name: MARKUP }).waitFor();
      assert.equal(await isTooWide(page), false);
      assert.deepEqual(await violations(page), []);
      const table = page.getByRole('region', { name: 'Table of volumes' });
      await table.focus();
      await page.keyboard.press('ArrowRight');
      // A predicate that is text would be compiled in the page, which its policy forbids.
      const moved = () => page.evaluate<boolean>('document.querySelector("section.scroll").scrollLeft > 0');
      await condition('the table has moved', 10_000, moved);
      await page.getByRole('link', { name: MARKUP }).click();
      await page.getByText(id).waitFor();
      assert.equal((await page.getByText(MARKUP).count()) >= 3, true, 'markup is text wherever it is shown');
      assert.equal(await isTooWide(page), false);
      assert.deepEqual(await violations(page), []);
    });
  }

  it('are not made by a page at another port of this host, whatever it sends', async (t) => {
    const world = await start(t);
    const { page, address } = await open(t, world);
    const from = await httpServer(t, (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(`<form method="post" action="${address}/v3/volumes" enctype="text/plain">
        <input name='{"volume":{"size":1,"name":"' value='forged"}}'></form>`);
    });
    const forger = await page.context().newPage();
    await forger.goto(from);
    const [answer] = await Promise.all([
      forger.waitForResponse(`${address}/v3/volumes`),
      forger.evaluate('document.forms[0].submit()'),
    ]);
    assert.equal(answer.status(), 403);
    assert.match(String((await answer.request().allHeaders()).cookie), /^pumice_/, 'the browser did send the cookie');
    // The form may still be on its way to where it led.
    const other = await page.context().newPage();
    await other.goto(from);
    const script = `fetch('${address}/v3/volumes', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"volume":{"size":1}}' })`;
    assert.equal(await other.evaluate(`${script}.then(({ type }) => type)`), 'opaque', 'it went, and came to nothing');
    assert.deepEqual((await world.get('/volumes')).body.volumes, []);
  });
});
