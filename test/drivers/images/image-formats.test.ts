/**
 * The readers of image formats, on files that `qemu-img` made: whole, cut anywhere, and with a header that says what no image
 * may say. What must not be opened is read from memory and is given to no program.
 */
import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ImageFile } from '../../../src/drivers/driver.ts';
import { BadImage, type ImageBytes, type ImageLayout } from '../../../src/drivers/images/image-bytes.ts';
import { readQcow2 } from '../../../src/drivers/images/qcow2.ts';
import { countData, readImage } from '../../../src/drivers/images/read-image.ts';
import { readVdi } from '../../../src/drivers/images/vdi.ts';
import { readVhd } from '../../../src/drivers/images/vhd.ts';
import { readVmdk } from '../../../src/drivers/images/vmdk.ts';
import { demandAlone } from '../../../src/drivers/images/vmdk-descriptor.ts';
import { CONVERSION_LIMITS, convert, inspect } from '../../../src/drivers/qemu-img.ts';
import { exec } from '../../../src/lib/exec.ts';
import { ImageCopyFailure, ImageTooBig, ImageUnacceptable } from '../../../src/model/errors.ts';
import { calm } from '../driver-world.ts';
import { missing } from '../file/file-systems.ts';

const { signal } = calm();
const MIB = 1024 ** 2;
/** No whole number of clusters, blocks or grains of any kind. */
const DISK_BYTES = 9 * MIB + 3 * 512;
const anySize = (): void => {};

interface Kind {
  readonly title: string;
  readonly format: ImageFile['format'];
  /** What `qemu-img convert` is told. */
  readonly make: readonly string[];
  /** What becomes of the file then. */
  readonly after?: (made: Buffer) => Buffer;
}

const KINDS: readonly Kind[] = [
  { title: 'qcow2', format: 'qcow2', make: ['-O', 'qcow2'] },
  { title: 'qcow2 of version 2', format: 'qcow2', make: ['-O', 'qcow2', '-o', 'compat=0.10'] },
  { title: 'qcow2 in clusters of 512 bytes', format: 'qcow2', make: ['-O', 'qcow2', '-o', 'cluster_size=512'] },
  { title: 'qcow2 in clusters of 2 MiB', format: 'qcow2', make: ['-O', 'qcow2', '-o', 'cluster_size=2M'] },
  { title: 'qcow2 with parts of clusters', format: 'qcow2', make: ['-O', 'qcow2', '-o', 'extended_l2=on'] },
  { title: 'qcow2 with preallocated clusters', format: 'qcow2', make: ['-O', 'qcow2', '-o', 'preallocation=metadata'] },
  { title: 'compressed qcow2', format: 'qcow2', make: ['-c', '-O', 'qcow2'] },
  { title: 'qcow2 compressed by zstd', format: 'qcow2', make: ['-c', '-O', 'qcow2', '-o', 'compression_type=zstd'] },
  { title: 'vmdk', format: 'vmdk', make: ['-O', 'vmdk'] },
  { title: 'vmdk with marks for zeroes', format: 'vmdk', make: ['-O', 'vmdk', '-o', 'zeroed_grain=on'] },
  { title: 'vmdk as a stream', format: 'vmdk', make: ['-O', 'vmdk', '-o', 'subformat=streamOptimized'] },
  {
    title: 'vmdk as a stream with its tables at its end',
    format: 'vmdk',
    make: ['-O', 'vmdk', '-o', 'subformat=streamOptimized'],
    after: withFooter,
  },
  { title: 'vdi', format: 'vdi', make: ['-O', 'vdi'] },
  { title: 'static vdi', format: 'vdi', make: ['-O', 'vdi', '-o', 'static=on'] },
  { title: 'vhd', format: 'vhd', make: ['-O', 'vpc', '-o', 'force_size=on'] },
  { title: 'vhd of a size in cylinders', format: 'vhd', make: ['-O', 'vpc'] },
  { title: 'fixed vhd', format: 'vhd', make: ['-O', 'vpc', '-o', 'subformat=fixed,force_size=on'] },
];

type Lie = readonly [what: string, change: (whole: Buffer) => void, why: RegExp];

