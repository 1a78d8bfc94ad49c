/**
 * A small model of LVM's programs on files, for machines without device-mapper: what the driver says to them is taken apart word for word, and
 * answered as LVM 2.03.16 was seen to answer (`recorded/`), with its texts and exits.
 *
 * A thin volume is a sparse file, a snapshot a copy of it that shares what it can, and an active volume has a link where its device would
 * be. The group is one file of JSON that is replaced as a whole, so each program has happened or has not. Whoever else runs keeps
 * out meanwhile, in other processes too.
 *
 * **What it does not show**: devices, suspended writers, page caches, a pool or metadata that is full, a program of LVM's that was killed in
 * its middle, locks that others hold, how long anything takes. Those are seen on real LVM (`lvm-driver.test.ts`, in a guest).
 * An argument that it does not know fails the test.
 */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { deviceMapperName } from '../../../src/drivers/lvm/lvm-names.ts';
import type { Devices } from '../../../src/drivers/lvm/volume-group.ts';
import { pause, uuid } from '../../../src/lib/clock.ts';
import { parseMap } from '../../../src/lib/data-extents.ts';
import { CommandFailed, type Exec, exec } from '../../../src/lib/exec.ts';
import { lockFile } from '../../../src/lib/file-lock.ts';
import { calm } from '../driver-world.ts';

interface FalseVolume {
  readonly name: string;
  readonly bytes: number;
  /** Null: it is in no pool. */
  readonly thinId: number | null;
  readonly skips: boolean;
  readonly tags: readonly string[];
  /** The file that holds it. */
  readonly file: string;
}

interface FalseGroup {
  readonly group: string;
  readonly pool: string | null;
  readonly extentBytes: number;
  readonly lastThinId: number;
  readonly volumes: readonly FalseVolume[];
  readonly isReserved: boolean;
}

const CHUNK = 65_536;
const POOL_CHUNKS = 16_384;

