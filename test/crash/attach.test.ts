/**
 * Volumes attached over iSCSI, with the real program, the real tgtd and a real initiator: what was written is there, in every
 * copy and after every death, and who is detached reaches nothing any more.
 */
import assert from 'node:assert/strict';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Bench, withPumice } from '../cli/pumice-process.ts';
import { killTgtd, noTgt } from '../drivers/exports/tgt-world.ts';
import { freePort } from '../free-port.ts';
import { condition } from './condition.ts';
import { byteOf, Initiator, noInitiator, type Reached, type Writer } from './iscsi-client.ts';

const MIB = 1024 ** 2;
const LATE_MS = 60_000;
const NAME = 'iqn.2004-10.test:client';
const CONNECTOR = { host: 'client', initiator: NAME };
const HEIR = 'iqn.2004-10.test:heir';

/** What an initiator says that is not let in. */
const REFUSED = /Failed to (log|connect)/i;

interface Attached {
  readonly id: string;
  readonly reached: Reached;
}

/** Asks a service that may be another one after each start. */
class Client {
  address = '';

  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  async ask(method: string, path: string, body?: object, expected: readonly number[] = [200, 202, 204]): Promise<any> {
    const response = await fetch(`${this.address}/v3/cafe${path}`, {
      method,
      headers: {
        'x-auth-token': 'demo:cafe',
        'openstack-api-version': 'volume 3.71',
        'content-type': 'application/json',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(expected.includes(response.status), `${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async made(kind: 'volume' | 'snapshot', wish: object): Promise<string> {
    const { id } = (await this.ask('POST', `/${kind}s`, { [kind]: wish }))[kind];
    await this.becomes(`/${kind}s/${id}`, kind, 'available');
    return id;
  }

  async becomes(path: string, kind: string, status: string): Promise<void> {
    await condition(`${path} is ${status}`, LATE_MS, async () => {
      const now = (await this.ask('GET', path))[kind].status;
      assert.notEqual(now, 'error');
      return now === status;
    });
  }

  /** Asks until it is let in. */
  async attachSoon(volumeId: string, connector: object): Promise<Attached> {
    const wish = { attachment: { volume_uuid: volumeId, connector } };
    let attached: Attached | undefined;
    await condition(`${volumeId} is free`, LATE_MS, async () => {
      const { attachment } = await this.ask('POST', '/attachments', wish, [200, 400]);
      if (attachment) attached = { id: attachment.id, reached: attachment.connection_info };
      return attached !== undefined;
    });
    return attached as unknown as Attached;
  }

  async attach(volumeId: string): Promise<Attached> {
    const { attachment } = await this.ask('POST', '/attachments', {
      attachment: { volume_uuid: volumeId, connector: CONNECTOR },
    });
    await this.ask('POST', `/attachments/${attachment.id}/action`, { 'os-complete': null });
    return { id: attachment.id, reached: attachment.connection_info };
  }
}

interface Site {
  readonly client: Client;
  readonly directory: string;
  start(): Promise<ReturnType<Bench['run']>>;
  file(kind: string, id: string): string;
}

async function onSite(body: (site: Site) => Promise<void>): Promise<void> {
  await withPumice(async ({ directory, run }) => {
    const port = await freePort();
    const client = new Client();
    const started: ReturnType<Bench['run']>[] = [];
    const iscsi = [
      'driver=file',
      `path=${join(directory, 'volumes')}`,
      'create=true',
      'target_protocol=iscsi',
      `target_port=${port}`,
    ].flatMap((each) => ['--set', `backends.file.${each}`]);
    try {
      await body({
        client,
        directory,
        start: async () => {
          const pumice = run('serve', '--data', directory, '--set', 'api.port=0', ...iscsi);
          started.push(pumice);
          client.address = await pumice.address();
          return pumice;
        },
        file: (kind, id) => join(directory, 'volumes', `${kind}-${id}`),
      });
    } finally {
      // A Pumice that lives would start its tgtd again.
      for (const pumice of started) pumice.signal('SIGKILL');
      await Promise.all(started.map((pumice) => pumice.ended()));
      await killTgtd(directory);
    }
  });
}

/** Every mebibyte that was answered to have been written is what was written. */
async function holdsWritten(path: string, mebibytes: readonly number[]): Promise<void> {
  const file = await open(path, 'r');
  try {
    for (const at of mebibytes) {
      const { buffer } = await file.read(Buffer.alloc(MIB), 0, MIB, at * MIB);
      assert.ok(buffer.equals(Buffer.alloc(MIB, byteOf(at))), `mebibyte ${at} of ${path}`);
    }
  } finally {
    await file.close();
  }
}

async function whileWriting(writer: Writer, body: () => Promise<void>): Promise<void> {
  try {
    await writer.wrote(3);
    await body();
  } finally {
    await writer.kill();
  }
}

describe('a volume that is attached over iSCSI', { skip: noTgt ?? noInitiator ?? false }, () => {
  test('is written, copied and extended while it is written, and shut to who is not to reach it', () =>
    onSite(async ({ client, directory, start, file }) => {
      await start();
      const [volume, other] = [
        await client.made('volume', { size: 1 }),
        await client.made('volume', { size: 1 }),
      ] as const;
      const { id, reached } = await client.attach(volume);
      const initiator = await Initiator.of(NAME, reached, directory);
      await initiator.io('write -P 0xaa 512M 8M', 'flush');

      let snapshot = '';
      let clone = '';
      const writer = initiator.writing(400);
      await whileWriting(writer, async () => {
        snapshot = await client.made('snapshot', { volume_id: volume, force: true });
        clone = await client.made('volume', { size: 1, source_volid: volume });
        await client.ask('POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: 2 } });
        await client.becomes(`/volumes/${volume}`, 'volume', 'in-use');
        await writer.done();
      });
      assert.equal(writer.written.length, 400);
      await holdsWritten(file('volume', volume), writer.written);
      await initiator.io('write -P 0xcc 512M 8M', 'write -P 0xdd 1536M 8M', 'flush');
      await initiator.io('read -P 0xcc 512M 8M', 'read -P 0xdd 1536M 8M', 'read -P 0 1800M 8M');
      assert.match(await initiator.io('length'), /^2 GiB$/m);

      const old = await client.attach(await client.made('volume', { size: 1, snapshot_id: snapshot }));
      const copy = await client.attach(clone);
      for (const each of [old, copy])
        await (await Initiator.of(NAME, each.reached, directory)).io('read -P 0xaa 512M 8M');

      const second = await client.attach(other);
      const wwids = await Promise.all(
        [reached, old.reached, copy.reached, second.reached].map(async (each) =>
          (await Initiator.of(NAME, each, directory)).wwid(),
        ),
      );
      assert.equal(new Set(wwids).size, wwids.length, wwids.join('\n'));

      const wrong = { ...reached, auth_password: 'wrongwrongwrong1' };
      const strangers = [
        await Initiator.of(NAME, wrong, directory),
        await Initiator.of(NAME, { ...reached, auth_username: second.reached.auth_username }, directory),
        await Initiator.of('iqn.2004-10.test:stranger', reached, directory),
      ];
      for (const stranger of strangers) await assert.rejects(stranger.io('read 0 512'), REFUSED);

      await client.ask('DELETE', `/attachments/${id}`);
      await client.becomes(`/volumes/${volume}`, 'volume', 'available');
      await assert.rejects(initiator.io('read 0 512'), REFUSED);
      await (await Initiator.of(NAME, second.reached, directory)).io('read -P 0 0 512');
    }));

  test('is cut from its writer by a reset, before a second one gets in', () =>
    onSite(async ({ client, directory, start, file }) => {
      await start();
      const volume = await client.made('volume', { size: 1 });
      const first = await client.attach(volume);
      const writer = (await Initiator.of(NAME, first.reached, directory)).writing(900);
      await whileWriting(writer, async () => {
        const reset = client.ask('POST', `/volumes/${volume}/action`, {
          'os-reset_status': { status: 'available', attach_status: 'detached' },
        });
        // Whoever asks all the time gets in as soon as it may be.
        const second = await client.attachSoon(volume, { host: 'heir', initiator: HEIR });
        const { mtimeNs } = await stat(file('volume', volume), { bigint: true });
        const answered = writer.written.length;
        assert.ok(answered < 900, 'it was cut in the middle');
        await reset;
        const old = await Initiator.of(NAME, first.reached, directory);
        for (const _ of [1, 2, 3]) await assert.rejects(old.io('write 0 512'));
        assert.equal((await stat(file('volume', volume), { bigint: true })).mtimeNs, mtimeNs);
        await holdsWritten(file('volume', volume), writer.written);

        const heir = await Initiator.of(HEIR, second.reached, directory);
        await heir.io('write -P 0xee 0 8M', 'flush');
        await heir.io('read -P 0xee 0 8M');
        const { attachments } = (await client.ask('GET', `/volumes/${volume}`)).volume;
        assert.deepEqual(attachments, []);
        const rows = (await client.ask('GET', `/attachments?volume_id=${volume}`)).attachments;
        assert.deepEqual(
          rows.map(({ id }: { id: string }) => id),
          [second.id],
        );
      });
    }));

  test('is cut from a client in mid-write by force, before it says that it is free', () =>
    onSite(async ({ client, directory, start, file }) => {
      await start();
      const volume = await client.made('volume', { size: 1 });
      const { reached } = await client.attach(volume);
      const initiator = await Initiator.of(NAME, reached, directory);
      const writer = initiator.writing(900);
      await whileWriting(writer, async () => {
        await client.ask('POST', `/volumes/${volume}/action`, { 'os-force_detach': {} });
        assert.equal((await client.ask('GET', `/volumes/${volume}`)).volume.status, 'available');
        const { mtimeNs } = await stat(file('volume', volume), { bigint: true });
        const answered = writer.written.length;
        assert.ok(answered < 900, 'it was cut in the middle');
        for (const _ of [1, 2, 3]) await assert.rejects(initiator.io('write 0 512'));
        assert.equal((await stat(file('volume', volume), { bigint: true })).mtimeNs, mtimeNs);
        await holdsWritten(file('volume', volume), writer.written);
      });
    }));

  test('loses nothing that was answered when tgtd is killed, and when Pumice is', () =>
    onSite(async ({ client, directory, start, file }) => {
      const first = await start();
      const [volume, leaving] = [
        await client.made('volume', { size: 1 }),
        await client.made('volume', { size: 1 }),
      ] as const;
      const { id, reached } = await client.attach(volume);
      const left = await client.attach(leaving);
      const initiator = await Initiator.of(NAME, reached, directory);

      const writer = initiator.writing(300);
      await whileWriting(writer, async () => {
        assert.ok((await killTgtd(directory)) > 0);
        await holdsWritten(file('volume', volume), writer.written);
        await writer.done();
      });
      await holdsWritten(file('volume', volume), writer.written);

      const another = initiator.writing(300);
      await whileWriting(another, async () => {
        first.signal('SIGKILL');
        await first.ended();
        // Nobody is there to be asked, and the client goes on.
        await another.done();
        await start();
      });
      const { attachment } = await client.ask('GET', `/attachments/${id}`);
      assert.deepEqual(attachment.connection_info, reached);
      await initiator.io(`read -P ${byteOf(299)} 299M 1M`);
      await client.ask('DELETE', `/attachments/${left.id}`);
      await assert.rejects((await Initiator.of(NAME, left.reached, directory)).io('read 0 512'), REFUSED);
      await client.ask('DELETE', `/attachments/${id}`);
      await assert.rejects(initiator.io('read 0 512'), REFUSED);
      assert.equal(await killTgtd(directory), 0);
    }));
});