/** What no image may say of itself, by its kind. */
const LIES: Readonly<Record<'qcow2' | 'vdi' | 'vmdk' | 'vhd', readonly Lie[]>> = {
  qcow2: [
    ['of a version to come', (whole) => whole.writeUInt32BE(4, 4), /unknown version 4/],
    ['with a backing file', (whole) => whole.writeBigUInt64BE(512n, 8), /backing file/],
    ['with the name of a backing file', (whole) => whole.writeUInt32BE(11, 16), /backing file/],
    ['that is encrypted', (whole) => whole.writeUInt32BE(2, 32), /encrypted/],
    ['that is marked as corrupt', (whole) => whole.writeBigUInt64BE(2n, 72), /corrupt/],
    ['with a data file', (whole) => whole.writeBigUInt64BE(4n, 72), /another file/],
    ['with a feature to come', (whole) => whole.writeBigUInt64BE(1n << 40n, 72), /feature/],
    ['with the name of a data file', (whole) => whole.writeUInt32BE(0x44415441, 112), /another file/],
    ['with a header of encryption', (whole) => whole.writeUInt32BE(0x0537be77, 112), /encrypted/],
    ['with a part of the header without end', (whole) => whole.writeUInt32BE(0xffff_ffff, 116), /does not end/],
    ['without a size', (whole) => whole.writeBigUInt64BE(0n, 24), /no size/],
    ['that is larger than its table', (whole) => whole.writeBigUInt64BE(1n << 50n, 24), /too small/],
    ['with a table beyond its end', (whole) => whole.writeBigUInt64BE(1n << 40n, 40), /cut short/],
    ['with snapshots beyond its end', snapshotsBeyond, /cut short/],
    ['with too many snapshots', (whole) => whole.writeUInt32BE(70_000, 60), /too many/],
  ],
  vdi: [
    ['that is the difference to another image', (whole) => whole.writeUInt32LE(4, 0x4c), /difference/],
    ['with a parent', (whole) => whole.writeUInt8(1, 0x1b8), /difference/],
    ['linked to another image', (whole) => whole.writeUInt8(1, 0x1a8), /difference/],
    ['of a version to come', (whole) => whole.writeUInt32LE(0x0002_0000, 0x44), /unknown version/],
    ['with blocks of another size', (whole) => whole.writeUInt32LE(4096, 0x178), /blocks/],
    ['that is larger than its map', (whole) => whole.writeBigUInt64LE(1n << 40n, 0x170), /too small/],
    ['with a map beyond its end', (whole) => whole.writeUInt32LE(0x4000_0000, 0x154), /cut short/],
    ['without a size', (whole) => whole.writeBigUInt64LE(0n, 0x170), /no size/],
  ],
  vmdk: [
    ['of a version to come', (whole) => whole.writeUInt32LE(4, 4), /unknown version/],
    ['without a size', (whole) => whole.writeBigUInt64LE(0n, 12), /no size/],
    ['whose descriptor is elsewhere', (whole) => whole.writeBigUInt64LE(9n, 28), /not where/],
    ['without a descriptor', (whole) => whole.writeBigUInt64LE(0n, 36), /not where/],
    ['with a descriptor without end', (whole) => whole.fill(' ', 512, 512 * 21), /does not end/],
    ['with grains of no size', (whole) => whole.writeBigUInt64LE(0n, 20), /grains/],
    ['with tables of no size', (whole) => whole.writeUInt32LE(0, 44), /tables/],
    ['with a directory beyond its end', (whole) => whole.writeBigUInt64LE(1n << 30n, 56), /cut short/],
    ['without the tables of a stream', (whole) => whole.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 56), /cut short/],
    ['that is a stream and says it is not', asStream, /kind/],
    ['compressed in another way', (whole) => whole.writeUInt16LE(2, 77), /compressed/],
    ['that passed through a transfer of text', (whole) => whole.writeUInt8(0x20, 76), /text/],
  ],
  vhd: [
    ['that is the difference to another image', (whole) => whole.subarray(-512).writeUInt32BE(4, 60), /difference/],
    [
      'of a size that is no whole number of sectors',
      (whole) => whole.subarray(-512).writeBigUInt64BE(1000n, 48),
      /size/,
    ],
    ['without a size', (whole) => whole.subarray(-512).writeBigUInt64BE(0n, 48), /size/],
    ['larger than the format can be', (whole) => whole.subarray(-512).writeBigUInt64BE(1n << 50n, 48), /larger/],
    ['whose headers do not agree', (whole) => whole.subarray(-512).writeBigUInt64BE(512n, 48), /agree/],
  ],
};

const READERS = { qcow2: readQcow2, vdi: readVdi, vmdk: readVmdk, vhd: readVhd };

