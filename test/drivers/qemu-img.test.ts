/** What `qemu-img` is told and what its answers mean, on answers that were recorded (QEMU 7.2). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ImageFile } from '../../src/drivers/driver.ts';
import {
  acceptedSize,
  convertArgv,
  copyRawArgv,
  infoArgv,
  parseInfo,
  parseProgress,
} from '../../src/drivers/qemu-img.ts';
import { ImageUnacceptable } from '../../src/model/errors.ts';

const QCOW2 = {
  'virtual-size': 67108864,
  filename: '/images/a',
  'cluster-size': 65536,
  format: 'qcow2',
  'actual-size': 200704,
  'format-specific': {
    type: 'qcow2',
    data: { compat: '1.1', 'compression-type': 'zlib', 'lazy-refcounts': false, 'refcount-bits': 16, corrupt: false },
  },
  'dirty-flag': false,
};

const VHD = {
  'virtual-size': 1073995776,
  filename:
    'json:{"force_size_calc": "current_size", "driver": "vpc", "file": {"driver": "file", "filename": "/images/a"}}',
  'cluster-size': 2097152,
  format: 'vpc',
  'actual-size': 307200,
  'dirty-flag': false,
};

const VMDK = {
  'virtual-size': 67108864,
  filename: '/images/a',
  format: 'vmdk',
  'format-specific': {
    type: 'vmdk',
    data: {
      cid: 4203816746,
      'parent-cid': 4294967295,
      'create-type': 'monolithicSparse',
      extents: [{ 'virtual-size': 67108864, filename: '/images/a', 'cluster-size': 65536, format: '' }],
    },
  },
};

describe('the commands for qemu-img', () => {
  it('always name the format of the image', () => {
    for (const argv of [infoArgv('/a', 'vdi'), convertArgv('/a', 'vdi', '/b', { direct: true, bytesPerSecond: 0 })]) {
      assert.equal(argv[argv.indexOf('-f') + 1], 'vdi');
    }
    for (const argv of [
      infoArgv('/a,b', 'vhd'),
      convertArgv('/a,b', 'vhd', '/c', { direct: false, bytesPerSecond: 0 }),
    ]) {
      assert.ok(argv.includes('driver=vpc,force_size_calc=current_size,file.driver=file,file.filename=/a,,b'));
    }
  });

  it('of a copy leave the page cache out where they can, on either side', () => {
    const flags = (source: boolean, target: boolean): readonly string[] => {
      const argv = copyRawArgv('/a', '/b', { source, target }, 0);
      assert.deepEqual(argv.slice(-5), ['-f', 'raw', '--', '/a', '/b']);
      return argv.filter((_, at) => /^-[tT]$/.test(argv[at - 1] ?? '') || /^-[tT]$/.test(argv[at] ?? ''));
    };
    assert.deepEqual(flags(true, true), ['-t', 'none', '-T', 'none']);
    assert.deepEqual(flags(true, false), ['-T', 'none']);
    assert.deepEqual(flags(false, false), []);
  });

  it('of a copy name a rate, unless there is none', () => {
    const argvs = (bytesPerSecond: number) => [
      copyRawArgv('/a', '/b', { source: true, target: true }, bytesPerSecond),
      convertArgv('/a', 'qcow2', '/b', { direct: true, bytesPerSecond }),
    ];
    for (const argv of argvs(1000)) assert.ok(argv.join(' ').includes('-r 1000 -O raw'));
    for (const argv of argvs(0)) assert.ok(!argv.includes('-r'));
  });
});

describe('the report on an image', () => {
  const size = (report: object, format: ImageFile['format']) =>
    acceptedSize(parseInfo(JSON.stringify(report)), format, '/images/a');

  it('gives the size of an image that stands alone', () => {
    assert.equal(size(QCOW2, 'qcow2'), 67108864);
    assert.equal(size(VMDK, 'vmdk'), 67108864);
    assert.equal(size({ 'virtual-size': 512, filename: '/images/a', format: 'raw' }, 'raw'), 512);
  });

  it('knows a file that was given with options by its name', () => {
    assert.equal(size(VHD, 'vhd'), 1073995776);
    const other = { ...VHD, filename: VHD.filename.replace('/images/a', '/images/b') };
    assert.throws(() => size(other, 'vhd'), ImageUnacceptable);
  });

  it('refuses an image of another format', () => {
    assert.throws(() => size(QCOW2, 'vmdk'), ImageUnacceptable);
  });

  const refused: Readonly<Record<string, readonly [object, 'qcow2' | 'vmdk']>> = {
    'a backing file': [{ ...QCOW2, 'backing-filename': 'b', 'full-backing-filename': '/images/b' }, 'qcow2'],
    'an external data file': [withData({ 'data-file': '/etc/shadow', 'data-file-raw': true }), 'qcow2'],
    'an extent in another file': [
      { ...VMDK, 'format-specific': { type: 'vmdk', data: { extents: [{ filename: '/etc/shadow' }] } } },
      'vmdk',
    ],
    'a child in another file': [{ ...QCOW2, children: [{ name: 'file', info: { filename: '/etc/shadow' } }] }, 'qcow2'],
    encryption: [{ ...QCOW2, encrypted: true }, 'qcow2'],
    'a mark of corruption': [withData({ corrupt: true }), 'qcow2'],
    'no size': [{ ...QCOW2, 'virtual-size': 0 }, 'qcow2'],
  };
  for (const [what, [report, format]] of Object.entries(refused)) {
    it(`refuses an image with ${what}`, () => {
      assert.throws(() => size(report, format), ImageUnacceptable);
    });
  }
});

describe('the other answers of qemu-img', () => {
  it('tell the progress, by the last figure in a piece of output', () => {
    assert.equal(parseProgress('    (0.00/100%)\r    (12.34/100%)\r'), 0.1234);
    assert.equal(parseProgress('    (100.00/100%)\r'), 1);
    assert.equal(parseProgress('    (12.'), null);
  });
});

function withData(data: object): object {
  return { ...QCOW2, 'format-specific': { type: 'qcow2', data: { ...QCOW2['format-specific'].data, ...data } } };
}
