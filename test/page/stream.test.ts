/** The stream of changes in a browser: one for all tabs, and what it tells is shown without being asked for. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { it } from 'node:test';
import { freshWorld, PROJECT } from '../api/world.ts';
import { describeInBrowser, signIn, visit } from './browser.ts';

/** Whatever would come after a second or more never comes: the page asks for nothing by itself. */
const NO_POLLING = `{
  const real = window.setTimeout;
  window.setTimeout = (body, ms, ...more) => (ms >= 1000 ? 0 : real(body, ms, ...more));
}`;

describeInBrowser('the stream', () => {
  it('is one for all tabs, and what changes is shown in each without asking again and again', async (t) => {
    const world = await freshWorld(t, { running: true, set: ['api.port=0'] });
    let streams = 0;
    world.service.api.server.on('request', ({ url }: IncomingMessage) => {
      if (url?.startsWith('/pumice/v1/events')) streams += 1;
    });
    const { page, address } = await visit(t, world, { at: '#/elsewhere' });
    const context = page.context();
    await context.addInitScript(NO_POLLING);
    await signIn(page, PROJECT);
    const tabs = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const tab = await context.newPage();
        await tab.goto(`${address}/#/volumes`);
        await tab.getByText('There is no volume yet').waitFor();
        return tab;
      }),
    );
    await world.ask('POST', '/volumes', { body: { volume: { size: 1, name: 'told of' } } });
    for (const tab of tabs) {
      await tab.bringToFront();
      await tab.getByRole('row', { name: 'told of' }).getByText('available').waitFor();
    }
    assert.equal(streams, 1);
  });

  it('of one tab follows another that is signed in as somebody else', async (t) => {
    const world = await freshWorld(t, { set: ['api.port=0'] });
    await world.volume({ name: 'here' });
    await world.volume({ name: 'there', projectId: 'ffff' });
    const { page, address } = await visit(t, world);
    await signIn(page, PROJECT);
    await page.getByRole('link', { name: 'here' }).waitFor();
    const other = await page.context().newPage();
    await other.goto(`${address}/#/volumes`);
    await other.getByRole('button', { name: 'Sign out' }).click();
    await other.getByRole('button', { name: 'Sign in' }).waitFor();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await signIn(other, 'ffff');
    await page.getByRole('link', { name: 'there' }).waitFor();
  });
});
