/**
 * Bodies as Cinder's schemas take them (`cinder/api/schemas`, `cinder/api/validation/parameter_types.py`, as of 2023.1): the
 * limits of each kind of metadata, null where an id is required, what may not be empty, and ids of what there is none of.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertGroupType } from '../../src/db/group-types.ts';
import { insertQosSpecs } from '../../src/db/qos-specs.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { dump, freshWorld, onBoth, PROJECT, type World } from './world.ts';

interface Ids {
  readonly volume: string;
  readonly snapshot: string;
  readonly type: string;
  readonly groupType: string;
  readonly qosSpecs: string;
  readonly attachment: string;
}

/** A row of everything; nothing runs. */
async function withRows(world: World): Promise<Ids> {
  const volume = await world.volume({ host: 'node@file#file' });
  const snapshot = await world.snapshot(volume);
  return world.service.db.write(async (tx) => {
    const type = await insertVolumeType(tx, { id: uuid(), name: 'a type' });
    const groupType = await insertGroupType(tx, {
      id: uuid(),
      name: 'a group type',
      description: null,
      isPublic: true,
      groupSpecs: {},
    });
    const qosSpecs = await insertQosSpecs(tx, { id: uuid(), name: 'specs', consumer: 'both', specs: {} });
    const attached = { projectId: PROJECT, volumeId: volume.id, attachMode: 'rw', attachStatus: 'reserved' } as const;
    const attachment = await insertAttachment(tx, { ...attached, id: uuid() });
    return {
      volume: volume.id,
      snapshot: snapshot.id,
      type: type.id,
      groupType: groupType.id,
      qosSpecs: qosSpecs.id,
      attachment: attachment.id,
    };
  });
}

type Asking = readonly [method: string, path: string, body: unknown];

/** A kind of metadata: where it is written, and what its keys and values may be. */
interface Kind {
  readonly name: string;
  readonly ask: (ids: Ids, entries: Readonly<Record<string, unknown>>) => Asking;
  /** A blank and a slash in a key. */
  readonly wide: boolean;
  readonly nullable: boolean;
  /** Bytes, or characters. */
  readonly longest: 255 | 65_535;
  /** Whether `{}` is taken. */
  readonly empty: boolean;
}

const whole = { empty: true, longest: 255 } as const;
const item = { empty: false, longest: 255 } as const;
const keyOf = (entries: object): string => encodeURIComponent(Object.keys(entries)[0] || 'k');

const KINDS: readonly Kind[] = [
  {
    ...whole,
    name: 'metadata of a new volume',
    wide: true,
    nullable: false,
    ask: (_ids, metadata) => ['POST', '/volumes', { volume: { size: 1, metadata } }],
  },
  {
    ...whole,
    name: 'metadata of a volume that is updated',
    wide: true,
    nullable: false,
    ask: ({ volume }, metadata) => ['PUT', `/volumes/${volume}`, { volume: { metadata } }],
  },
  {
    ...whole,
    name: 'metadata of a volume',
    wide: true,
    nullable: false,
    ask: ({ volume }, metadata) => ['POST', `/volumes/${volume}/metadata`, { metadata }],
  },
  {
    ...item,
    name: 'one key of the metadata of a volume',
    wide: true,
    nullable: false,
    ask: ({ volume }, meta) => ['PUT', `/volumes/${volume}/metadata/${keyOf(meta)}`, { meta }],
  },
  {
    ...whole,
    name: 'metadata of a new snapshot',
    wide: true,
    nullable: false,
    ask: ({ volume }, metadata) => ['POST', '/snapshots', { snapshot: { volume_id: volume, metadata } }],
  },
  {
    ...whole,
    name: 'metadata of a snapshot',
    wide: true,
    nullable: false,
    ask: ({ snapshot }, metadata) => ['PUT', `/snapshots/${snapshot}/metadata`, { metadata }],
  },
  {
    name: 'metadata of the image of a volume',
    wide: true,
    nullable: false,
    empty: true,
    longest: 65_535,
    ask: ({ volume }, metadata) => ['POST', `/volumes/${volume}/action`, { 'os-set_image_metadata': { metadata } }],
  },
  {
    ...whole,
    name: 'extra specs of a new volume type',
    wide: true,
    nullable: true,
    ask: (_ids, extra_specs) => ['POST', '/types', { volume_type: { name: uuid(), extra_specs } }],
  },
  {
    ...whole,
    name: 'extra specs of a volume type',
    wide: false,
    nullable: true,
    ask: ({ type }, extra_specs) => ['POST', `/types/${type}/extra_specs`, { extra_specs }],
  },
  {
    ...item,
    name: 'one extra spec of a volume type',
    wide: false,
    nullable: true,
    ask: ({ type }, specs) => ['PUT', `/types/${type}/extra_specs/${keyOf(specs)}`, specs],
  },
  {
    ...whole,
    name: 'group specs of a new group type',
    wide: true,
    nullable: false,
    ask: (_ids, group_specs) => ['POST', '/group_types', { group_type: { name: uuid(), group_specs } }],
  },
  {
    ...whole,
    name: 'group specs of a group type',
    wide: false,
    nullable: true,
    ask: ({ groupType }, group_specs) => ['POST', `/group_types/${groupType}/group_specs`, { group_specs }],
  },
  {
    ...item,
    name: 'one group spec of a group type',
    wide: false,
    nullable: true,
    ask: ({ groupType }, specs) => ['PUT', `/group_types/${groupType}/group_specs/${keyOf(specs)}`, specs],
  },
  {
    ...item,
    name: 'specs of QoS specs',
    wide: true,
    nullable: true,
    ask: ({ qosSpecs }, qos_specs) => ['PUT', `/qos-specs/${qosSpecs}`, { qos_specs }],
  },
];

