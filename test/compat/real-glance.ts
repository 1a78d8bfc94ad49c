/**
 * Volumes from images of Debian's own Glance, which knows nothing of us: first one that believes in headers who asks it, then
 * one behind Debian's Keystone. Run by `glance.sh`.
 *
 * Glance is killed while it sends an image, its data is changed behind its back, images are deleted meanwhile: what becomes a
 * volume is what the image's owner has put there, and what fails leaves nothing.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { diskImages } from '../flows/site-images.ts';
import { GlanceProcess } from './glance-process.ts';
import { KeystoneProcess } from './keystone-process.ts';
import { liveService } from './live-service.ts';

const DEADLINE_MS = 60_000;
const LARGE_BYTES = 192 * 1024 ** 2;

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const noGlance = isInstalled('glance-manage')
  ? false
  : 'Glance is not installed; test/compat/glance.sh does it as root';
const noKeystone = isInstalled('keystone-manage')
  ? false
  : 'Keystone is not installed; test/compat/glance.sh does it as root';

type Headers = Readonly<Record<string, string>>;

interface NewImage {
  readonly id?: string;
  readonly name?: string;
  readonly diskFormat?: string;
  readonly visibility?: string;
  readonly properties?: Headers;
}

/** Puts an image into Glance as whoever the headers say; its id. */
async function upload(glance: GlanceProcess, who: Headers, data: Buffer, wanted: NewImage = {}): Promise<string> {
  const { id: wantedId, name = 'image', diskFormat = 'raw', visibility = 'private', properties } = wanted;
  const made = await fetch(`${glance.url}/v2/images`, {
    method: 'POST',
    headers: { ...who, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...(wantedId !== undefined && { id: wantedId }),
      name,
      disk_format: diskFormat,
      container_format: 'bare',
      visibility,
      ...properties,
    }),
  });
  assert.equal(made.status, 201, await made.clone().text());
  const { id } = (await made.json()) as { id: string };
  const sent = await fetch(`${glance.url}/v2/images/${id}/file`, {
    method: 'PUT',
    headers: { ...who, 'content-type': 'application/octet-stream' },
    body: new Uint8Array(data),
  });
  assert.equal(sent.status, 204, await sent.text());
  return id;
}

/** No two places of it are alike. */
function largeData(): Buffer {
  const data = Buffer.alloc(LARGE_BYTES, 'pumice');
  for (let at = 0; at < LARGE_BYTES; at += 4096) data.writeUInt32BE(at, at);
  return data;
}

