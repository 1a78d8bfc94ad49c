/** What LVM 2.03.16, device-mapper and the thin tools 0.9 printed in a guest (`recorded/`), read; and the arguments that are given to them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as argv from '../../../src/drivers/lvm/lvm-argv.ts';
import { alreadyExists, isGone, isInUse, isReserved, lvmTranslated } from '../../../src/drivers/lvm/lvm-errors.ts';
import {
  checkNames,
  deviceMapperName,
  isVolumeName,
  leftOf,
  lvmNames,
  temporary,
  temporaryOf,
  unmanagedSince,
  unmanagedTag,
} from '../../../src/drivers/lvm/lvm-names.ts';
import { parseGroup, parsePoolStatus, parseThinStatus, parseVolumes } from '../../../src/drivers/lvm/lvm-report.ts';
import { parseDelta, parseDump } from '../../../src/drivers/lvm/thin-blocks.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { CommandFailed } from '../../../src/lib/exec.ts';
import * as errors from '../../../src/model/errors.ts';
import { GIB, MIB } from '../content.ts';
import { calm } from '../driver-world.ts';

const recorded = (name: string): string => readFileSync(join(import.meta.dirname, 'recorded', name), 'utf8');
const [NEW_POOL = '', BLANK = '', , , RESERVED_POOL = '', WRITTEN = '', FULL_POOL = ''] =
  recorded('status.txt').split('\n');

/** `$ PROGRAM ARGUMENT…`, what it complained of, `rc=EXIT`; in the order of a session. */
const COMPLAINTS = recorded('complaints.txt')
  .split(/^\$ /m)
  .slice(1)
  .map((text) => {
    const [, argv = '', stderr = '', exit] = /^(.*)\n([\s\S]*)rc=(\d+)\n$/.exec(text) ?? [];
    return new CommandFailed(argv.split(' '), Number(exit), stderr, false);
  });

function complaintOf(argv: RegExp, text: RegExp): CommandFailed {
  const found = COMPLAINTS.find((each) => argv.test(each.argv.join(' ')) && text.test(each.stderr));
  return found ?? assert.fail(`${argv} ${text}`);
}

describe('a report of volumes', () => {
  const { volumes, pools } = parseVolumes(recorded('volumes.json.txt'));
  const named = (name: string) => volumes.find((volume) => volume.name === name);

  it('tells of thin volumes which pool they are in, and of others that they are in none', () => {
    assert.deepEqual(named('volume-1'), {
      name: 'volume-1',
      bytes: 2 * GIB,
      pool: 'cinder-volumes-pool',
      thinId: 1,
      isActive: true,
      isSuspended: false,
      isOpen: false,
      tags: ['pumice'],
    });
    assert.partialDeepStrictEqual(named('thick'), { pool: null, thinId: null, bytes: 4 * MIB });
  });

  it('takes empty texts and "unknown" of what is not active for no', () => {
    assert.partialDeepStrictEqual(named('_snapshot-1'), { isActive: false, isSuspended: false, isOpen: false });
  });

  it('sees what is open, and what was left suspended', () => {
    assert.equal(named('clone')?.isOpen, true);
    const later = parseVolumes(recorded('volumes-suspended.json.txt')).volumes;
    assert.deepEqual(
      later.filter(({ isSuspended }) => isSuspended).map(({ name }) => name),
      ['volume-1'],
    );
  });

  it('tells of a pool how large its blocks are, whether they are zeroed, and how it is', () => {
    const pool = { name: 'cinder-volumes-pool', chunkBytes: 65_536, isActive: true, zeroes: true, health: '' };
    assert.deepEqual(pools, [pool]);
    assert.deepEqual(parseVolumes(recorded('volumes-full.json.txt')).pools, [{ ...pool, health: 'out_of_data' }]);
  });

  it('is refused when it lacks what is asked for, or is of no group', () => {
    assert.throws(() => parseVolumes(recorded('group.json.txt')), TypeError);
    assert.throws(
      () => parseVolumes(recorded('volumes.json.txt').replaceAll('"lv_size":"', '"lv_size":"<')),
      TypeError,
    );
    assert.equal(parseGroup(recorded('group.json.txt')), 4 * MIB);
    assert.throws(() => parseGroup(recorded('no-group.json.txt')), TypeError);
  });
});

describe('a status of device-mapper', () => {
  it('counts the blocks of a pool, while its metadata is reserved and when it is full', () => {
    assert.deepEqual(parsePoolStatus(NEW_POOL), {
      usedBlocks: 0,
      blocks: 16_384,
      usedMetadataBlocks: 216,
      metadataBlocks: 2048,
      mode: 'rw',
    });
    assert.partialDeepStrictEqual(parsePoolStatus(RESERVED_POOL), { usedBlocks: 48, mode: 'rw' });
    const full = parsePoolStatus(FULL_POOL);
    assert.partialDeepStrictEqual(full, { usedBlocks: 16_384, blocks: 16_384, mode: 'out_of_data_space' });
  });

  it('says of a pool that has failed that it has', () => {
    assert.equal(parsePoolStatus('0 2097152 thin-pool Fail').mode, 'Fail');
    assert.equal(parsePoolStatus('0 2097152 thin-pool Error').mode, 'Error');
    assert.throws(() => parsePoolStatus(''), TypeError);
  });

  it('tells what a thin volume takes', () => {
    assert.equal(parseThinStatus(BLANK), 0);
    assert.equal(parseThinStatus(WRITTEN), 3 * MIB);
    assert.throws(() => parseThinStatus('0 8192 linear '), TypeError);
  });
});

