/**
 * Who may do what: the language of access rules, Cinder's defaults, a site's own rules, and every route asked by everybody.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { bodiesByVersion } from '../../src/api/body.ts';
import type { Authenticate } from '../../src/api/caller.ts';
import { NEWEST } from '../../src/api/microversion.ts';
import { UnprovedSessions } from '../../src/api/page/sessions.ts';
import { defaultRules } from '../../src/api/policy/default-rules.ts';
import { holds, parseExpression } from '../../src/api/policy/expression.ts';
import { Policy, type PolicyOptions } from '../../src/api/policy/policy.ts';
import { buildApi } from '../../src/api/server.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertGroupType } from '../../src/db/group-types.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { ConfigInvalid, parseConfig } from '../../src/lib/config/read-config.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { type Caller, withImplied } from '../../src/model/caller.ts';
import { Unauthorized } from '../../src/model/token.ts';
import type { NewVolume } from '../../src/model/volume.ts';
import { baseFor, callOf, everyRoute, type PlacedRoute } from './every-route.ts';
import { freshWorld, PROJECT, USER, type World } from './world.ts';

const OTHER_PROJECT = 'aaaabbbbccccddddaaaabbbbccccdddd';
const OTHER_USER = 'ddddccccbbbbaaaaddddccccbbbbaaaa';

const asker = (roles: readonly string[], more: Partial<Caller> = {}): Caller => ({
  userId: USER,
  projectId: PROJECT,
  roles,
  isAdmin: false,
  serviceRoles: [],
  requestId: 'req-1',
  ...more,
});

describe('the language of access rules', () => {
  const answer = (text: string, caller = asker(['member']), owner = {}) =>
    holds(parseExpression(text), caller, owner, (name) => parseExpression(name === 'yes' ? '@' : '!'));

  it('knows everybody, nobody, roles, rules and administrators', () => {
    assert.equal(answer(''), true);
    assert.equal(answer('@'), true);
    assert.equal(answer('!'), false);
    assert.equal(answer('role:Member'), true);
    assert.equal(answer('role:admin'), false);
    assert.equal(answer('rule:yes'), true);
    assert.equal(answer('rule:no'), false);
    assert.equal(answer('is_admin:True'), false);
    assert.equal(answer('is_admin:False'), true);
    assert.equal(answer('service_roles:service', asker([], { serviceRoles: ['service'] })), true);
    assert.equal(answer(`project_id:${PROJECT}`), true);
    assert.equal(answer(`user_id:${OTHER_USER}`), false);
  });

  it('binds not more tightly than and, and and more tightly than or', () => {
    assert.equal(answer('@ or ! and !'), true);
    assert.equal(answer('(@ or !) and !'), false);
    assert.equal(answer('not ! and @'), true);
    assert.equal(answer('not (! or @)'), false);
    assert.equal(answer('not not @ AND (role:member OR !)'), true);
  });

  it('says that it depends as long as an owner is not known who matters', () => {
    const own = 'role:admin or (role:member and project_id:%(project_id)s)';
    assert.equal(answer(own), undefined);
    assert.equal(answer(own, asker(['admin'])), true);
    assert.equal(answer(own, asker(['reader'])), false);
    assert.equal(answer(own, asker(['member']), { projectId: PROJECT }), true);
    assert.equal(answer(own, asker(['member']), { projectId: OTHER_PROJECT }), false);
    assert.equal(answer('not user_id:%(user_id)s'), undefined);
    assert.equal(answer('not user_id:%(user_id)s', asker([]), { userId: OTHER_USER }), true);
  });

  it('refuses what is no expression, and says where', () => {
    for (const wrong of [
      'role:',
      'member',
      '(role:a',
      'role:a)',
      'role:a role:b',
      'and',
      'not',
      'role:a or',
      'is_admin:maybe',
      'project_id:%(name)s',
      'http://example.org/check',
    ]) {
      assert.throws(() => parseExpression(wrong), { name: 'ExpressionInvalid' }, wrong);
    }
  });
});

describe("a site's access rules", () => {
  const problemsOf = (overrides: Readonly<Record<string, string>>): readonly string[] => {
    try {
      new Policy({ overrides });
    } catch (error) {
      assert.ok(error instanceof ConfigInvalid);
      return error.problems;
    }
    return [];
  };

  it('must have names of rules and expressions, and tell all that is wrong at once', () => {
    assert.deepEqual(problemsOf({ 'volume:get': 'role:auditor' }), []);
    const problems = problemsOf({ 'volume:craete': '@', 'volume:get': 'rule:' });
    assert.match(problems.join('\n'), /there is no rule volume:craete; did you mean volume:create\?/);
    assert.match(problems.join('\n'), /policy.volume:get must be an access rule; rule: is no check/);
    assert.match(problemsOf({ 'volume:get': 'rule:admin_ap' }).join(), /did you mean admin_api\?/);
    assert.match(problemsOf({ admin_api: 'rule:project_reader' }).join('\n'), /policy.admin_api rests on itself/);
    assert.match(problemsOf({ context_is_admin: 'rule:admin_api' }).join('\n'), /context_is_admin must not ask/);
  });

  it('come from the configuration, where quotation marks hold their names', () => {
    const toml = '[policy]\n"volume:get" = "role:auditor"\n';
    const config = parseConfig({ toml, set: ['policy.volume:delete=!'] });
    assert.deepEqual({ ...config.policy }, { 'volume:get': 'role:auditor', 'volume:delete': '!' });
    assert.throws(
      () => parseConfig({ toml: '[policy]\n"volume:get" = 3\n' }),
      /policy.volume:get must be an access rule/,
    );
  });

  it('decide who is an administrator', () => {
    const policy = new Policy({ overrides: { context_is_admin: 'role:admin or role:cloud_admin' } });
    assert.equal(policy.isAdmin(asker(['cloud_admin'])), true);
    assert.equal(policy.isAdmin(asker(['member'])), false);
  });

  it('tell callers apart by all that counts, also with the same list of roles', () => {
    const policy = new Policy({ overrides: { 'volume:get': 'user_id:%(user_id)s' } });
    const roles = ['member'];
    const differing = [
      asker(roles),
      asker(roles, { isAdmin: true }),
      asker(roles, { serviceRoles: ['service'] }),
      asker(roles, { userId: OTHER_USER }),
      asker(['member', 'admin']),
    ];
    for (let turn = 0; turn < 2; turn += 1) {
      assert.equal(new Set(differing.map((each) => policy.rightsOf(each))).size, differing.length);
      assert.equal(policy.rightsOf(asker(roles)), policy.rightsOf(asker(['member'])));
    }
  });

  it('tell callers apart by their rights, whatever roles are called', () => {
    const rights = (...roles: readonly string[]) => new Policy().rightsOf(asker(roles));
    assert.notEqual(rights('a', 'b'), rights('a,b'));
    assert.notEqual(rights('a'), rights('a\n'));
    assert.doesNotMatch(rights('a\nb'), /\n/);
    const overrides = { 'volume:get': 'user_id:%(user_id)s' };
    const of = (policy: Policy, userId: string) => policy.rightsOf(asker([], { userId }));
    assert.equal(of(new Policy(), USER), of(new Policy(), OTHER_USER), 'they share what is kept');
    assert.notEqual(of(new Policy({ overrides }), USER), of(new Policy({ overrides }), OTHER_USER));
  });

  it('mean the parts of a rule that was one before', () => {
    const policy = new Policy({ overrides: { 'volume_extension:types_manage': 'role:librarian' } });
    assert.equal(policy.allows('volume_extension:type_create', asker(['librarian'])), true);
    assert.equal(policy.allows('volume_extension:type_create', asker([], { isAdmin: true })), false);
    assert.equal(policy.allows('volume_extension:type_get', asker(['librarian'])), false);
  });

  it('leave a rule that nobody knows to administrators', () => {
    const policy = new Policy();
    assert.equal(policy.allows('volume:no_such_rule', asker(['member'])), false);
    assert.equal(policy.allows('volume:no_such_rule', asker([], { isAdmin: true })), true);
  });
});

/** Tokens of these tests: `roles,…@project`. */
const admission =
  (policy: Policy): Authenticate =>
  (headers, requestId) => {
    const [, roles = '', projectId = '', userId = USER] =
      /^([a-z,]*)@(\w+)(?:\/(\w+))?$/.exec(String(headers['x-auth-token'] ?? '')) ?? [];
    if (projectId === '') throw new Unauthorized();
    const caller = asker(withImplied(roles.split(',')), { projectId, userId, requestId });
    return { ...caller, isAdmin: policy.isAdmin(caller) };
  };