async function start(t: TestContext, glance: GlanceProcess, set: readonly string[] = []) {
  const service = await liveService(t, ['images.store=glance', `images.glance_url=${glance.url}`, ...set]);
  const conversion = join(service.images, '..', 'conversion');
  const backends = [service.backend('fast'), service.backend('large')];
  const create = async (imageRef: string, token = 'test:demo') => {
    const answer = await fetch(`${service.endpoint}/volumes`, {
      method: 'POST',
      headers: { 'x-auth-token': token, 'content-type': 'application/json' },
      body: JSON.stringify({ volume: { size: 1, imageRef } }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: a refusal has another shape
    return { status: answer.status, body: (await answer.json()) as any };
  };
  const created = async (imageRef: string, token?: string): Promise<string> => {
    const { status, body } = await create(imageRef, token);
    assert.equal(status, 202, JSON.stringify(body));
    return body.volume.id;
  };
  const fileOf = async (id: string): Promise<string | undefined> => {
    const files = await Promise.all(
      backends.map(async (path) => (await readdir(path)).map((name) => join(path, name))),
    );
    return files.flat().find((path) => path.includes(id));
  };
  return {
    service,
    create,
    created,
    async beginsWith(id: string, data: Buffer): Promise<void> {
      const path = await fileOf(id);
      assert.ok(path !== undefined, 'the volume has a file');
      const file = await open(path);
      const { buffer } = await file.read(Buffer.alloc(data.length), 0, data.length, 0);
      await file.close();
      assert.ok(buffer.equals(data), 'the volume holds what the image held');
      assert.deepEqual(await readdir(conversion), []);
    },
    async nothingIsLeft(id: string): Promise<void> {
      assert.equal(await fileOf(id), undefined);
      assert.deepEqual(await readdir(conversion), []);
    },
    /** Resolves when a part of an image has arrived, and Glance has been killed before the rest has. */
    async killedInMidDownload(): Promise<void> {
      const deadline = performance.now() + DEADLINE_MS;
      for (;;) {
        const [name] = await readdir(conversion);
        const arrived = name === undefined ? 0 : (await stat(join(conversion, name))).size;
        if (arrived > 0) {
          glance.freeze();
          await glance.end();
          assert.ok(arrived < LARGE_BYTES, 'Glance was killed too late');
          return;
        }
        assert.ok(performance.now() < deadline, 'nothing ever arrived');
        await pause(1);
      }
    },
  };
}

describe('images of a real Glance', { skip: noGlance }, () => {
  const OWNER: Headers = {
    'x-identity-status': 'Confirmed',
    'x-user-id': 'test',
    'x-project-id': 'demo',
    'x-roles': 'member,reader',
  };
  let glance: GlanceProcess;
  before(async () => {
    glance = await GlanceProcess.start();
  });
  after(() => glance?.remove());

  for (const format of ['raw', 'qcow2'] as const)
    it(`of format ${format} become volumes`, async (t) => {
      const { service, created, beginsWith } = await start(t, glance);
      const images = await diskImages();
      const image = await upload(glance, OWNER, await readFile(images[format]), { diskFormat: format });
      const id = await created(image);
      const volume = await service.volume(id);
      assert.equal(volume.bootable, 'true');
      assert.partialDeepStrictEqual(volume.volume_image_metadata, { image_id: image, disk_format: format });
      await beginsWith(id, await readFile(images.raw));
    });

  for (const format of ['qcow2', 'vmdk', 'vdi'] as const)
    it(`are made of volumes as ${format}, belong to who asked, and hold the same`, async (t) => {
      const { service, created, beginsWith } = await start(t, glance);
      const properties = { os_distro: 'pumice' };
      const data = await readFile((await diskImages()).raw);
      const id = await created(await upload(glance, OWNER, data, { properties }));
      await service.volume(id);
      const action = { 'os-volume_upload_image': { image_name: 'made', disk_format: format, protected: true } };
      const answer = await fetch(`${service.endpoint}/volumes/${id}/action`, {
        method: 'POST',
        headers: {
          'x-auth-token': 'test:demo',
          'content-type': 'application/json',
          'openstack-api-version': 'volume 3.1',
        },
        body: JSON.stringify(action),
      });
      assert.equal(answer.status, 202);
      const { image_id } = ((await answer.json()) as { [action: string]: { image_id: string } })[
        'os-volume_upload_image'
      ] as { image_id: string };
      const shown = async () =>
        (await fetch(`${glance.url}/v2/images/${image_id}`, { headers: OWNER })).json() as Promise<object>;
      const record = { name: 'made', owner: 'demo', disk_format: format, visibility: 'private', protected: true };
      assert.partialDeepStrictEqual(await shown(), { ...record, ...properties });
      await service.volume(id);
      assert.partialDeepStrictEqual(await shown(), { status: 'active', min_disk: 0 });
      const made = await created(image_id);
      await service.volume(made);
      await beginsWith(made, data);
    });

  it('whose data is not what was uploaded make no volume, and leave nothing', async (t) => {
    const { service, created, nothingIsLeft } = await start(t, glance);
    const image = await upload(glance, OWNER, await readFile((await diskImages()).raw));
    const file = await open(glance.file(image), 'r+');
    await file.write('x', 4000);
    await file.close();
    const id = await created(image);
    await service.volume(id, 'error');
    await nothingIsLeft(id);
  });

  it('that are signed are refused', async (t) => {
    const { create } = await start(t, glance);
    const properties = { img_signature: 'bm8=', img_signature_hash_method: 'SHA-256' };
    const image = await upload(glance, OWNER, await readFile((await diskImages()).raw), { properties });
    const { status, body } = await create(image);
    assert.equal(status, 400);
    assert.match(body.badRequest.message, /is signed/);
  });

  it('that are there no more, or not yet, are refused', async (t) => {
    const { create } = await start(t, glance);
    const image = await upload(glance, OWNER, Buffer.alloc(512));
    const gone = await fetch(`${glance.url}/v2/images/${image}`, { method: 'DELETE', headers: OWNER });
    assert.equal(gone.status, 204);
    assert.equal((await create(image)).status, 400);
    const queued = await fetch(`${glance.url}/v2/images`, {
      method: 'POST',
      headers: { ...OWNER, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'later', disk_format: 'raw', container_format: 'bare' }),
    });
    const { status, body } = await create(((await queued.json()) as { id: string }).id);
    assert.equal(status, 400);
    assert.match(body.badRequest.message, /queued/);
  });

  it('are found by a name that one alone has, and by an id in the letters it was made with', async (t) => {
    const { create, created, service } = await start(t, glance);
    const data = await readFile((await diskImages()).raw);
    const one = await upload(glance, OWNER, data, { name: 'only one, in: all' });
    await upload(glance, OWNER, data, { name: 'twin' });
    await upload(glance, OWNER, data, { name: 'twin' });
    const volume = await service.volume(await created('only one, in: all'));
    assert.partialDeepStrictEqual(volume.volume_image_metadata, { image_id: one });
    const twins = await create('twin');
    assert.equal(twins.status, 409);
    assert.equal(
      twins.body.conflictingRequest.message,
      "Multiple matches found for 'twin', use an ID to be more specific.",
    );
    assert.equal((await create('in:twin')).status, 400);
    await upload(glance, OWNER, data, { name: 'in:twin' });
    await service.volume(await created('in:twin'));
    const unknown = await create('nobody has this name');
    assert.equal(unknown.status, 400);
    assert.match(unknown.body.badRequest.message, /^Invalid image identifier or unable to access requested image\.$/);
    const id = 'ABCDEFAB-0000-4000-8000-ABCDEFABCDEF';
    await upload(glance, OWNER, data, { name: 'loud', id });
    await service.volume(await created(id));
  });

  describe('that it was sending when it was killed', () => {
    const data = largeData();
    let image: string;
    before(async () => {
      image = await upload(glance, OWNER, data);
    });

    it('arrive when it is back, and only the rest is sent', async (t) => {
      const { service, created, beginsWith, killedInMidDownload } = await start(t, glance);
      const id = await created(image);
      await killedInMidDownload();
      await glance.begin();
      await service.volume(id);
      await beginsWith(id, data);
      assert.match(await glance.log(), new RegExp(`GET /v2/images/${image}/file HTTP/1.1" 206`));
    });

    it('are given up when it stays away: an error, and nothing is left', async (t) => {
      const { service, create, created, nothingIsLeft, killedInMidDownload } = await start(t, glance);
      const id = await created(image);
      await killedInMidDownload();
      await service.volume(id, 'error');
      await nothingIsLeft(id);
      assert.equal((await create(image)).status, 503);
      await glance.begin();
    });

    it('are given up when they were deleted meanwhile: an error, and nothing is left', async (t) => {
      const { service, created, nothingIsLeft, killedInMidDownload } = await start(t, glance);
      const id = await created(image);
      await killedInMidDownload();
      glance.deleteWhileDown(image);
      await glance.begin();
      await service.volume(id, 'error');
      await nothingIsLeft(id);
    });
  });
});

describe('images of a real Glance behind a real Keystone', { skip: noGlance || noKeystone }, () => {
  let keystone: KeystoneProcess;
  let glance: GlanceProcess;

  /** Keystone's answer, which must be as wanted. Without a token: the one that asks for one. */
  async function asked(status: number, method: string, path: string, body?: object, token?: string) {
    const answer = await fetch(`${keystone.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token !== undefined && { 'x-auth-token': token }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.equal(answer.status, status, `${method} ${path}: ${text}`);
    return { text, token: answer.headers.get('x-subject-token') ?? '' };
  }

  async function signIn(name: string, password: string, project: string): Promise<string> {
    const domain = { id: 'default' };
    const identity = { methods: ['password'], password: { user: { name, domain, password } } };
    const scope = { project: { name: project, domain } };
    return (await asked(201, 'POST', '/auth/tokens', { auth: { identity, scope } })).token;
  }

  const tokenOf = (user: string, project: string): Promise<string> => signIn(user, `secret of ${user}`, project);

  before(async () => {
    keystone = await KeystoneProcess.start();
    const { OS_USERNAME: name = '', OS_PASSWORD: password = '', OS_PROJECT_NAME: own = '' } = keystone.env();
    const admin = await signIn(name, password, own);
    const make = async (kind: string, wanted: object): Promise<string> => {
      const { text } = await asked(201, 'POST', `/${kind}s`, { [kind]: wanted }, admin);
      return JSON.parse(text)[kind].id;
    };
    const { roles } = JSON.parse((await asked(200, 'GET', '/roles', undefined, admin)).text);
    const known = (roles as readonly { name: string; id: string }[]).map((role) => [role.name, role.id] as const);
    const roleIds = new Map([...known, ['service', await make('role', { name: 'service' })]]);
    const projects = new Map<string, string>();
    for (const project of ['service', 'demo', 'other']) {
      projects.set(project, await make('project', { name: project, domain_id: 'default' }));
    }
    for (const [user, project, ...granted] of [
      ['pumice', 'service', 'service', 'admin'],
      ['weak', 'service', 'service'],
      ['glance', 'service', 'service'],
      ['bob', 'demo', 'member'],
      ['zoe', 'other', 'member'],
    ] as const) {
      const id = await make('user', { name: user, password: `secret of ${user}`, domain_id: 'default' });
      for (const role of granted) {
        const path = `/projects/${projects.get(project)}/users/${id}/roles/${roleIds.get(role)}`;
        await asked(204, 'PUT', path, undefined, admin);
      }
    }
    glance = await GlanceProcess.start({ url: keystone.url, username: 'glance', password: 'secret of glance' });
  });
  after(async () => {
    await glance?.remove();
    await keystone?.remove();
  });

  const asking = (user: string): readonly string[] => [
    'api.auth_strategy=keystone',
    `keystone.auth_url=${keystone.url}`,
    `keystone.username=${user}`,
    `keystone.password=secret of ${user}`,
  ];

  async function statusOf(endpoint: string, token: string, id: string): Promise<string> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const answer = await fetch(`${endpoint}/volumes/${id}`, { headers: { 'x-auth-token': token } });
      const { volume } = (await answer.json()) as { volume: { status: string } };
      if (volume.status === 'available' || volume.status === 'error') return volume.status;
      assert.ok(performance.now() < deadline, `the volume is still ${volume.status}`);
      await pause(50);
    }
  }

  it('are seen with the user’s own right, and read with ours', async (t) => {
    const { service, create, created, beginsWith } = await start(t, glance, asking('pumice'));
    const [bob, zoe] = [await tokenOf('bob', 'demo'), await tokenOf('zoe', 'other')];
    const data = await readFile((await diskImages()).raw);
    const image = await upload(glance, { 'x-auth-token': bob }, data);
    const id = await created(image, bob);
    assert.equal(await statusOf(service.endpoint, bob, id), 'available');
    await beginsWith(id, data);
    assert.equal((await create(image, zoe)).status, 400, 'an image of another project');
    const shared = await upload(glance, { 'x-auth-token': bob }, data, { visibility: 'community' });
    assert.equal(await statusOf(service.endpoint, zoe, await created(shared, zoe)), 'available');
  });

  it('cannot be read by a service that has no right to: an error, and nothing is left', async (t) => {
    const { service, created, nothingIsLeft } = await start(t, glance, asking('weak'));
    const bob = await tokenOf('bob', 'demo');
    const image = await upload(glance, { 'x-auth-token': bob }, await readFile((await diskImages()).raw));
    const id = await created(image, bob);
    assert.equal(await statusOf(service.endpoint, bob, id), 'error');
    await nothingIsLeft(id);
  });
});
