/** Flows in a browser: what runs now, the time line of a resource, why it failed, and what an operator orders. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { freshWorld, PROJECT, type World } from '../api/world.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { describeInBrowser, isTooWide, signIn, violations, visit } from './browser.ts';

/** A volume that a flow makes. Nobody runs it, so it is where it is put. */
async function underWay(t: TestContext) {
  const world = await freshWorld(t, { set: ['api.port=0'] });
  const { id } = await world.volume({ name: 'web', status: 'creating' });
  const flow = await beginFlow(world.service.db, `volume:${id}`, { projectId: PROJECT });
  const put = (values: { readonly [column: string]: string | null }) =>
    world.service.db.write(({ db }) => db.updateTable('flow').set(values).where('id', '=', flow).execute());
  const { node } = (await world.get(`//pumice/v1/flows/${flow}`)).body.now;
  const at = (progress: number) =>
    put({
      state: 'running',
      doing: JSON.stringify({ node, since: fromNow(-41_000), progress, copying: null }),
    });
  return { world, id, flow, put, at };
}

const open = (page: Page, view: string): Promise<void> =>
  page.getByRole('navigation').getByRole('link', { name: view }).click();

async function failedCreate(world: World): Promise<string> {
  const extraSpecs = { volume_backend_name: 'nowhere' };
  await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold', extraSpecs }));
  const { body } = await world.ask('POST', '/volumes', {
    body: { volume: { size: 1, name: 'lost', volume_type: 'gold' } },
  });
  return body.volume.id;
}

describeInBrowser('flows', () => {
  it('that run are on the first view with how far they are, until they end', async (t) => {
    const { world, put, at } = await underWay(t);
    await at(0.42);
    const { page } = await visit(t, world, { at: '' });
    await signIn(page, PROJECT);
    await page.getByRole('heading', { name: 'Running 1' }).waitFor();
    await page.getByText('42 %').waitFor();
    await page.getByText('Volumes: 0 of').waitFor();
    await page.getByRole('link', { name: '1 creating' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await at(0.87);
    await page.getByText('87 %').waitFor();
    await put({ state: 'success', ended_at: fromNow(0), doing: null });
    await page.getByText('Nothing runs now').waitFor();
  });

  it('that run say for how long while nothing is told of them, without asking', async (t) => {
    const { world, id, at } = await underWay(t);
    await at(0.42);
    const { page } = await visit(t, world, { at: `#/volumes/${id}` });
    await signIn(page, PROJECT);
    const took = page.locator('.lines .now .took');
    await took.waitFor();
    let asked = 0;
    page.on('request', (request) => {
      if (request.url().includes('/pumice/v1/flows/')) asked += 1;
    });
    const before = await took.textContent();
    await page.locator('.lines .now .took', { hasNotText: before ?? '' }).waitFor();
    assert.equal(asked, 0);
  });

  it('that are stuck stand first, and are resumed by an operator, who says why', async (t) => {
    const { world, flow, put } = await underWay(t);
    await put({ state: 'stuck' });
    const { page } = await visit(t, world, { at: '' });
    await signIn(page, PROJECT);
    await page.getByRole('heading', { name: 'Stuck 1' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('link', { name: 'create volume' }).click();
    await page.locator('.flow').getByText('waits for an operator').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByLabel('Reason').fill('there is room again');
    await page.getByRole('dialog').getByRole('button', { name: 'Resume the flow' }).click();
    await page.getByText('The order is given').waitFor();
    await page.getByText('there is room again').waitFor();
    const { body } = await world.get(`//pumice/v1/flows/${flow}`);
    assert.equal(body.wish, 'resume');
  });

  it('of a volume are its time line, with the reason of a failure in plain words', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    const id = await failedCreate(world);
    const { page } = await visit(t, world, { at: `#/volumes/${id}` });
    await signIn(page, PROJECT);
    const line = page.getByRole('article', { name: 'create volume' });
    await line.getByText('failed, and undone').waitFor();
    await line.locator('.reason').waitFor();
    await line.getByText('may be tried again').waitFor();
    assert.deepEqual(await violations(page), []);
    await line.getByRole('link', { name: 'create volume' }).click();
    await page.getByText(/^Every step/).click();
    await page.getByRole('region', { name: 'Every step' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await open(page, 'Overview');
    await page.getByRole('heading', { name: 'Failed lately' }).waitFor();
    await page.getByRole('link', { name: 'lost' }).waitFor();
  });

  it('are shown as they get on, also in a narrow window', async (t) => {
    const { world, id, at, put } = await underWay(t);
    await at(0.5);
    const { page } = await visit(t, world, { at: `#/volumes/${id}`, width: 375, dark: true });
    await signIn(page, PROJECT);
    await page.locator('.now').getByText('50 %').waitFor();
    await page.getByRole('heading', { name: 'What is it doing?' }).waitFor();
    await page
      .locator('.why')
      .getByText(/^create_volume .* is at task/)
      .waitFor();
    await page.locator('.next').first().waitFor();
    assert.equal(await isTooWide(page), false);
    assert.deepEqual(await violations(page), []);
    await at(0.75);
    await page.locator('.now').getByText('75 %').waitFor();
    await put({ state: 'success', ended_at: fromNow(0), doing: null });
    await page.getByText('It took').waitFor();
    await open(page, 'Flows');
    await page.getByLabel('Status').selectOption('running');
    await page.getByText('No flow is like that').waitFor();
    assert.equal(await isTooWide(page), false);
    assert.deepEqual(await violations(page), []);
  });
});
