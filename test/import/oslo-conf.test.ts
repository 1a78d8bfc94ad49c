/** Reading cinder.conf: as oslo.config itself reads it, wherever that is installed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { OsloConf } from '../../src/import/conf/oslo-conf.ts';

/** What options of [DEFAULT], or else of [Rbd-1], are. */
const CASES: readonly {
  readonly what: string;
  readonly text: string;
  readonly is: Readonly<Record<string, string>>;
}[] = [
  {
    what: 'an equals sign or a colon assigns, whichever is first',
    text: 'a = x:y\nb: p=q\nc=',
    is: { a: 'x:y', b: 'p=q', c: '' },
  },
  { what: 'comments are whole lines', text: '# a = 1\n;b = 2\na = 3 # 4\nb = 5 ; 6', is: { a: '3 # 4', b: '5 ; 6' } },
  {
    what: 'indented lines go on, and a blank line ends that',
    text: 'a = one\n  two\n\tthree\n\nb = x',
    is: { a: 'one\ntwo\nthree', b: 'x' },
  },
  {
    what: 'a pair of quotes is taken off, once',
    text: `a = "x y"\nb = 'z'\nc = "it's\nd = ""`,
    is: { a: 'x y', b: 'z', c: '"it\'s', d: '' },
  },
  { what: 'a quote alone goes', text: 'a = "\nb = \'', is: { a: '', b: '' } },
  { what: 'an option that is said again is stronger', text: 'a = 1\nb = x\na = 2', is: { a: '2', b: 'x' } },
  {
    what: 'options stand for others',
    text: 'a = /var\nb = $a/lib\nc = \u0024{a}lib\nd = $b/x',
    is: { a: '/var', b: '/var/lib', c: '/varlib', d: '/var/lib/x' },
  },
  { what: 'dollars may be meant', text: 'a = $$b\nb = \\$a\nc = cost $', is: { a: '$b', b: '$a', c: 'cost $' } },
  { what: 'percent signs mean nothing', text: 'a = volume-%s\nb = 100%%', is: { a: 'volume-%s', b: '100%%' } },
  {
    what: 'names of groups are the same in any case, and come back',
    text: 'a = 1\n[RBD-1]\nb = 2\n[rbd-1]\nc = 3\n[DEFAULT]\nd = 4',
    is: { a: '1', b: '2', c: '3', d: '4' },
  },
  { what: 'an option of another group is named with it', text: 'a = \u0024{other.b}\n[other]\nb = 9', is: { a: '9' } },
  {
    what: 'in a group its own option counts, and not that of DEFAULT',
    text: 'a = 1\n[rbd-1]\nb = 2\nc = $b',
    is: { a: '1', b: '2', c: '2' },
  },
  { what: 'lines may end as on Windows', text: 'a = 1\r\nb = 2\r\n', is: { a: '1', b: '2' } },
  { what: 'spaces around names and values are nothing', text: 'a   =   1   \nb=\t2', is: { a: '1', b: '2' } },
];

const OPTIONS = ['a', 'b', 'c', 'd'];

/** Reads the same with oslo.config. */
const PEER = `
import json, sys, tempfile
from oslo_config import cfg
out = []
for text in json.load(sys.stdin):
    with tempfile.NamedTemporaryFile('w', suffix='.conf', newline='') as f:
        f.write(text)
        f.flush()
        conf = cfg.ConfigOpts()
        for group in (None, 'Rbd-1', 'other'):
            conf.register_opts([cfg.StrOpt(n) for n in 'abcd'], group=group)
        conf(['--config-file', f.name], project='p', default_config_files=[], default_config_dirs=[])
        found = {n: conf[n] if conf[n] is not None else conf['Rbd-1'][n] for n in 'abcd'}
        out.append({n: value for n, value in found.items() if value is not None})
print(json.dumps(out))
`;

const textOf = (text: string): string => `[DEFAULT]\n${text}`;

function read(text: string): Record<string, string> {
  const conf = new OsloConf(textOf(text), 'cinder.conf');
  const found = OPTIONS.map(
    (option) => [option, conf.value('DEFAULT', option) ?? conf.value('Rbd-1', option)] as const,
  );
  return Object.fromEntries(found.filter((each): each is readonly [string, string] => each[1] !== undefined));
}

describe('cinder.conf', () => {
  for (const { what, text, is } of CASES) test(what, () => assert.deepEqual(read(text), is));

  test('oslo.config reads all of these the same', (t) => {
    const texts = JSON.stringify(CASES.map(({ text }) => textOf(text)));
    const peer = spawnSync('/usr/bin/python3', ['-c', PEER], { input: texts, encoding: 'utf8' });
    if (/No module named 'oslo_config'/.test(peer.stderr ?? '') || peer.error !== undefined)
      return t.skip('oslo.config is not installed (apt-get install python3-oslo.config)');
    assert.equal(peer.status, 0, peer.stderr);
    assert.deepEqual(
      JSON.parse(peer.stdout),
      CASES.map(({ is }) => is),
    );
  });

  test('a list has no empty parts, a flag is true or false in four ways each, and nothing else', () => {
    const conf = new OsloConf('[DEFAULT]\na = x, y ,,z,\nb = On\nc = maybe', 'cinder.conf');
    assert.deepEqual(conf.list('DEFAULT', 'a'), ['x', 'y', 'z']);
    assert.deepEqual(
      [conf.flag('DEFAULT', 'b'), conf.flag('DEFAULT', 'c'), conf.flag('DEFAULT', 'd')],
      [true, undefined, undefined],
    );
    assert.equal(conf.list('DEFAULT', 'd'), undefined);
    const twice = new OsloConf('[DEFAULT]\na = 1\na = 2', 'cinder.conf');
    assert.deepEqual(twice.values('DEFAULT', 'a'), ['1', '2']);
  });

  test('options that stand for themselves end', () => {
    const conf = new OsloConf('[DEFAULT]\na = $b\nb = $a', 'cinder.conf');
    assert.match(conf.value('DEFAULT', 'a') ?? '', /^\$[ab]$/);
    assert.equal(
      new OsloConf('[DEFAULT]\na = $state_path/x $nonesuch', 'f').value('DEFAULT', 'a'),
      '/var/lib/cinder/x $nonesuch',
    );
  });

  for (const [text, message] of [
    ['a = 1', /^cinder\.conf, line 1: an option stands before the first section/],
    ['[DEFAULT', /line 1: the name of a section ends with \]/],
    ['[]', /line 1: the name of a section/],
    ['[DEFAULT]\n\n  password = secret', /line 3: it is indented/],
    ['[DEFAULT]\nsecret', /line 2: it assigns nothing/],
    ['[DEFAULT]\n= secret', /line 2: there is no name/],
  ] as const) {
    test(`${JSON.stringify(text)} is refused with its line, and none of what it says`, () => {
      assert.throws(
        () => new OsloConf(text, 'cinder.conf'),
        (error: Error) => {
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /secret/);
          return error.name === 'OsloConfInvalid';
        },
      );
    });
  }
});