describe('the blocks of thin volumes', () => {
  const dump = recorded('thin-dump.xml.txt');
  const delta = recorded('thin-delta.xml.txt');
  const single = '    <single_mapping origin_block="50" data_block="9" time="2"/>\n  </device>';

  it('are read from a dump, single ones too, those that touch as one', () => {
    assert.deepEqual(parseDump(dump, GIB), [{ at: 0, bytes: 3 * MIB }]);
    const more = dump.replace('  </device>', single);
    assert.deepEqual(parseDump(more, GIB), [
      { at: 0, bytes: 3 * MIB },
      { at: 50 * 65_536, bytes: 65_536 },
    ]);
    const touching = dump.replace('  </device>', single.replace('"50"', '"48"'));
    assert.deepEqual(parseDump(touching, GIB), [{ at: 0, bytes: 3 * MIB + 65_536 }]);
  });

  it('end where the volume ends', () => {
    assert.deepEqual(parseDump(dump, MIB + 512), [{ at: 0, bytes: MIB + 512 }]);
    assert.deepEqual(parseDelta(delta, MIB), [{ at: 0, bytes: MIB }]);
  });

  it('differ where only one has them, or both have others', () => {
    assert.deepEqual(parseDelta(delta, GIB), [{ at: 0, bytes: 3 * MIB }]);
    const kinds = ['same', 'different', 'left_only'].map((kind, at) => `<${kind} begin="${at * 100}" length="1"/>`);
    const mixed = delta.replace(/ *<right_only .*\n/, `${kinds.join('\n')}\n`);
    assert.deepEqual(parseDelta(mixed, GIB), [
      { at: 100 * 65_536, bytes: 65_536 },
      { at: 200 * 65_536, bytes: 65_536 },
    ]);
  });

  it('are not told by what was cut off, says something unknown, or is of other volumes', () => {
    for (const [read, xml] of [
      [parseDump, dump],
      [parseDelta, delta],
    ] as const) {
      assert.throws(() => read(xml.slice(0, -20), GIB), TypeError);
      assert.throws(() => read(xml.replace('length=', 'count='), GIB), TypeError);
      assert.throws(() => read('', GIB), TypeError);
    }
    assert.throws(() => parseDump(dump.replace(/ *<device [\s\S]*<\/device>\n/, ''), GIB), TypeError);
  });
});

describe('a complaint of LVM', () => {
  it('is told apart by its text, since nearly all exits are 5', () => {
    const those = (test: (error: unknown) => boolean): string[] => [
      ...new Set(
        COMPLAINTS.filter(test).map(({ argv: [program, ...args] }) => `${program} ${args.at(-2)} ${args.at(-1)}`),
      ),
    ];
    assert.deepEqual(those(alreadyExists), [
      'lvcreate volume-1 cinder-volumes',
      'lvcreate _snapshot-1 cinder-volumes/volume-1',
      'lvrename clone volume-1',
    ]);
    const reserved = 'dmsetup 0 reserve_metadata_snap';
    assert.deepEqual(those(isInUse), ['lvremove -y cinder-volumes/clone', reserved]);
    assert.deepEqual(those(isReserved), [reserved]);
    assert.deepEqual(those(isGone), [
      'vgs vg_name none',
      'lvcreate s2 cinder-volumes/nothing',
      'lvrename nothing x',
      'lvremove -y cinder-volumes/nothing',
    ]);
    const exits = COMPLAINTS.filter(({ argv }) => argv[0] !== 'dmsetup').map(({ exitCode }) => exitCode);
    assert.deepEqual(new Set(exits), new Set([5, 3]));
  });

  it('says what was being done, without the warnings of a group that promises much', async () => {
    const failing = (argv: RegExp, text: RegExp): Promise<unknown> =>
      lvmTranslated('do it', calm().signal, () => Promise.reject(complaintOf(argv, text)));
    await assert.rejects(failing(/^lvcreate .*thin/, /out of data space/), errors.BackendFull);
    await assert.rejects(failing(/^vgs/, /not found/), errors.DriverNotInitialized);
    await assert.rejects(failing(/^lvextend/, /not larger/), (error) => {
      assert.ok(error instanceof errors.DriverFailed);
      assert.equal(
        error.message,
        'Could not do it: lvextend: New size given (256 extents) not larger than existing size (512 extents)',
      );
      return true;
    });
  });

  it('is nothing to a call that was stopped meanwhile, and neither is success', async () => {
    const stopped = new AbortController();
    const reason = new Error('not wanted');
    const done = lvmTranslated('do it', stopped.signal, async () => stopped.abort(reason));
    await assert.rejects(done, reason);
  });
});