/** The entries, and whether a kind takes them. */
function casesOf({ wide, nullable, longest, empty }: Kind): readonly (readonly [object, boolean])[] {
  return [
    [{ 'a-B_1:c.d': 'v' }, true],
    [{ k: '' }, true],
    [{ ['k'.repeat(255)]: 'v' }, true],
    [{ ['k'.repeat(256)]: 'v' }, false],
    [{ '': 'v' }, false],
    [{ é: 'v' }, false],
    [{ 'a*b': 'v' }, false],
    [{ 'a b': 'v' }, wide],
    [{ 'a/b': 'v' }, wide],
    [{ k: null }, nullable],
    [{ k: 1 }, false],
    [{ k: true }, false],
    [{ k: {} }, false],
    [{ k: 'v'.repeat(255) }, true],
    [{ k: 'é'.repeat(255) }, true],
    [{ k: 'v'.repeat(256) }, longest > 255],
    [{ k: 'v'.repeat(65_535) }, longest > 255],
    [{ k: 'v'.repeat(65_536) }, false],
    [{ k: `${'é'.repeat(32_767)}v` }, longest > 255],
    [{ k: 'é'.repeat(32_768) }, false],
    [{}, empty],
  ];
}

async function isTaken(world: World, [method, path, body]: Asking): Promise<boolean> {
  const before = await dump(world);
  const { status, text } = await world.ask(method, path, { version: '3.71', body });
  assert.ok(status < 300 || status === 400, `${method} ${path} ${JSON.stringify(body).slice(0, 200)}: ${text}`);
  if (status === 400) assert.deepEqual(await dump(world), before);
  return status < 300;
}