describe('an image', { skip: missing('qemu-img', 'prlimit') ?? false }, () => {
  let directory = '';
  let disk: Buffer;
  const at = (name: string): string => join(directory, name);

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pumice-formats-'));
    disk = await makeDisk(at('disk'));
    for (const { title, make, after: changed } of KINDS) {
      await exec(['qemu-img', 'convert', '-f', 'raw', ...make, at('disk'), at(title)], { signal });
      if (changed) await writeFile(at(title), changed(await readFile(at(title))));
    }
  });
  after(() => rm(directory, { recursive: true }));

  const content = async (image: ImageFile, bytes: number): Promise<Buffer> => {
    const target = at('converted');
    const file = await open(target, 'w');
    await file.truncate(Math.ceil(bytes / MIB) * MIB);
    await file.close();
    const rate = { bytesPerSecond: 0, bytes };
    await convert(exec, image, target, { limits: CONVERSION_LIMITS, rate, dataBytes: bytes }, calm());
    return (await readFile(target)).subarray(0, disk.length);
  };

  for (const { title, format } of KINDS) {
    it(`that is a whole ${title} is taken, and its size and what it takes are known`, async () => {
      const image = { path: at(title), format };
      const { virtualBytes, allocatedBytes } = await inspect(exec, image, signal, anySize);
      assert.ok(virtualBytes >= disk.length && virtualBytes < disk.length + MIB, `${virtualBytes} bytes`);
      if (title !== 'vhd of a size in cylinders') assert.equal(virtualBytes, disk.length);
      const data = await countData(image, signal, disk.length);
      assert.ok(data >= DATA_BYTES * 0.9 && data <= allocatedBytes, `${data} of at most ${allocatedBytes}`);
      assert.ok((await content(image, virtualBytes)).equals(disk), 'the content is another one');
    });

    it(`that is a ${title} and was cut is refused, wherever a part of its disk is lost`, async () => {
      const whole = await readFile(at(title));
      const image = { path: at('cut'), format };
      let refused = 0;
      for (const length of cuts(whole.length)) {
        await writeFile(image.path, whole.subarray(0, length));
        const accepted = await readImage(image, signal, anySize).then(
          ({ virtualBytes }) => virtualBytes,
          (error: unknown) => {
            assert.ok(error instanceof ImageUnacceptable, `${error}`);
            return null;
          },
        );
        if (accepted === null) refused++;
        else assert.ok((await content(image, accepted)).equals(disk), `a disk of ${length} bytes is another one`);
      }
      assert.ok(refused > 0);
    });
  }

  it('that lost a part is refused before any program is started', async () => {
    for (const { title, format } of KINDS) {
      const whole = await readFile(at(title));
      await writeFile(at('cut'), whole.subarray(0, Math.floor((whole.length * 2) / 3)));
      await assert.rejects(inspect(noProgram, { path: at('cut'), format }, signal, anySize), ImageUnacceptable, title);
    }
  });

  it('that has snapshots inside is taken as long as they are inside', async () => {
    const path = at('with-snapshots');
    await exec(['qemu-img', 'convert', '-O', 'qcow2', at('qcow2'), path], { signal });
    await exec(['qemu-img', 'snapshot', '-c', 'first', path], { signal });
    await exec(['qemu-img', 'snapshot', '-c', 'second', path], { signal });
    await inspect(exec, { path, format: 'qcow2' }, signal, anySize);
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, Number(whole.readBigUInt64BE(64)) + 40));
    await assert.rejects(inspect(noProgram, { path, format: 'qcow2' }, signal, anySize), /cut short/);
  });

  it('that is too large for its volume is refused before its tables are walked and before any program is started', async () => {
    const tooBig = (): void => {
      throw new ImageTooBig('It is too large.');
    };
    for (const { title, format } of KINDS)
      await assert.rejects(inspect(noProgram, { path: at(title), format }, signal, tooBig), ImageTooBig);
  });

  it('that is not there could not be read, and is no bad image', async () => {
    await assert.rejects(readImage({ path: at('nowhere'), format: 'qcow2' }, signal, anySize), ImageCopyFailure);
  });

  it('is not read on when it is aborted', async () => {
    const aborted = AbortSignal.abort(new Error('enough'));
    await assert.rejects(readImage({ path: at('qcow2'), format: 'qcow2' }, aborted, anySize), /enough/);
  });

  it('of which a place is reserved and nothing written takes nothing', async () => {
    const path = at('reserved');
    await exec(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'preallocation=full', path, '8M'], { signal });
    const image = { path, format: 'qcow2' } as const;
    assert.equal((await readImage(image, signal, anySize)).allocatedBytes, 8 * MIB);
    assert.equal(await countData(image, signal, MIB), 0);
  });

  it('is counted no further than it matters', async () => {
    const counted = await countData({ path: at('disk'), format: 'raw' }, signal, 4096);
    assert.ok(counted > 4096 && counted < DATA_BYTES);
  });

  for (const [title, lies] of Object.entries(LIES))
    for (const [what, change, why] of lies)
      it(`that is a ${title} ${what} is refused by what it says`, async () => {
        const whole = await readFile(at(title));
        change(whole);
        const reading = walked(READERS[title as keyof typeof READERS], whole);
        await assert.rejects(reading, (error) => error instanceof BadImage && why.test(error.message));
      });
});

