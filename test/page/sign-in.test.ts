/** Signing in, in a browser, in each way that a site may be configured for. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { identityWorld, OTHER_PROJECT } from '../api/identity-world.ts';
import { freshWorld, PROJECT } from '../api/world.ts';
import { identityServer } from '../clients/identity-server.ts';
import { describeInBrowser, isTooWide, signIn, violations, visit } from './browser.ts';

describeInBrowser('signing in', () => {
  it('without passwords chooses a project, suggests those that have something, and lasts over a reload', async (t) => {
    const world = await freshWorld(t, { set: ['api.port=0'] });
    await world.volume({ name: 'ours' });
    await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
    const { page } = await visit(t, world);
    await page.getByText('everybody is an administrator').waitFor();
    assert.equal(await page.getByLabel('Project').inputValue(), PROJECT);
    assert.deepEqual(await violations(page), []);
    await signIn(page, PROJECT);
    await page.getByRole('link', { name: 'ours' }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: 'ours' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    assert.deepEqual(await page.context().cookies(), []);
  });

  it('by a password of the own users says what is not right, and changes between projects', async (t) => {
    const world = await identityWorld(t, { set: ['api.port=0'] });
    await world.volume({ name: 'in demo' });
    await world.volume({ name: 'in other', projectId: OTHER_PROJECT });
    const { page, expect } = await visit(t, world, { width: 375 });
    await page.getByLabel('User').and(page.locator(':focus')).waitFor();
    await page.keyboard.type('bob');
    await page.keyboard.press('Tab');
    await page.keyboard.type('wrong');
    expect(401);
    await page.keyboard.press('Enter');
    await page.getByText('The user or the password is not right.').waitFor();
    assert.deepEqual(await violations(page), []);
    assert.equal(await isTooWide(page), false);
    await page.getByLabel('Password').fill('bob');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'in demo' }).waitFor();
    await page.getByLabel('Project').selectOption('other');
    await page.getByRole('link', { name: 'in other' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'in demo' }).count(), 0);
  });

  it('by a password of Keystone’s asks for the domain too, and comes back to the form when the session ends', async (t) => {
    const keystone = await identityServer(t);
    keystone.people.set('eve', [{ id: PROJECT, name: 'demo', roles: ['reader'] }]);
    const world = await freshWorld(t, {
      set: [
        'api.port=0',
        'api.auth_strategy=keystone',
        `keystone.auth_url=${keystone.url}/v3`,
        'keystone.username=cinder',
        'keystone.password=secret',
        'keystone.token_cache_time=0',
      ],
    });
    await world.volume({ name: 'ours' });
    const { page, expect } = await visit(t, world);
    assert.equal(await page.getByLabel('Domain').inputValue(), 'Default');
    await page.getByLabel('User').fill('eve');
    await page.getByLabel('Password').fill('eve');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: 'ours' }).waitFor();
    expect(401);
    keystone.tokens.clear();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    assert.match(page.url(), /#?\/?(volumes)?$/);
  });
});