describe('of each kind of metadata Cinder’s keys and values are taken, and no others:', () => {
  for (const kind of KINDS) {
    it(kind.name, async (context) => {
      const world = await freshWorld(context, { set: ['quota.quota_volumes=-1', 'quota.quota_snapshots=-1'] });
      const ids = await withRows(world);
      for (const [entries, taken] of casesOf(kind)) {
        const asked = kind.ask(ids, entries as Record<string, unknown>);
        assert.equal(await isTaken(world, asked), taken, JSON.stringify(entries).slice(0, 100));
      }
    });
  }

  onBoth('a spec without a value is shown and found without one', async (context, database) => {
    const world = await freshWorld(context, { database });
    const { type, groupType, qosSpecs } = await withRows(world);
    const specs = { colour: null, size: 'small' };
    const asked = { version: '3.71' };
    await world.ask('POST', `/types/${type}/extra_specs`, { ...asked, body: { extra_specs: specs } });
    await world.ask('POST', `/group_types/${groupType}/group_specs`, { ...asked, body: { group_specs: specs } });
    await world.ask('PUT', `/qos-specs/${qosSpecs}`, { ...asked, body: { qos_specs: specs } });
    assert.deepEqual((await world.get(`/types/${type}`, asked)).body.volume_type.extra_specs, specs);
    assert.deepEqual((await world.get(`/types/${type}/extra_specs/colour`, asked)).body, { colour: null });
    assert.deepEqual((await world.get(`/group_types/${groupType}`, asked)).body.group_type.group_specs, specs);
    assert.deepEqual((await world.get(`/qos-specs/${qosSpecs}`, asked)).body.qos_specs.specs, specs);
    const found = async (filter: string): Promise<string[]> => {
      const query = new URLSearchParams({ extra_specs: filter });
      return (await world.get(`/types?${query}`, asked)).body.volume_types.map(({ id }: { id: string }) => id);
    };
    assert.deepEqual(await found("{'colour': None}"), [type]);
    assert.deepEqual(await found("{'size': None}"), []);
    assert.deepEqual(await found("{'colour': 'None'}"), []);
    assert.equal((await world.ask('DELETE', `/types/${type}/extra_specs/colour`, asked)).status, 202);
    assert.deepEqual((await world.get(`/types/${type}/extra_specs`, asked)).body, { extra_specs: { size: 'small' } });
  });
});

