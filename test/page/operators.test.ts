/** What only administrators see in a browser: alarms with what to do, and the hosts with their room. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { beginAlarm } from '../../src/db/alarms.ts';
import { now } from '../../src/lib/clock.ts';
import { identityWorld } from '../api/identity-world.ts';
import { freshWorld, PROJECT } from '../api/world.ts';
import { freePort } from '../free-port.ts';
import { describeInBrowser, isTooWide, signIn, violations, visit } from './browser.ts';

describeInBrowser('operators', () => {
  it('see each alarm on the first view, with what it means and what to do', async (t) => {
    const world = await freshWorld(t, { set: ['api.port=0'] });
    const alarm = {
      alarm: 'pool_nearly_full',
      about: 'pool node@file#file',
      message: 'The pool is nearly full.',
      since: now(),
    };
    await world.service.db.write((tx) => beginAlarm(tx, alarm as Parameters<typeof beginAlarm>[1]));
    const { page } = await visit(t, world, { at: '', width: 375 });
    await signIn(page, PROJECT);
    await page.getByRole('heading', { name: 'Alarms 1' }).waitFor();
    await page.getByText('The pool is nearly full.').waitFor();
    await page.getByText(/^Do: make room/).waitFor();
    assert.deepEqual(await violations(page), []);
    assert.equal(await isTooWide(page), false);
  });

  it('see the hosts, whether they are heard of, and their pools', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    const { page } = await visit(t, world);
    await signIn(page, PROJECT);
    await page.getByRole('link', { name: 'Hosts' }).click();
    await page
      .getByRole('row', { name: /^node@/ })
      .getByText('up')
      .waitFor();
    await page.getByRole('heading', { name: 'Pools' }).waitFor();
    assert.deepEqual(await violations(page), []);
  });

  it('see where events go, since when a webhook fails, what waits for it, and when it is tried next', async (t) => {
    const url = `http://127.0.0.1:${await freePort()}/`;
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const set = ['api.port=0', `webhooks.billing.url=${url}`, `webhooks.billing.secret=${secret}`];
    const world = await freshWorld(t, { running: true, set });
    const { id } = await world.volume();
    await world.ask('PUT', `/volumes/${id}`, { body: { volume: { name: 'n' } } });
    const { page } = await visit(t, world, { at: '#/hosts', width: 375 });
    await signIn(page, PROJECT);
    await page.getByRole('heading', { name: 'Where events go' }).waitFor();
    const sink = page.getByRole('row', { name: /^webhook:billing/ });
    await sink.getByText('failing').waitFor();
    await sink.getByText('The webhook billing').waitFor();
    await page
      .getByRole('row', { name: new RegExp(`^volume ${id.slice(0, 8)}`) })
      .getByText('The webhook billing')
      .waitFor();
    assert.deepEqual(await violations(page), []);
    assert.equal(await isTooWide(page), false);
  });

  it('let the doctor look, and read what it has found and what to do', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    await world.volume({ name: 'data' });
    // Its row alone: nobody has counted it.
    const { page } = await visit(t, world, { at: '#/doctor', width: 375 });
    await signIn(page, PROJECT);
    await page.getByText('It has not looked since this server began.').waitFor();
    await page.getByRole('button', { name: 'Examine' }).click();
    await page.getByText('It has looked').waitFor();
    await page.getByText(/volumes is kept as 0, counted 1/).waitFor();
    await page.getByText('usage is counted again').waitFor();
    assert.deepEqual(await violations(page), []);
    assert.equal(await isTooWide(page), false);
  });

  it('alone do: a member is offered none of it', async (t) => {
    const world = await identityWorld(t, { set: ['api.port=0'] });
    const { page } = await visit(t, world, { at: '' });
    await page.getByLabel('User').fill('bob');
    await page.getByLabel('Password').fill('bob');
    await page.keyboard.press('Enter');
    await page.getByText('Nothing runs now').waitFor();
    await page.getByText('Volumes: 0 of').waitFor();
    for (const name of ['Hosts', 'Doctor'])
      assert.equal(await page.getByRole('navigation').getByRole('link', { name }).count(), 0);
    assert.deepEqual(await violations(page), []);
  });
});
