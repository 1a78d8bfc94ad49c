import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { satisfies, unmetSpec } from '../../src/scheduler/extra-specs.ts';

type Row = readonly [reported: unknown, wanted: string, satisfied: boolean];

/** One test a row: what is reported, the text of the extra spec, whether the one satisfies the other. */
function table(subject: string, rows: readonly Row[]): void {
  describe(subject, () => {
    for (const [reported, wanted, satisfied] of rows) {
      it(`${JSON.stringify(reported)} ${satisfied ? 'satisfies' : 'does not satisfy'} "${wanted}"`, () => {
        assert.equal(satisfies(reported, wanted), satisfied);
      });
    }
  });
}

table('text without an operator', [
  ['lvm', 'lvm', true],
  ['lvm', 'LVM', false],
  ['lvm', 'lvm2', false],
  ['two words', 'two words', true],
  ['', '', true],
  [10, '10', true],
  [10, '10.0', true],
  [10, '11', false],
  ['10', '10.0', false],
  [true, 'True', true],
  [true, 'yes', true],
  [true, 'False', false],
  [false, 'false', true],
  [false, 'banana', false],
  [null, 'None', false],
  [{ a: 1 }, 'a', false],
]);

table('= asks for at least', [
  ['123', '= 123', true],
  ['124', '= 123', true],
  ['122', '= 123', false],
  [124, '= 123', true],
  ['three', '= 3', false],
]);

table('numbers', [
  ['123', '== 123', true],
  ['123.0', '== 123', true],
  ['124', '== 123', false],
  ['124', '!= 123', true],
  ['123', '!= 123', false],
  ['many', '!= 123', false],
  ['9', '>= 10', false],
  ['10', '>= 10', true],
  ['9', '<= 10', true],
  ['11', '<= 10', false],
  [1.5, '>= 1.25', true],
  [-1, '<= -0.5', true],
  ['1e3', '== 1000', true],
  ['0x10', '== 16', false],
  ['', '== 0', false],
  [true, '== 1', false],
  ['infinite', '>= 10', false],
  ['10', '>=10', false],
]);

table('text operators', [
  ['abc', 's== abc', true],
  ['abc', 's== ABC', false],
  ['2', 's== 2.0', false],
  ['abc', 's!= abd', true],
  ['abc', 's!= abc', false],
  ['2', 's< 10', false],
  ['1000', 's< 2', true],
  ['1000', 's<= 1000', true],
  ['1001', 's<= 1000', false],
  ['2', 's> 12', true],
  ['12', 's> 2', false],
  ['1000', 's>= 1000', true],
  ['0999', 's>= 1000', false],
  ['two words', 's== two words', true],
]);

table('<in> asks for a part of the text', [
  ['12311321', '<in> 11', true],
  ['12311321', '<in> 12311321', true],
  ['12310321', '<in> 11', false],
  ['iSCSI', '<in> scsi', false],
  [4096, '<in> 09', true],
  [null, '<in> n', false],
]);

table('<is> asks for the same truth', [
  [true, '<is> True', true],
  [true, '<is> true', true],
  [true, '<is> 1', true],
  [true, '<is> False', false],
  [false, '<is> False', true],
  [false, '<is> True', false],
  ['True', '<is> true', true],
  ['yes', '<is> on', true],
  ['0', '<is> no', true],
  [1, '<is> True', true],
  [0, '<is> True', false],
  ['banana', '<is> True', false],
  ['banana', '<is> False', true],
]);

table('<or> asks for one of several', [
  ['12', '<or> 11 <or> 12', true],
  ['11', '<or> 11 <or> 12', true],
  ['13', '<or> 11 <or> 12', false],
  ['12', '<or> 12', true],
  ['12', '<or> 11 <or> 12 <or>', true],
  ['', '<or> 11 <or>', false],
  ['two words', '<or> one <or> two words', true],
  [true, '<or> True <or> maybe', true],
]);

table('an operator without an operand, and words that are no operators', [
  ['=', '=', false],
  ['x', '<in>', false],
  ['', 's==', false],
  [false, '<is>', false],
  ['x', '<or>', false],
  ['> 3', '> 3', true],
  [4, '> 3', false],
  ['x', '<all-in> x', false],
]);

table('a reported list', [
  [['iSCSI', 'FC'], 'FC', true],
  [['iSCSI', 'FC'], 'NFS', false],
  [['iSCSI', 'FC'], '<in> SCSI', true],
  [[1, 5], '>= 4', true],
  [['a', 'b'], 's!= a', false],
  [['b', 'c'], 's!= a', true],
  [[1, 2], '!= 2', false],
  [[], 'x', false],
  [[], 's!= x', false],
]);