export class FalseLvm {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where devices are looked for, and where one is a file. */
  get devices(): Devices {
    return { directory: join(this.#directory, 'dev'), isDevice: async (path) => path.startsWith(this.#directory) };
  }

  make(group: string, pool: string | null, extentBytes: number): void {
    mkdirSync(join(this.#directory, 'dev', group), { recursive: true });
    mkdirSync(join(this.#directory, 'data'));
    this.#keep({ group, pool, extentBytes, lastThinId: 0, volumes: [], isReserved: false });
  }

  /** Runs one of LVM's programs. */
  async run(argv: readonly string[], signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const lock = await this.#lock();
    try {
      return await this.#run(argv);
    } finally {
      lock.release();
      signal.throwIfAborted();
    }
  }

  names(): readonly string[] {
    return this.#group().volumes.map(({ name }) => name);
  }

  /** The file that holds a volume's bytes. */
  fileOf(name: string): string {
    const volume = this.#group().volumes.find((each) => each.name === name);
    if (volume === undefined) throw new Error(`There is no volume ${name}.`);
    return join(this.#directory, 'data', volume.file);
  }

  async #lock(): Promise<{ release(): void }> {
    for (;;) {
      const lock = lockFile(join(this.#directory, 'lock'));
      if (lock !== null) return lock;
      await pause(1, calm().signal);
    }
  }

  async #run(argv: readonly string[]): Promise<string> {
    const [program = '', ...args] = argv;
    const fail = (exit: number, text: string): never => {
      throw new CommandFailed(argv, exit, `  ${text}\n`, false);
    };
    if (program === 'sh') {
      const [, , , ...pairs] = args;
      for (let at = 0; at < pairs.length; at += 2) {
        const words = ['--yes', '--snapshot', '--setactivationskip', 'y', '--name', pairs[at], pairs[at + 1]];
        await this.#run(['lvcreate', ...words.map(String)]);
      }
      return '';
    }
    if (program === 'dmsetup') return this.#deviceMapper(args, fail);
    if (program === 'thin_dump' || program === 'thin_delta') return await this.#thin(program, args, fail);
    const words = read(args);
    const group = this.#group();
    switch (program) {
      case 'vgs': {
        if (words.rest[0] !== group.group) fail(5, `Volume group "${words.rest[0]}" not found`);
        return report('vg', [{ vg_extent_size: String(group.extentBytes) }]);
      }
      case 'lvs': {
        if (words.rest[0] !== group.group) fail(5, `Volume group "${words.rest[0]}" not found`);
        return report('lv', this.#rows(group, (words.options.get('--options') ?? '').split(',')));
      }
      case 'lvcreate':
        return await this.#create(group, words, fail);
      case 'lvextend':
        return await this.#extend(group, words, fail);
      case 'lvrename': {
        const [, from = '', to = ''] = words.rest;
        const volume =
          group.volumes.find(({ name }) => name === from) ??
          fail(5, `Existing logical volume "${from}" not found in volume group "${group.group}"`);
        this.#demandFree(group, to, fail);
        const wasActive = this.#isActive(group, from);
        if (wasActive) rmSync(this.#device(group, from));
        this.#replace(group, { ...volume, name: to }, from);
        if (wasActive) this.#activate(group, to, volume.file);
        return '';
      }
      case 'lvremove': {
        const named = words.rest.map((path) => this.#find(group, path, fail));
        const open = this.#openFiles();
        for (const { name, file } of named)
          if (open.has(file)) fail(5, `Logical volume ${group.group}/${name} in use.`);
        this.#keep({ ...group, volumes: group.volumes.filter((each) => !named.includes(each)) });
        for (const { name, file } of named) {
          if (this.#isActive(group, name)) rmSync(this.#device(group, name));
          rmSync(join(this.#directory, 'data', file));
        }
        return '';
      }
      case 'lvchange':
        return this.#change(group, words, fail);
      default:
        throw new Error(`The model knows no ${program}.`);
    }
  }

  async #create(group: FalseGroup, { options, rest }: Words, fail: Fail): Promise<string> {
    const name = options.get('--name') ?? '';
    if (/^(snapshot|pvmove)/.test(name))
      fail(3, `Names starting "snapshot" are reserved. Please choose a different LV name.`);
    if (options.get('--type') === 'thin-pool') {
      this.#keep({ ...group, pool: name });
      return '';
    }
    const isThin = options.get('--type') !== 'linear';
    const size = options.get(isThin ? '--virtualsize' : '--size') ?? '0b';
    const asked = Number(/^(\d+)b$/.exec(size)?.[1] ?? fail(3, 'Invalid argument'));
    const origin = options.has('--snapshot') ? this.#origin(group, rest[0] ?? '', fail) : null;
    this.#demandFree(group, name, fail);
    const file = uuid();
    const path = join(this.#directory, 'data', file);
    const bytes = origin?.bytes ?? Math.ceil(asked / group.extentBytes) * group.extentBytes;
    if (origin === null) {
      if (isThin && options.get('--thinpool') !== group.pool) fail(5, `Pool ${options.get('--thinpool')} not found.`);
      await writeFile(path, '', { flag: 'wx' });
      await truncate(path, bytes);
    } else {
      execFileSync('cp', ['--reflink=auto', '--sparse=always', this.#dataOf(origin), path]);
    }
    const skips = origin !== null && options.get('--setactivationskip') !== 'n';
    const lastThinId = group.lastThinId + Number(isThin);
    const volume = { name, bytes, thinId: isThin ? lastThinId : null, skips, tags: [], file };
    this.#keep({ ...group, lastThinId, volumes: [...group.volumes, volume] });
    if (!skips) this.#activate(group, name, file);
    return '';
  }

  async #extend(group: FalseGroup, { options, rest }: Words, fail: Fail): Promise<string> {
    const volume = this.#find(group, rest[0] ?? '', fail);
    const asked = Number(/^(\d+)b$/.exec(options.get('--size') ?? '')?.[1]);
    const bytes = Math.ceil(asked / group.extentBytes) * group.extentBytes;
    const [now, then] = [volume.bytes, bytes].map((each) => each / group.extentBytes);
    if (bytes === volume.bytes) fail(5, `New size (${then} extents) matches existing size (${now} extents).`);
    if (bytes < volume.bytes)
      fail(5, `New size given (${then} extents) not larger than existing size (${now} extents)`);
    await truncate(this.#dataOf(volume), bytes);
    this.#replace(group, { ...volume, bytes });
    return '';
  }

  #change(group: FalseGroup, { options, several, rest }: Words, fail: Fail): string {
    const path = rest[0] ?? '';
    // Of the pool only that it is there counts.
    if (path === `${group.group}/${group.pool}`) return '';
    const volume = this.#find(group, path, fail);
    const active = options.get('--activate');
    if (active === 'y' && !this.#isActive(group, volume.name)) {
      if (!volume.skips || options.has('--ignoreactivationskip')) this.#activate(group, volume.name, volume.file);
    }
    if (active === 'n' && this.#isActive(group, volume.name)) {
      if (this.#openFiles().has(volume.file)) fail(5, `Logical volume ${path} in use.`);
      rmSync(this.#device(group, volume.name));
    }
    const skips = options.has('--setactivationskip') ? options.get('--setactivationskip') === 'y' : volume.skips;
    const kept = volume.tags.filter((tag) => !several('--deltag').includes(tag));
    const tags = [...kept, ...several('--addtag').filter((tag) => !kept.includes(tag))];
    this.#replace(group, { ...volume, skips, tags });
    return '';
  }

  #rows(group: FalseGroup, fields: readonly string[]): readonly Readonly<Record<string, string>>[] {
    const openFiles = this.#openFiles();
    const rows = group.volumes.map((volume) => {
      const isActive = this.#isActive(group, volume.name);
      const open = openFiles.has(volume.file) ? 'open' : '';
      return {
        lv_name: volume.name,
        lv_size: String(volume.bytes),
        segtype: volume.thinId === null ? 'linear' : 'thin',
        pool_lv: volume.thinId === null ? '' : (group.pool ?? ''),
        thin_id: String(volume.thinId ?? ''),
        lv_active: isActive ? 'active' : '',
        lv_suspended: isActive ? '' : 'unknown',
        lv_device_open: isActive ? open : 'unknown',
        lv_health_status: '',
        zero: 'zero',
        chunk_size: '0',
        lv_tags: volume.tags.join(','),
      };
    });
    const pool = {
      lv_name: group.pool ?? '',
      lv_size: String(POOL_CHUNKS * CHUNK),
      segtype: 'thin-pool',
      pool_lv: '',
      thin_id: '',
      lv_active: 'active',
      lv_suspended: '',
      lv_device_open: 'open',
      lv_health_status: '',
      zero: 'zero',
      chunk_size: String(CHUNK),
      lv_tags: '',
    };
    const all: readonly Readonly<Record<string, string>>[] = group.pool === null ? rows : [...rows, pool];
    return all.map((row) => Object.fromEntries(fields.map((field) => [field, row[field] ?? unknownField(field)])));
  }

  #deviceMapper(args: readonly string[], fail: Fail): string {
    const group = this.#group();
    const [verb] = args;
    if (verb === 'message') {
      const isReserved = args.at(-1) === 'reserve_metadata_snap';
      const how = `device-mapper: message ioctl on ${args[1]}  failed`;
      if (isReserved === group.isReserved)
        fail(1, `${how}: ${isReserved ? 'Device or resource busy' : 'Invalid argument'}`);
      this.#keep({ ...group, isReserved });
      return '';
    }
    const named = group.volumes.length > 0 ? '-tpool' : '';
    if (args[2] === 'thin-pool' && args[3] !== `${deviceMapperName(group.group, group.pool ?? '')}${named}`)
      throw new CommandFailed(['dmsetup', ...args], 1, 'Device does not exist.\nCommand failed.\n', false);
    if (args[2] === 'thin-pool')
      return `0 2097152 thin-pool 4 216/2048 48/${POOL_CHUNKS} - rw discard_passdown error_if_no_space - 512 \n`;
    if (args[2] === 'thin') return '0 2097152 thin 6144 6143\n';
    throw new Error(`The model knows no dmsetup ${args.join(' ')}.`);
  }

  async #thin(program: string, args: readonly string[], fail: Fail): Promise<string> {
    const group = this.#group();
    if (!group.isReserved) fail(1, 'There is no metadata snapshot.');
    const of = (option: string): FalseVolume => {
      const id = args[args.indexOf(option) + 1];
      return (
        group.volumes.find(({ thinId }) => String(thinId) === id) ?? fail(1, `Unable to find mapping tree (${id})`)
      );
    };
    const head =
      '<superblock uuid="" time="2" transaction="4" flags="0" version="2" data_block_size="128" nr_data_blocks="0">';
    if (program === 'thin_dump') {
      const volume = of('--dev-id');
      const lines = (await this.#chunksOf(volume)).map(
        (chunk) => `    <single_mapping origin_block="${chunk}" data_block="${chunk}" time="1"/>`,
      );
      const device = `  <device dev_id="${volume.thinId}" mapped_blocks="${lines.length}" transaction="0" creation_time="0" snap_time="1">`;
      return [head, device, ...lines, '  </device>', '</superblock>', ''].join('\n');
    }
    const [left, right] = [of('--thin1'), of('--thin2')];
    const lines: string[] = [];
    const chunks = new Set([...(await this.#chunksOf(left)), ...(await this.#chunksOf(right))]);
    const [one, other] = [await open(this.#dataOf(left)), await open(this.#dataOf(right))];
    for (const chunk of chunks) {
      const [a, b] = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)];
      await one.read(a, 0, CHUNK, chunk * CHUNK);
      await other.read(b, 0, CHUNK, chunk * CHUNK);
      lines.push(`    <${a.equals(b) ? 'same' : 'different'} begin="${chunk}" length="1"/>`);
    }
    await one.close();
    await other.close();
    const diff = `  <diff left="${left.thinId}" right="${right.thinId}">`;
    return [head, diff, ...lines, '  </diff>', '</superblock>', ''].join('\n');
  }

  async #chunksOf(volume: FalseVolume): Promise<readonly number[]> {
    const map = await exec(['qemu-img', 'map', '--output=json', '-f', 'raw', '--', this.#dataOf(volume)], calm());
    const chunks = new Set<number>();
    for (const { at, bytes } of parseMap(map))
      for (let chunk = Math.floor(at / CHUNK); chunk * CHUNK < at + bytes; chunk += 1) chunks.add(chunk);
    return [...chunks];
  }

  #find(group: FalseGroup, path: string, fail: Fail): FalseVolume {
    const found = group.volumes.find(({ name }) => path === `${group.group}/${name}`);
    return found ?? fail(5, `Failed to find logical volume "${path}"`);
  }

  #origin(group: FalseGroup, path: string, fail: Fail): FalseVolume {
    const found = group.volumes.find(({ name }) => path === `${group.group}/${name}`);
    const name = path.split('/').at(-1);
    return found ?? fail(5, `Snapshot origin LV ${name} not found in Volume group ${group.group}.`);
  }

  #demandFree(group: FalseGroup, name: string, fail: Fail): void {
    if (group.volumes.some((each) => each.name === name))
      fail(5, `Logical Volume "${name}" already exists in volume group "${group.group}"`);
  }

  #dataOf({ file }: FalseVolume): string {
    return join(this.#directory, 'data', file);
  }

  #device({ group }: FalseGroup, name: string): string {
    return join(this.#directory, 'dev', group, name);
  }

  #activate(group: FalseGroup, name: string, file: string): void {
    symlinkSync(join(this.#directory, 'data', file), this.#device(group, name));
  }

  #isActive({ group }: FalseGroup, name: string): boolean {
    return readdirSync(join(this.#directory, 'dev', group)).includes(name);
  }

  /** Files of volumes that another process than this one has open. */
  #openFiles(): ReadonlySet<string> {
    const data = join(this.#directory, 'data');
    const found = new Set<string>();
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
      try {
        for (const fd of readdirSync(`/proc/${pid}/fd`)) {
          const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
          if (path.startsWith(data)) found.add(basename(path));
        }
      } catch {
        // It has ended meanwhile, or closed what was looked at.
      }
    }
    return found;
  }

  #replace(group: FalseGroup, volume: FalseVolume, before = volume.name): void {
    this.#keep({ ...group, volumes: group.volumes.map((each) => (each.name === before ? volume : each)) });
  }

  #group(): FalseGroup {
    return JSON.parse(readFileSync(join(this.#directory, 'group'), 'utf8')) as FalseGroup;
  }

  #keep(group: FalseGroup): void {
    const next = join(this.#directory, `group.${uuid()}`);
    writeFileSync(next, JSON.stringify(group));
    renameSync(next, join(this.#directory, 'group'));
  }
}

/** Runs LVM's programs on the model that their configuration is of, and any other for real. */
export const falsePrograms: Exec = (argv, options) => {
  const isLvms = PROGRAMS.has(argv[0]) || (argv[0] === 'sh' && argv[2]?.includes('lvcreate'));
  const directory = options.environment?.LVM_SYSTEM_DIR;
  if (isLvms && directory === undefined) throw new Error(`${argv[0]} would be run on the LVM of this machine.`);
  return isLvms ? new FalseLvm(directory as string).run(argv, options.signal) : exec(argv, options);
};

type Fail = (exit: number, text: string) => never;

const PROGRAMS: ReadonlySet<string> = new Set([
  ...['lvs', 'vgs', 'lvcreate', 'lvchange', 'lvextend', 'lvrename', 'lvremove'],
  ...['dmsetup', 'thin_dump', 'thin_delta'],
]);

interface Words {
  readonly options: ReadonlyMap<string, string>;
  several(option: string): readonly string[];
  readonly rest: readonly string[];
}

const FLAGS: ReadonlySet<string> = new Set([
  '--yes',
  '--snapshot',
  '--nosuffix',
  '--ignoreactivationskip',
  '--refresh',
]);
const VALUED: ReadonlySet<string> = new Set([
  ...['--reportformat', '--units', '--options', '--type', '--extents', '--name', '--errorwhenfull', '--virtualsize'],
  ...['--thinpool', '--wipesignatures', '--setactivationskip', '--activate', '--size', '--addtag', '--deltag'],
]);

function read(args: readonly string[]): Words {
  const given: (readonly [string, string])[] = [];
  const rest: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] as string;
    if (FLAGS.has(word)) given.push([word, '']);
    else if (VALUED.has(word)) given.push([word, args[++at] as string]);
    else if (word.startsWith('-')) throw new Error(`The model knows no ${word}.`);
    else rest.push(word);
  }
  const several = (option: string): readonly string[] =>
    given.filter(([name]) => name === option).map(([, value]) => value);
  return { options: new Map(given), several, rest };
}

const report = (kind: 'vg' | 'lv', rows: readonly unknown[]): string =>
  `  ${JSON.stringify({ report: [{ [kind]: rows }] }, null, 4)}\n`;

function unknownField(field: string): never {
  throw new Error(`The model knows no field ${field}.`);
}
