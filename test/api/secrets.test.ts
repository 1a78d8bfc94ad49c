/**
 * No secret is where nobody looks for one: planted passwords, tokens and keys are searched for in the log at its most talkative,
 * in every row, in what is told to other programs, and in the answers to requests that failed.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createLog } from '../../src/lib/logging.ts';
import { hashPassword } from '../../src/lib/password.ts';
import { answer, hangUp, identityServer, projectToken } from '../clients/identity-server.ts';
import { identityWorld, passwordOf } from './identity-world.ts';
import { dump, freshWorld, PROJECT, until } from './world.ts';

const PASSWORD = 'planted-password-of-mallory';
const WRONG = 'planted-password-that-is-wrong';
const CREDENTIAL = 'planted-secret-of-a-credential';
const KEY_LOST = 'a key of backups cannot be used';
const WRONG_KEY = 'planted-key-of-no-transfer';

function talkativeLog() {
  const lines: string[] = [];
  return { lines, log: createLog({ level: 'debug', to: { write: (line) => void lines.push(line) } }) };
}

/** Which of the secrets stand in the text. */
const found = (text: string, secrets: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(secrets).flatMap(([name, secret]) => {
    assert.ok(secret.length >= 12, `${name} is too short to be searched for`);
    return text.includes(secret) ? [name] : [];
  });

describe('secrets are in no log, row, event or refusal:', () => {
  it('a key of backups that cannot be used, of which a start says only where it should be', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-keys-'));
    t.after(() => rm(directory, { recursive: true }));
    const [open, lost, good] = ['open', 'lost', 'good'].map((name) => join(directory, name));
    const bytes = Buffer.alloc(32, WRONG_KEY);
    await writeFile(String(open), bytes, { mode: 0o644 });
    await writeFile(String(good), bytes, { mode: 0o600 });
    const { lines, log } = talkativeLog();
    const set = Object.entries({ open, lost, good }).map(([id, path]) => `backup_keys.${id}=${path}`);
    await freshWorld(t, { running: true, log, set });
    const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error');
    assert.deepEqual(
      errors.map(({ msg, err }) => [msg, err.message]),
      [
        [KEY_LOST, `Key open of backups cannot be used: ${open} can be read by others (its mode should be 0600).`],
        [KEY_LOST, `Key lost of backups cannot be used: ${lost} cannot be opened.`],
      ],
    );
    assert.deepEqual(found(lines.join(''), { plain: WRONG_KEY, hex: bytes.toString('hex') }), []);
  });

  it('those of users, tokens, transfers and attachments', async (t) => {
    const { lines, log } = talkativeLog();
    const world = await identityWorld(t, {
      running: true,
      log,
      set: [
        'notifications.drivers=file',
        'log.level=debug',
        `identity.users.mallory.password_hash=${await hashPassword(PASSWORD, { log2N: 10 })}`,
        'identity.users.mallory.roles.demo=admin',
        `identity.application_credentials.mine.secret_hash=${await hashPassword(CREDENTIAL, { log2N: 10 })}`,
        'identity.application_credentials.mine.user=mallory',
        'identity.application_credentials.mine.project=demo',
      ],
    });
    const refusals: string[] = [];
    const note = <T extends { readonly status: number; readonly text: string }>(given: T): T => {
      if (given.status >= 400) refusals.push(given.text);
      return given;
    };
    const signIn = async (body: unknown) => note(await world.identity('POST', '/auth/tokens', { body }));
    const token = String((await signIn(passwordOf('mallory', PASSWORD, 'demo'))).headers['x-subject-token']);
    await signIn(passwordOf('mallory', WRONG, 'demo'));
    await signIn({ auth: { identity: { methods: ['password'], password: { user: { password: WRONG } } } } });
    const user = { name: 'mallory', domain: { id: 'default' } };
    const credential = { name: 'mine', user, secret: CREDENTIAL };
    const identity = { methods: ['application_credential'], application_credential: credential };
    const robot = String((await signIn({ auth: { identity } })).headers['x-subject-token']);

    const as = async (...asked: Parameters<typeof world.as>) => note(await world.as(...asked));
    const made = await as(token, 'POST', '/volumes', { volume: { size: 1, name: 'v' } });
    const { id } = made.body.volume;
    await until(
      () => world.as(token, 'GET', `/volumes/${id}`),
      ({ body }) => body.volume.status === 'available',
    );
    const connector = { host: hostname(), initiator: 'iqn.2004-10.test:here' };
    const attachment = await as(robot, 'POST', '/attachments', { attachment: { volume_uuid: id, connector } });
    assert.equal(attachment.status, 200, attachment.text);
    await as(token, 'DELETE', `/volumes/${id}`);
    const { body } = await as(robot, 'POST', '/volumes', { volume: { size: 1 } });
    await until(
      () => world.as(token, 'GET', `/volumes/${body.volume.id}`),
      ({ body: now }) => now.volume.status === 'available',
    );
    const { transfer } = (
      await as(token, 'POST', '/volume-transfers', { transfer: { volume_id: body.volume.id, name: 't' } })
    ).body;
    const accept = (key: string) =>
      as(token, 'POST', `/volume-transfers/${transfer.id}/accept`, { accept: { auth_key: key } });
    assert.equal((await accept(WRONG_KEY)).status, 400);
    assert.equal((await accept(transfer.auth_key)).status, 202);
    note(
      await world.ask('GET', '/volumes', {
        project: null,
        headers: { 'x-auth-token': token, 'x-service-token': token },
      }),
    );

    const { volume_attachment: opened = [], ...rows } = await dump(world);
    const [{ secret = '' } = {}] = opened as readonly { readonly secret?: string }[];
    const told = await readFile(join(world.config.data_directory, 'notifications.jsonl'), 'utf8');
    assert.ok(
      lines.length > 20 && told.includes('volume.create.end') && refusals.length > 4,
      'there was much to search',
    );
    const secrets = {
      'a password': PASSWORD,
      'a wrong password': WRONG,
      'the secret of a credential': CREDENTIAL,
      'a token': token,
      "a credential's token": robot,
      'the key of a transfer': transfer.auth_key,
      'a wrong key': WRONG_KEY,
      'what opens an export': secret,
    };
    assert.ok(
      lines.some((line) => /"user":"mallory","address":"[\d.:]+".*wrong password/.test(line)),
      'it is told',
    );
    assert.deepEqual(found(lines.join(), secrets), [], 'in the log');
    assert.deepEqual(found(JSON.stringify(rows), secrets), [], 'in a row');
    assert.deepEqual(found(told, secrets), [], 'in an event');
    assert.deepEqual(found(refusals.join(), secrets), [], 'in a refusal');
  });

  it('those for Keystone, whatever it does', async (t) => {
    const { lines, log } = talkativeLog();
    const server = await identityServer(t);
    const world = await freshWorld(t, {
      log,
      set: [
        'log.level=debug',
        'api.auth_strategy=keystone',
        `keystone.auth_url=${server.url}`,
        'keystone.username=pumice',
        `keystone.password=${PASSWORD}`,
      ],
    });
    const refusals: string[] = [];
    const tokens = { 'a token': 'planted-token-of-a-user', "a service's token": 'planted-token-of-a-service' };
    server.tokens.set(tokens['a token'], projectToken(PROJECT, ['member']));
    const ask = async () => {
      const headers = { 'x-auth-token': tokens['a token'], 'x-service-token': tokens["a service's token"] };
      const { status, text } = await world.ask('GET', '/volumes', { project: null, headers });
      assert.ok(status === 401 || status === 503);
      refusals.push(text);
    };
    for (const behaviour of [answer(500, {}), hangUp, answer(401, {})]) {
      server.next.push(behaviour);
      await ask();
    }
    server.next.push(answer(201, { token: projectToken('service', []) }, { 'x-subject-token': 'planted-own-token' }));
    server.next.push(answer(200, { token: {} }, { 'x-subject-token': tokens['a token'] }));
    await ask();
    const secrets = { 'our password': PASSWORD, 'our token': 'planted-own-token', ...tokens };
    assert.ok(lines.length > 3);
    assert.deepEqual(found(lines.join(), secrets), [], 'in the log');
    assert.deepEqual(found(refusals.join(), secrets), [], 'in a refusal');
  });
});