describe('extra specs against capabilities', () => {
  const capabilities = {
    volume_backend_name: 'lvm',
    compression: true,
    storage_protocol: 'iSCSI',
    disks: { ssd: { count: 4 }, labels: ['fast', 'local'] },
    nothing: undefined,
    empty: null,
  };

  const met = (extraSpecs: Readonly<Record<string, string>>): boolean =>
    unmetSpec(extraSpecs, capabilities) === undefined;

  it('must all be met', () => {
    assert.ok(met({}));
    assert.ok(met({ volume_backend_name: 'lvm', compression: '<is> True' }));
    assert.ok(!met({ volume_backend_name: 'lvm', compression: '<is> False' }));
  });

  it('may carry the scope "capabilities"', () => {
    assert.ok(met({ 'capabilities:volume_backend_name': 'lvm' }));
    assert.ok(!met({ 'capabilities:volume_backend_name': 'ceph' }));
  });

  it('of any other scope are not looked at', () => {
    assert.ok(met({ 'provisioning:type': 'thin', 'RESKEY:availability_zones': 'moon', 'hp3par:cpg': 'x', ':x': 'y' }));
  });

  it('reach into nested capabilities by colons', () => {
    assert.ok(met({ 'capabilities:disks:ssd:count': '>= 4' }));
    assert.ok(!met({ 'capabilities:disks:ssd:count': '>= 5' }));
    assert.ok(met({ 'capabilities:disks:labels': 'local' }));
    assert.equal(unmetSpec({ 'capabilities:disks:hdd:count': '1' }, capabilities), 'disks:hdd:count is not reported');
  });

  it('fail on what is not reported, be it a property of every object', () => {
    for (const key of [
      'dedup',
      'nothing',
      'constructor',
      '__proto__',
      'toString',
      'capabilities:',
      'capabilities:disks:labels:0',
    ]) {
      assert.match(unmetSpec({ [key]: 's!= x' }, capabilities) ?? 'met', / is not reported$/, key);
    }
    assert.ok(!met({ empty: '<is> False' }));
  });

  it('say what was wanted', () => {
    assert.equal(
      unmetSpec({ volume_backend_name: '<or> ceph <or> nfs' }, capabilities),
      'volume_backend_name does not satisfy "<or> ceph <or> nfs"',
    );
  });
});

describe('storage_protocol', () => {
  const speaks = (reported: unknown, wanted: string): boolean =>
    unmetSpec({ storage_protocol: wanted }, { storage_protocol: reported }) === undefined;

  for (const names of [
    ['iSCSI', 'iscsi'],
    ['FC', 'fibre_channel', 'fc'],
    ['NFS', 'nfs'],
    ['NVMe-oF', 'NVMeOF', 'nvmeof'],
  ]) {
    it(`is the same under the names ${names.join(', ')}`, () => {
      for (const reported of names) {
        for (const wanted of names) {
          assert.ok(speaks(reported, wanted));
          assert.ok(speaks([reported, 'other'], `<or> nothing <or> ${wanted}`));
          assert.ok(!speaks(reported, `s!= ${wanted}`));
        }
      }
    });
  }

  it('is another one under any other name', () => {
    assert.ok(speaks('ceph', 'ceph'));
    assert.ok(!speaks('ceph', 'Ceph'));
    assert.ok(!speaks('NVMe-TCP', 'NVMe-oF'));
    assert.ok(!speaks('iSCSI', 'FC'));
  });

  it('alone has synonyms', () => {
    assert.equal(unmetSpec({ transport: 'iscsi' }, { transport: 'iSCSI' }), 'transport does not satisfy "iscsi"');
  });
});

describe('operators', () => {
  const operator = fc.constantFrom(
    '=',
    '==',
    '!=',
    '>=',
    '<=',
    's==',
    's!=',
    's<',
    's<=',
    's>',
    's>=',
    '<in>',
    '<is>',
    '<or>',
    '<all-in>',
  );
  const wanted = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(operator, fc.string({ unit: 'binary' })).map(([word, rest]) => `${word} ${rest}`),
    fc.array(operator).map((words) => words.join(' ')),
  );

  it('answer yes or no to any text and any value, and never throw', () => {
    fc.assert(
      fc.property(fc.anything(), wanted, (reported, text) => {
        assert.equal(typeof satisfies(reported, text), 'boolean');
      }),
    );
  });

  it('answer for any keys and any capabilities', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), wanted),
        fc.dictionary(fc.string(), fc.anything()),
        (specs, capabilities) => {
          assert.ok(['string', 'undefined'].includes(typeof unmetSpec(specs, capabilities)));
        },
      ),
    );
  });

  it('agree with arithmetic', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        assert.equal(satisfies(String(a), `= ${b}`), a >= b);
        assert.equal(satisfies(a, `>= ${b}`), a >= b);
        assert.equal(satisfies(a, `<= ${b}`), a <= b);
        assert.equal(satisfies(a, `== ${b}`), a === b);
        assert.notEqual(satisfies(a, `!= ${b}`), satisfies(a, `== ${b}`));
      }),
    );
  });
});