interface Door {
  readonly world: World;
  readonly api: FastifyInstance;
  ask(
    token: string | undefined,
    method: string,
    path: string,
    body?: unknown,
    root?: PlacedRoute['root'],
  ): Promise<{ status: number; text: string }>;
}

async function door(context: TestContext, options: PolicyOptions = {}): Promise<Door> {
  const world = await freshWorld(context);
  const policy = new Policy(options);
  const sessions = async () => new UnprovedSessions(world.service.db);
  const api = buildApi({ desk: world.service.desk, log: silentLog, policy, admit: admission(policy), sessions });
  return {
    world,
    api,
    async ask(token, method, path, body, root = '/v3') {
      const project = /@(\w+)/.exec(token ?? '')?.[1] ?? PROJECT;
      const { statusCode, body: text } = await api.inject({
        method: method as 'GET',
        url: `${baseFor({ root }, project)}${path}`,
        headers: {
          'openstack-api-version': `volume 3.${NEWEST}`,
          ...(token !== undefined && { 'x-auth-token': token }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { payload: JSON.stringify(body) }),
      });
      return { status: statusCode, text };
    },
  };
}

/** Which callers a route's rule lets pass, in the project of the tests. */
type Passes = 'everybody' | 'reader' | 'member' | 'admin';

/**
 * The least role that each route takes. By rule, since Cinder's documentation has them so; a test below sees that every
 * route's rule is here.
 */
const TAKES: Readonly<Record<Passes, readonly RegExp[]>> = {
  everybody: [/^@$/],
  reader: [
    /^volume:(get|get_all|get_all_snapshots|get_snapshot|get_all_transfers|get_transfer|availability_zone_list)$/,
    /^volume:get_(volume|snapshot)_metadata$/,
    /^(message|backup|group):(get|get_all|get_all_group_snapshots|get_group_snapshot|list_replication_targets)$/,
    /^limits_extension:used_limits$/,
    /^pumice:(flows:(get|get_all)|why:get|counts:get|events)$/,
    /^volume_extension:(type_get|type_get_all|quotas:show|types_extra_specs:(index|show))$/,
    /^volume_extension:volume_(image_metadata:show|encryption_metadata)$/,
  ],
  member: [
    /^volume:(create|create_from_image|update|delete|extend|retype|reimage|revert_to_snapshot|update_readonly_flag)$/,
    /^volume:(create|update|delete)_(snapshot|volume_metadata|snapshot_metadata)$/,
    /^volume:(create|accept|delete)_transfer$/,
    /^volume:attachment_(create|update|delete|complete)$/,
    /^message:delete$/,
    /^snapshot_extension:snapshot_actions:update_snapshot_status$/,
    /^volume_extension:volume_image_metadata:(set|remove)$/,
    /^volume_extension:volume_actions:(attach|detach|reserve|unreserve|begin_detaching|roll_detaching)$/,
    /^volume_extension:volume_actions:(initialize_connection|terminate_connection|upload_image)$/,
    /^(backup|group):(create|update|delete|restore|(create|update|delete)_group_snapshot|.*_replication)$/,
  ],
  admin: [
    /^(clusters|workers):/,
    /^pumice:flows:(resume|revert|cancel|abandon)$/,
    /^pumice:(backends|doctor):/,
    /^backup:(export|import)$/,
    /^volume:(failover_host|freeze_host|thaw_host|force_delete)$/,
    /^scheduler_extension:/,
    /^snapshot_extension:(list_manageable|snapshot_manage|snapshot_unmanage)$/,
    /_admin_actions:/,
    /^volume_extension:(capabilities|hosts|list_manageable|volume_manage|volume_unmanage)/,
    /^volume_extension:(default_|qos_specs_manage|quota_classes|quotas:(update|delete)|services:)/,
    /^volume_extension:type_(create|update|delete)$/,
    /^volume_extension:types_extra_specs:(create|update|delete)$/,
    /^volume_extension:volume_type_(access|encryption)/,
    /^group:(group_types|access_group_types|reset)/,
    /^pumice:(alarms|health|sinks):/,
  ],
};

const takes = ({ policy }: PlacedRoute): readonly Passes[] =>
  (Object.keys(TAKES) as Passes[]).filter((least) => TAKES[least].some((rule) => rule.test(policy)));

describe('every route', () => {
  it('has a rule that is known, and stands once in the table of who passes', () => {
    const known = defaultRules({ legacy: false });
    const wrong = everyRoute.filter(
      (route) => takes(route).length !== 1 || !(route.policy === '@' || known.has(route.policy)),
    );
    assert.deepEqual(
      wrong.map((route) => `${callOf(route)}: ${route.policy} (${takes(route)})`),
      [],
    );
  });

  it('passes whom its rule lets pass, and nobody else', async (context) => {
    const { world, ask } = await door(context);
    const volume = await world.volume();
    const snapshot = await world.snapshot(volume);
    const wrong: string[] = [];
    for (const route of everyRoute) {
      const [least = 'admin'] = takes(route);
      const path = pathOf(route, { volume: volume.id, snapshot: snapshot.id, type: volume.volumeTypeId });
      const body = bodyOf(route);
      const passing = ['reader', 'member', 'admin'].slice(['reader', 'member', 'admin'].indexOf(least) + 0);
      const expected = (role: string): boolean => least === 'everybody' || passing.includes(role);
      if (route.open) {
        const tokens = [undefined, ...['none', 'reader', 'member', 'admin'].map((role) => `${role}@${PROJECT}`)];
        const told = await Promise.all(tokens.map((token) => ask(token, route.method, path, body, route.root)));
        const [{ status, text } = { status: 0, text: '' }] = told;
        if (status < 200 || status >= 500 || status === 404 || told.some((each) => each.status !== status))
          wrong.push(`${callOf(route)}: ${told.map((each) => each.status)} ${text.slice(0, 100)}`);
        continue;
      }
      const seen = async (who: string, token: string | undefined, wanted: (status: number) => boolean) => {
        const { status, text } = await ask(token, route.method, path, body, route.root);
        if (!wanted(status)) wrong.push(`${callOf(route)} as ${who}: ${status} ${text.slice(0, 100)}`);
      };
      await seen('nobody', undefined, (status) => status === 401);
      // What destroys comes last: the administrator's turn.
      for (const role of ['none', 'reader', 'member', 'admin']) {
        await seen(role, `${role}@${PROJECT}`, (status) =>
          expected(role) ? status !== 403 && status !== 401 && status < 500 : status === 403,
        );
      }
      if (!/^\/(volumes|snapshots)\/:id/.test(route.path)) continue;
      await seen('a member elsewhere', `member@${OTHER_PROJECT}`, (status) =>
        expected('member') ? status === 404 || status === 400 : status === 403,
      );
    }
    assert.deepEqual(wrong, []);
  });
});

function pathOf({ path }: PlacedRoute, ids: Readonly<Record<'volume' | 'snapshot' | 'type', string>>): string {
  const kind = /^\/(volume|snapshot|type)s\//.exec(path)?.[1] as keyof typeof ids | undefined;
  const id = path.startsWith('/os-quota-sets') ? PROJECT : kind === undefined ? uuid() : ids[kind];
  return path.replace(':id', id).replaceAll(/:[a-z_]+/g, 'key');
}

/** Enough for an action to be found; rules are asked before bodies are checked. */
function bodyOf({ action, method, body }: PlacedRoute): unknown {
  if (action !== undefined) return { [action]: {} };
  return method === 'GET' || body === undefined || bodiesByVersion(body).length === 0 ? undefined : {};
}

describe('access rules', () => {
  it('keep rows of other projects from all but administrators, as if they were not there', async (context) => {
    const { world, ask } = await door(context);
    const { id } = await world.volume();
    const foreign = `member@${OTHER_PROJECT}`;
    assert.equal((await ask(foreign, 'GET', `/volumes/${id}`)).status, 404);
    assert.equal((await ask(foreign, 'PUT', `/volumes/${id}`, { volume: { name: 'mine' } })).status, 404);
    assert.equal((await ask(foreign, 'DELETE', `/volumes/${id}`)).status, 404);
    assert.doesNotMatch((await ask(foreign, 'GET', '/volumes?all_tenants=1')).text, new RegExp(id));
    assert.equal((await ask(`admin@${OTHER_PROJECT}`, 'GET', `/volumes/${id}`)).status, 200);
    assert.match((await ask(`admin@${OTHER_PROJECT}`, 'GET', '/volumes?all_tenants=1')).text, new RegExp(id));
  });

  it("are told by Cinder's text when they refuse", async (context) => {
    const { ask } = await door(context);
    const { status, text } = await ask(`reader@${PROJECT}`, 'POST', '/volumes', { volume: { size: 1 } });
    assert.equal(status, 403);
    assert.deepEqual(JSON.parse(text), {
      forbidden: { code: 403, message: "Policy doesn't allow volume:create to be performed." },
    });
  });

  it('let any role of the project do what a member may when the old defaults are wanted', async (context) => {
    const { world, ask } = await door(context, { legacy: true });
    const { id } = await world.volume();
    assert.equal((await ask(`something@${PROJECT}`, 'PUT', `/volumes/${id}`, { volume: { name: 'n' } })).status, 200);
    assert.equal((await ask(`something@${OTHER_PROJECT}`, 'GET', `/volumes/${id}`)).status, 404);
    assert.equal((await ask(`something@${PROJECT}`, 'GET', '/os-services')).status, 403);
  });

  it('can be about the user who made a row', async (context) => {
    const { world, ask } = await door(context, { overrides: { 'volume:update': 'user_id:%(user_id)s' } });
    const { id } = await world.volume();
    const update = { volume: { name: 'n' } };
    assert.equal((await ask(`member@${PROJECT}/${OTHER_USER}`, 'PUT', `/volumes/${id}`, update)).status, 403);
    assert.equal((await ask(`member@${PROJECT}/${USER}`, 'PUT', `/volumes/${id}`, update)).status, 200);
    assert.equal((await ask(`member@${PROJECT}`, 'PUT', `/volumes/${uuid()}`, update)).status, 404);
  });

  it('can keep an administrator within the own project', async (context) => {
    const { world, ask } = await door(context, { overrides: { 'volume:delete': 'project_id:%(project_id)s' } });
    const { id } = await world.volume();
    assert.equal((await ask(`admin@${OTHER_PROJECT}`, 'DELETE', `/volumes/${id}`)).status, 403);
    assert.equal((await ask(`admin@${PROJECT}`, 'DELETE', `/volumes/${id}`)).status, 202);
  });

  it('can be about the project of an attachment, and about no user of it', async (context) => {
    const overrides = { 'volume:attachment_delete': 'project_id:%(project_id)s' };
    const { world, ask } = await door(context, { overrides });
    const volume = await world.volume({ status: 'reserved' });
    const id = uuid();
    await world.service.db.write((tx) =>
      insertAttachment(tx, { id, projectId: PROJECT, volumeId: volume.id, attachMode: 'rw', attachStatus: 'reserved' }),
    );
    assert.equal((await ask(`admin@${OTHER_PROJECT}`, 'DELETE', `/attachments/${id}`)).status, 403);
    assert.equal((await ask(`admin@${OTHER_PROJECT}`, 'DELETE', `/attachments/${uuid()}`)).status, 404);
    const byUser = new Policy({ overrides: { 'volume:attachment_delete': 'user_id:%(user_id)s' } });
    const api = buildApi({ desk: world.service.desk, log: silentLog, policy: byUser, admit: admission(byUser) });
    const headers = { 'x-auth-token': `admin@${PROJECT}`, 'openstack-api-version': 'volume 3.71' };
    const url = `/v3/${PROJECT}/attachments/${id}`;
    assert.equal((await api.inject({ method: 'DELETE', url, headers })).statusCode, 403);
    assert.notEqual((await ask(`admin@${PROJECT}`, 'DELETE', `/attachments/${id}`)).status, 403);
  });

  it("decide which of a volume's attributes are shown, and kept answers never show more", async (context) => {
    const { world, ask } = await door(context, {
      overrides: { 'volume_extension:volume_host_attribute': 'role:auditor' },
    });
    const { id } = await world.volume({ host: 'node@file#file' });
    const keysFor = async (token: string) =>
      Object.keys(JSON.parse((await ask(token, 'GET', `/volumes/${id}`)).text).volume);
    for (let twice = 0; twice < 2; twice += 1) {
      const auditor = await keysFor(`auditor,reader@${PROJECT}`);
      const admin = await keysFor(`admin@${PROJECT}`);
      const reader = await keysFor(`reader@${PROJECT}`);
      assert.ok(auditor.includes('os-vol-host-attr:host') && !auditor.includes('os-vol-mig-status-attr:migstat'));
      assert.ok(!admin.includes('os-vol-host-attr:host') && admin.includes('os-vol-mig-status-attr:migstat'));
      assert.ok(!reader.includes('os-vol-host-attr:host') && !reader.includes('migration_status'));
      assert.ok(reader.includes('os-vol-tenant-attr:tenant_id'));
    }
  });

  it('keep the force of a delete and a volume of an image apart', async (context) => {
    const { world, ask } = await door(context, { overrides: { 'volume:create_from_image': '!' } });
    const { id } = await world.volume();
    assert.equal((await ask(`member@${PROJECT}`, 'DELETE', `/volumes/${id}?force=true`)).status, 403);
    assert.equal((await ask(`member@${PROJECT}`, 'DELETE', `/volumes/${id}`)).status, 202);
    const request = { volume: { size: 1, imageRef: uuid() } };
    assert.match((await ask(`admin@${PROJECT}`, 'POST', '/volumes', request)).text, /volume:create_from_image/);
  });

  it('say who makes volumes for many servers, and who attaches a bootable one to a second', async (context) => {
    const { world, ask } = await door(context, {
      overrides: { 'volume:multiattach': 'role:admin', 'volume:multiattach_bootable_volume': 'role:admin' },
    });
    const extraSpecs = { multiattach: '<is> True' };
    await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'many', extraSpecs }));
    const request = { volume: { size: 1, volume_type: 'many' } };
    const refused = await ask(`member@${PROJECT}`, 'POST', '/volumes', request);
    assert.equal(refused.status, 403);
    assert.match(refused.text, /volume:multiattach/);
    assert.equal((await ask(`admin@${PROJECT}`, 'POST', '/volumes', request)).status, 202);
    const attach = async (token: string, volume: Partial<NewVolume>) => {
      const { id } = await world.volume({ multiattach: true, ...volume });
      return ask(token, 'POST', '/attachments', { attachment: { volume_uuid: id, instance_uuid: uuid() } });
    };
    const second = { status: 'in-use', attachStatus: 'attached', bootable: true } as const;
    assert.match((await attach(`member@${PROJECT}`, second)).text, /volume:multiattach_bootable_volume/);
    assert.equal((await attach(`admin@${PROJECT}`, second)).status, 200);
    assert.equal((await attach(`member@${PROJECT}`, { ...second, bootable: false })).status, 200);
    assert.equal((await attach(`member@${PROJECT}`, { bootable: true })).status, 200);
  });

  it('show what opens an export to those who may open it, not to those who may only look', async (context) => {
    const { world, ask } = await door(context);
    const volume = await world.volume({ status: 'in-use', attachStatus: 'attached' });
    const data = { auth_method: 'CHAP', auth_username: 'u' };
    const id = uuid();
    await world.service.db.write((tx) =>
      insertAttachment(tx, {
        id,
        projectId: PROJECT,
        volumeId: volume.id,
        attachMode: 'rw',
        attachStatus: 'attached',
        connectionInfo: { driver_volume_type: 'iscsi', data },
        secret: 'planted-secret',
      }),
    );
    for (const path of ['/attachments/detail', `/attachments/${id}`]) {
      assert.match((await ask(`member@${PROJECT}`, 'GET', path)).text, /planted-secret/);
      const { status, text } = await ask(`reader@${PROJECT}`, 'GET', path);
      assert.equal(status, 200);
      assert.doesNotMatch(text, /planted-secret/);
    }
  });

  it('show each role what it may see of a thing, and no more', async (context) => {
    const { world, ask } = await door(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const snapshot = await world.snapshot(volume);
    const extraSpecs = { vendor: 'planted' };
    const [type, groupType] = await world.service.db.write(async (tx) => [
      await insertVolumeType(tx, { id: uuid(), name: 'own', extraSpecs }),
      await insertGroupType(tx, { id: uuid(), name: 'g', description: null, isPublic: true, groupSpecs: extraSpecs }),
    ]);
    const roles = ['reader', 'member', 'admin'] as const;
    for (const [path, shown, least] of [
      [`/volumes/${volume.id}`, '"os-vol-host-attr:host"', 'admin'],
      [`/snapshots/${snapshot.id}`, '"os-extended-snapshot-attributes:progress"', 'reader'],
      [`/types/${type.id}`, '"extra_specs"', 'reader'],
      [`/types/${type.id}`, '"vendor":"planted"', 'admin'],
      [`/types/${type.id}`, '"os-volume-type-access:is_public"', 'reader'],
      [`/types/${type.id}`, '"qos_specs_id"', 'admin'],
      [`/group_types/${groupType.id}`, '"group_specs"', 'admin'],
    ] as const)
      for (const [rank, role] of roles.entries()) {
        const { status, text } = await ask(`${role}@${PROJECT}`, 'GET', path);
        assert.equal(status, 200, text);
        assert.equal(text.includes(shown), rank >= roles.indexOf(least), `${shown} of ${path} as ${role}`);
      }
  });

  it('ask for a member where a site lets readers do all but what is asked apart', async (context) => {
    const readers = ['volume:create', 'volume:extend', 'volume:attachment_create'];
    const overrides = Object.fromEntries(readers.map((rule) => [rule, 'rule:project_reader']));
    const { world, ask } = await door(context, { overrides });
    const extraSpecs = { multiattach: '<is> True' };
    await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'many', extraSpecs }));
    const inUse = { status: 'in-use', attachStatus: 'attached', host: 'node@file#file' } as const;
    const requests: readonly (readonly [what: string, path: string, body: object, refused: number])[] = [
      ['from an image', '/volumes', { volume: { size: 1, imageRef: uuid() } }, 403],
      ['for many servers', '/volumes', { volume: { size: 1, volume_type: 'many' } }, 403],
      [
        'to a second server',
        '/attachments',
        {
          attachment: {
            volume_uuid: (await world.volume({ ...inUse, bootable: true, multiattach: true })).id,
            instance_uuid: uuid(),
          },
        },
        403,
      ],
      ['in use', `/volumes/${(await world.volume(inUse)).id}/action`, { 'os-extend': { new_size: 2 } }, 400],
    ];
    for (const [what, path, body, refused] of requests) {
      const reader = await ask(`reader@${PROJECT}`, 'POST', path, body);
      assert.equal(reader.status, refused, `${what}: ${reader.text}`);
      const member = await ask(`member@${PROJECT}`, 'POST', path, body);
      assert.notEqual(member.status, refused, `${what}: ${member.text}`);
    }
    assert.equal((await ask(`reader@${PROJECT}`, 'POST', '/volumes', { volume: { size: 1 } })).status, 202);
  });

  it('let a reader see limits of the own project alone', async (context) => {
    const { ask } = await door(context);
    assert.equal((await ask(`reader@${PROJECT}`, 'GET', `/os-quota-sets/${PROJECT}`)).status, 200);
    assert.equal((await ask(`reader@${PROJECT}`, 'GET', `/os-quota-sets/${OTHER_PROJECT}`)).status, 403);
    assert.equal((await ask(`admin@${PROJECT}`, 'GET', `/os-quota-sets/${OTHER_PROJECT}`)).status, 200);
  });
});