describe('names of logical volumes', () => {
  const names = lvmNames({ volume: 'volume-%s', snapshot: 'snapshot-%s' });
  const id = uuid();

  it("are Cinder's, which puts an underscore before what LVM refuses", () => {
    assert.deepEqual([names.of('volume', id), names.of('snapshot', id)], [`volume-${id}`, `_snapshot-${id}`]);
    assert.deepEqual(names.owner(`_snapshot-${id}`), { kind: 'snapshot', id });
    assert.equal(names.owner(`snapshot-${id}`), null);
    assert.equal(lvmNames({ volume: 'volume-%s', snapshot: 'snap-%s' }).of('snapshot', id), `snap-${id}`);
  });

  it('say whose temporary or doomed volume it is', () => {
    const full = names.of('volume', id);
    assert.equal(temporaryOf(temporary(full))?.full, full);
    assert.equal(leftOf(temporary(full)), full);
    assert.equal(leftOf(`.del-${full}`), full);
    assert.equal(leftOf(full), null);
    assert.equal(temporaryOf('.tmp-anything'), null);
  });

  it('fit the length of a device, with the group, or the backend does not start', () => {
    checkNames('cinder-volumes', names);
    assert.throws(() => checkNames('g'.repeat(60), names), errors.DriverNotInitialized);
    const long = lvmNames({ volume: `${'v'.repeat(80)}-%s`, snapshot: 'snapshot-%s' });
    assert.throws(() => checkNames('cinder-volumes', long), errors.DriverNotInitialized);
    assert.equal(deviceMapperName('cinder-volumes', `volume-${id}`).length, 15 + 1 + 6 + 2 + 36 + 4);
  });

  it('are refused where LVM would refuse them', () => {
    for (const name of ['', '.', '..', '-a', 'a/b', 'a b', 'snapshot-1', 'pvmove0'])
      assert.ok(!isVolumeName(name), name);
    for (const name of ['a', '_snapshot-1', '.tmp-a', 'a+b.c_d-e']) assert.ok(isVolumeName(name), name);
  });

  it('carry since when they are their operator’s as a tag', () => {
    assert.deepEqual(unmanagedSince(['x', unmanagedTag(17)]), { tag: 'pumice.unmanaged=17', ms: 17 });
    assert.equal(unmanagedSince(['pumice.replaces']), null);
  });
});

describe('arguments', () => {
  const pool = { group: 'g-1', pool: 'g-1-pool' };

  it('say every size in bytes, and ask for JSON', () => {
    assert.deepEqual(argv.createBlank(pool, 'v', GIB), [
      ...['lvcreate', '--yes', '--type', 'thin', '--virtualsize', '1073741824b', '--thinpool', 'g-1-pool'],
      ...['--wipesignatures', 'n', '--name', 'v', 'g-1'],
    ]);
    assert.deepEqual(argv.extend('g-1', 'v', 2 * GIB), ['lvextend', '--yes', '--size', '2147483648b', 'g-1/v']);
    for (const report of [argv.showGroup('g-1'), argv.showVolumes('g-1')])
      assert.deepEqual(report.slice(1, 6), ['--reportformat', 'json', '--units', 'b', '--nosuffix']);
  });

  it('leave snapshots inactive, and make clones active', () => {
    assert.deepEqual(argv.createSnapshot('g', 's', 'v'), [
      ...['lvcreate', '--yes', '--snapshot', '--setactivationskip', 'y', '--name', 's', 'g/v'],
    ]);
    assert.deepEqual(argv.createClone('g', 'c', 's'), [
      ...['lvcreate', '--yes', '--snapshot', '--setactivationskip', 'n', '--activate', 'y', '--name', 'c', 'g/s'],
    ]);
  });

  it('name devices as device-mapper does', () => {
    assert.deepEqual(argv.reserveMetadata(pool).slice(1), [
      ...['message', 'g--1-g--1--pool-tpool', '0', 'reserve_metadata_snap'],
    ]);
    assert.deepEqual(argv.deltaThin(pool, 3, 4), [
      ...['thin_delta', '--metadata-snap', '--thin1', '3', '--thin2', '4', '/dev/mapper/g--1-g--1--pool_tmeta'],
    ]);
  });

  it('snapshot several volumes by one program', () => {
    const [program, flag, script, name, ...pairs] = argv.createSnapshots('g', [
      ['a', 'va'],
      ['b', 'vb'],
    ]);
    assert.deepEqual([program, flag, name], ['sh', '-c', 'sh']);
    assert.match(script ?? '', /lvcreate .*--snapshot/);
    assert.deepEqual(pairs, ['a', 'g/va', 'b', 'g/vb']);
  });
});