describe('a body is answered as by Cinder:', () => {
  const nobody = uuid();
  const cases: readonly (readonly [name: string, version: string, ask: (ids: Ids) => Asking, status: number])[] = [
    ['no limit at all', '3.0', () => ['PUT', `/os-quota-sets/${PROJECT}`, { quota_set: {} }], 400],
    ['a limit', '3.0', () => ['PUT', `/os-quota-sets/${PROJECT}`, { quota_set: { volumes: 1 } }], 200],
    ['no limit of a class', '3.0', () => ['PUT', '/os-quota-class-sets/x', { quota_class_set: {} }], 200],
    [
      'an update of an attachment with an empty connector',
      '3.54',
      ({ attachment }) => ['PUT', `/attachments/${attachment}`, { attachment: { connector: {} } }],
      400,
    ],
    [
      'an update of a snapshot of nothing',
      '3.0',
      ({ snapshot }) => ['PUT', `/snapshots/${snapshot}`, { snapshot: {} }],
      400,
    ],
    [
      'an update of a volume of nothing, before 3.53',
      '3.52',
      ({ volume }) => ['PUT', `/volumes/${volume}`, { volume: {} }],
      200,
    ],
    [
      'an update of a volume of nothing, from 3.53 on',
      '3.53',
      ({ volume }) => ['PUT', `/volumes/${volume}`, { volume: {} }],
      400,
    ],
    ['an update of a type of nothing', '3.0', ({ type }) => ['PUT', `/types/${type}`, { volume_type: {} }], 400],
    [
      'an update of a group type of nothing',
      '3.11',
      ({ groupType }) => ['PUT', `/group_types/${groupType}`, { group_type: {} }],
      400,
    ],
    [
      'a reset to nothing',
      '3.0',
      ({ volume }) => ['POST', `/volumes/${volume}/action`, { 'os-reset_status': {} }],
      400,
    ],

    ['a snapshot of null', '3.0', () => ['POST', '/snapshots', { snapshot: { volume_id: null } }], 404],
    ['a snapshot of null, from 3.66 on', '3.66', () => ['POST', '/snapshots', { snapshot: { volume_id: null } }], 404],
    ['a snapshot of nothing that is named', '3.0', () => ['POST', '/snapshots', { snapshot: {} }], 400],
    ['a snapshot of what is no id', '3.0', () => ['POST', '/snapshots', { snapshot: { volume_id: 'x' } }], 400],
    ['a snapshot of nobody’s volume', '3.0', () => ['POST', '/snapshots', { snapshot: { volume_id: nobody } }], 404],
    ['a transfer of null', '3.0', () => ['POST', '/os-volume-transfer', { transfer: { volume_id: null } }], 400],
    [
      'a transfer of null, by the new path',
      '3.55',
      () => ['POST', '/volume-transfers', { transfer: { volume_id: null } }],
      400,
    ],
    ['an attachment to null', '3.27', () => ['POST', '/attachments', { attachment: { volume_uuid: null } }], 400],
    [
      'a snapshot of null that is managed',
      '3.8',
      () => ['POST', '/manageable_snapshots', { snapshot: { volume_id: null, ref: 'x' } }],
      400,
    ],
    [
      'a volume that is managed by null',
      '3.8',
      () => ['POST', '/manageable_volumes', { volume: { host: 'h', ref: null } }],
      400,
    ],
    [
      'access of null',
      '3.0',
      ({ type }) => ['POST', `/types/${type}/action`, { addProjectAccess: { project: null } }],
      400,
    ],
    [
      'a default type of null',
      '3.62',
      () => ['PUT', `/default-types/${PROJECT}`, { default_type: { volume_type: null } }],
      400,
    ],
    [
      'no size to extend to',
      '3.0',
      ({ volume }) => ['POST', `/volumes/${volume}/action`, { 'os-extend': { new_size: null } }],
      400,
    ],
    [
      'a status of null',
      '3.0',
      ({ snapshot }) => ['POST', `/snapshots/${snapshot}/action`, { 'os-reset_status': { status: null } }],
      400,
    ],

    ['a volume of nulls', '3.71', () => ['POST', '/volumes', { volume: { ...NULLS, size: 1 } }], 202],
    ['a volume in nobody’s group', '3.13', () => ['POST', '/volumes', { volume: { size: 1, group_id: nobody } }], 404],
    [
      'a volume in a group whose id is none',
      '3.13',
      () => ['POST', '/volumes', { volume: { size: 1, group_id: 'x' } }],
      404,
    ],
    [
      'a volume in a group, before there were groups',
      '3.12',
      () => ['POST', '/volumes', { volume: { size: 1, group_id: nobody } }],
      202,
    ],
    [
      'a volume in nobody’s consistency group',
      '3.0',
      () => ['POST', '/volumes', { volume: { size: 1, consistencygroup_id: nobody } }],
      404,
    ],
    [
      'a volume in a consistency group whose id is none',
      '3.0',
      () => ['POST', '/volumes', { volume: { size: 1, consistencygroup_id: 'x' } }],
      400,
    ],
    [
      'a volume of nobody’s backup',
      '3.47',
      () => ['POST', '/volumes', { volume: { size: 1, backup_id: nobody } }],
      404,
    ],
    [
      'a volume of a backup whose id is none',
      '3.47',
      () => ['POST', '/volumes', { volume: { size: 1, backup_id: 'x' } }],
      400,
    ],
    [
      'a volume of a backup, before that was possible',
      '3.46',
      () => ['POST', '/volumes', { volume: { size: 1, backup_id: nobody } }],
      202,
    ],
    [
      'a volume of nobody’s volume',
      '3.0',
      () => ['POST', '/volumes', { volume: { size: 1, source_volid: nobody } }],
      404,
    ],
    [
      'a volume of nobody’s snapshot',
      '3.0',
      () => ['POST', '/volumes', { volume: { size: 1, snapshot_id: nobody } }],
      404,
    ],
    [
      'a volume of a type that is not there',
      '3.0',
      () => ['POST', '/volumes', { volume: { size: 1, volume_type: 'x' } }],
      404,
    ],
  ];
  for (const [name, version, ask, status] of cases) {
    it(`${name}: ${status}`, async (context) => {
      const world = await freshWorld(context);
      const [method, path, body] = ask(await withRows(world));
      const before = await dump(world);
      const answer = await world.ask(method, path, { version, body });
      assert.equal(answer.status, status, answer.text);
      if (status >= 400) assert.deepEqual(await dump(world), before);
    });
  }
});

const NULLS = {
  snapshot_id: null,
  source_volid: null,
  consistencygroup_id: null,
  group_id: null,
  backup_id: null,
  imageRef: null,
  volume_type: null,
  availability_zone: null,
  metadata: null,
};
