/** A store on Debian's own Swift behind Debian's own Keystone, which know nothing of us. Run by `swift.sh`. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { SwiftStore } from '../../src/backups/stores/swift-store.ts';
import { NEVER } from '../backups/backup-world.ts';
import { KeystoneProcess } from './keystone-process.ts';
import { noSwift, Swift } from './swift-process.ts';

const PACK = 'scopes/s/packs/b/1-0';
const noKeystone = existsSync('/usr/bin/keystone-manage')
  ? false
  : 'Keystone is not installed; test/compat/swift.sh does it as root';

describe('a container of Swift behind Keystone', { skip: noSwift || noKeystone }, () => {
  it('is found in its catalogue, and kept from whoever has another key', async () => {
    const keystone = await KeystoneProcess.start();
    const { OS_USERNAME: user = '', OS_PASSWORD: key = '', OS_PROJECT_NAME: project = '' } = keystone.env();
    const swift = await Swift.start({
      authtoken: `paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_type = password
auth_url = ${keystone.url}
username = ${user}
password = ${key}
user_domain_name = Default
project_name = ${project}
project_domain_name = Default
interface = public
delay_auth_decision = true`,
      keystoneauth: 'use = egg:swift#keystoneauth\noperator_roles = admin',
    });
    try {
      // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
      const ask = async (path: string, token: string, body: object): Promise<any> => {
        const headers = { 'content-type': 'application/json', 'x-auth-token': token };
        const answer = await fetch(`${keystone.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
        assert.equal(answer.status, 201, path);
        return { ...((await answer.json()) as object), subject: answer.headers.get('x-subject-token') };
      };
      const domain = { name: 'Default' };
      const identity = { methods: ['password'], password: { user: { name: user, password: key, domain } } };
      const auth = { identity, scope: { project: { name: project, domain } } };
      const { subject, token } = await ask('/auth/tokens', '', { auth });
      const { service } = await ask('/services', subject, { service: { type: 'object-store', name: 'swift' } });
      const url = `${swift.url}/v1/AUTH_%(project_id)s`;
      await ask('/endpoints', subject, { endpoint: { service_id: service.id, interface: 'public', url } });
      const account = `${swift.url}/v1/AUTH_${token.project.id}`;
      const made = await fetch(`${account}/backups`, { method: 'PUT', headers: { 'x-auth-token': subject } });
      assert.equal(made.status, 201);

      const address = swift.address('backups', { authUrl: keystone.url, authVersion: '3', user, key, project });
      const store = new SwiftStore(address);
      assert.equal(await store.putNew(PACK, Buffer.from('there'), NEVER), true);
      assert.equal((await store.get(PACK, NEVER)).toString(), 'there');
      for (const wrong of [{ key: 'another' }, { user: 'nobody' }, { project: 'another' }])
        await assert.rejects(new SwiftStore({ ...address, ...wrong }).get(PACK, NEVER), {
          name: 'BackupStoreRefused',
          message: /refused our credentials \(401\)/,
        });
    } finally {
      await swift.remove();
      await keystone.remove();
    }
  });
});