describe('the descriptor of a vmdk', () => {
  const descriptor = (
    lines: readonly string[] = [],
    { type = 'monolithicSparse', parent = 'ffffffff', extent = 'RW 2048 SPARSE "disk.vmdk"' } = {},
  ): string =>
    [
      '# Disk DescriptorFile',
      'version=1',
      `parentCID=${parent}`,
      `createType="${type}"`,
      extent,
      ...lines,
      'ddb.x = "1"',
    ].join('\n');

  it('is taken when it names nothing but the file itself', () => {
    assert.equal(demandAlone(descriptor()), 'monolithicsparse');
    assert.equal(demandAlone(descriptor([], { type: 'streamOptimized' }).replaceAll('\n', '\r\n')), 'streamoptimized');
  });

  for (const [what, text] of Object.entries({
    'another kind': descriptor([], { type: 'monolithicFlat' }),
    'no kind': descriptor([], { type: '' }),
    'a parent': descriptor([], { parent: '00000001' }),
    'the name of a parent': descriptor(['parentFileNameHint="other.vmdk"']),
    'a second extent': descriptor(['RW 2048 SPARSE "other.vmdk"']),
    'no extent': descriptor([], { extent: '' }),
    'an extent of another kind': descriptor([], { extent: 'RW 2048 FLAT "other.vmdk" 0' }),
    'an extent with a path': descriptor([], { extent: 'RW 2048 SPARSE "elsewhere/other.vmdk"' }),
    'an extent with a protocol': descriptor([], { extent: 'RW 2048 SPARSE "other:disk"' }),
    'a kind twice': descriptor(['createType="monolithicSparse"']),
    'a line that is not known': descriptor(['something else']),
  }))
    it(`is refused with ${what}`, () => assert.throws(() => demandAlone(text), BadImage));
});

/** As VMware writes a stream: a header behind all the rest says where the tables are, and the first one that it does. */
function withFooter(stream: Buffer): Buffer {
  const footer = Buffer.alloc(3 * 512);
  footer.writeUInt32LE(1, 0);
  footer.writeUInt32LE(3, 12);
  stream.copy(footer, 512, 0, 512);
  const begin = Buffer.from(stream);
  begin.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 56);
  return Buffer.concat([begin, Buffer.alloc((512 - (begin.length % 512)) % 512), footer]);
}

function snapshotsBeyond(qcow2: Buffer): void {
  qcow2.writeUInt32BE(1, 60);
  qcow2.writeBigUInt64BE(BigInt(qcow2.length - 8), 64);
}

function asStream(vmdk: Buffer): void {
  vmdk.writeUInt32LE(vmdk.readUInt32LE(8) | (3 << 16), 8);
  vmdk.writeUInt16LE(1, 77);
}

const noProgram: typeof exec = (argv) => assert.fail(`${argv.join(' ')} was started`);

async function walked(read: (bytes: ImageBytes) => Promise<ImageLayout>, whole: Buffer): Promise<void> {
  const layout = await read({
    size: whole.length,
    held: whole.length,
    read: async (at, length) => {
      if (!(at >= 0 && at + length <= whole.length)) throw new BadImage('it is cut short');
      return whole.subarray(at, at + length);
    },
  });
  for await (const _found of layout.stretches());
}

const DATA_BYTES = 40 * 4096;

/** Data here and there, and at the end. Some of it can be compressed, none of it to nothing. */
async function makeDisk(path: string): Promise<Buffer> {
  const disk = Buffer.alloc(DISK_BYTES);
  let seed = 1;
  for (let page = 0; page < 40; page++) {
    const at = page === 39 ? DISK_BYTES - 4096 : Math.floor((page * DISK_BYTES) / 40 / 4096) * 4096;
    for (let byte = 0; byte < 4096; byte++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      disk[at + byte] = byte % 2 === 0 ? seed >> 16 : 1;
    }
  }
  await writeFile(path, disk);
  return disk;
}

/** Near each power of two, at each sixteenth, and around its end, where a part of a sector may be missing. */
function cuts(length: number): number[] {
  const found = new Set([1, 511, length - 1, length - 511, length - 512, length - 513, length - 1025, length - 4097]);
  for (let power = 512; power < length; power *= 2) for (const near of [-1, 0, 1]) found.add(power + near);
  for (let part = 1; part < 16; part++) found.add(Math.floor((length * part) / 16));
  return [...found].filter((each) => each > 0 && each < length).sort((a, b) => a - b);
}
