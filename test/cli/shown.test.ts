import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { tableLines } from '../../src/cli/table.ts';
import { cut, printable, widthOf, wrap } from '../../src/cli/terminal.ts';
import { sizeText } from '../../src/lib/bytes.ts';
import { age, between, duration } from '../../src/lib/times.ts';
import { bar, copiedText, percent, timeLeft } from '../../src/why/progress.ts';
import { captured } from './captured.ts';
import { ago, NOW } from './stories.ts';

const COLUMNS = [
  { title: 'NAME', shrinksTo: 4 },
  { title: 'SIZE', align: 'right' },
  { title: 'ID', shrinksTo: 4 },
] as const;
const ROWS = [
  ['a-volume-with-a-long-name', '1 GiB', '480453b2-d9fb-4d45'],
  ['b', '100 GiB', 'ef7516ec'],
];

describe('a table', () => {
  test('is as wide as it needs to be where programs read it', () => {
    assert.deepEqual(tableLines(captured().terminal, COLUMNS, ROWS), [
      'NAME                          SIZE  ID',
      'a-volume-with-a-long-name    1 GiB  480453b2-d9fb-4d45',
      'b                          100 GiB  ef7516ec',
    ]);
  });

  test('cuts its widest columns where the terminal is narrow', () => {
    assert.deepEqual(tableLines(captured(40).terminal, COLUMNS, ROWS), [
      'NAME               SIZE  ID',
      'a-volume-with…    1 GiB  480453b2-d9fb-…',
      'b               100 GiB  ef7516ec',
    ]);
  });

  test('becomes paragraphs where not even that is enough', () => {
    const long = 'x'.repeat(50);
    assert.deepEqual(
      tableLines(
        captured(40).terminal,
        [{ title: 'NAME' }, { title: 'NOTE' }],
        [
          ['a', long],
          ['b', ''],
        ],
      ),
      ['NAME  a', `NOTE  ${long}`, '', 'NAME  b'],
    );
  });

  test('never fills more columns than the terminal has', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string(), fc.string(), fc.string())),
        fc.integer({ min: 40, max: 140 }),
        (rows, columns) => {
          const lines = tableLines(
            captured(columns).terminal,
            [
              { title: 'A', shrinksTo: 4 },
              { title: 'B', shrinksTo: 4 },
              { title: 'C', shrinksTo: 4 },
            ],
            rows,
          );
          assert.ok(lines.every((line) => widthOf(line) <= columns));
        },
      ),
    );
  });

  test('shows what users typed without what a terminal would obey', () => {
    const [, row] = tableLines(captured().terminal, [{ title: 'NAME' }], [['a\u001B[2Jb\r\nc\u202Ed']]);
    assert.equal(row, 'a\u{FFFD}[2Jb\u{FFFD}\u{FFFD}c\u{FFFD}d');
  });
});

describe('text', () => {
  test('is cut to its room, and says so', () => {
    assert.equal(cut('abcdef', 6), 'abcdef');
    assert.equal(cut('abcdef', 4), 'abc…');
  });

  test('is wrapped at words, and loses none', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 12, max: 60 }),
        (words, width) => {
          const lines = wrap(words.join(' '), width);
          assert.equal(lines.join(' '), words.join(' '));
          assert.ok(lines.every((line) => line.length <= width));
        },
      ),
    );
  });

  test('keeps nothing that is not printable', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/[\p{Cc}\u202A-\u202E]/u.test(printable(text))));
  });
});

describe('a live line', () => {
  test('is replaced by the next, and taken away by a lasting one', () => {
    const out = captured(80);
    out.terminal.live('10 %');
    out.terminal.live('20 %');
    out.terminal.line('done');
    assert.equal(out.text, '\r10 %\u001B[K\r20 %\u001B[K\r\u001B[Kdone\n');
  });

  test('is not written where it could not be replaced', () => {
    const out = captured();
    out.terminal.live('10 %');
    out.terminal.line('done');
    assert.equal(out.text, 'done\n');
  });
});

describe('a picture', () => {
  test('is replaced by the next, stands below what is written meanwhile, and stays when it is kept', () => {
    const out = captured(80);
    out.terminal.picture(['a', 'b']);
    out.terminal.picture(['c']);
    out.terminal.line('for good');
    out.terminal.picture(['d']);
    out.terminal.keepPicture();
    out.terminal.line('end');
    const cut = (lines: string): string => `\u001B[?7l${lines}\u001B[?7h`;
    const [first, second, third] = ['a\nb\n', 'c\n', 'd\n'].map(cut);
    assert.equal(out.text, `${first}\u001B[2A\r\u001B[J${second}\u001B[1A\r\u001B[Jfor good\n${third}end\n`);
  });

  test('is no higher than can be replaced, and nothing where it could not be', () => {
    const out = captured(80, 6);
    out.terminal.picture(['1', '2', '3', '4', '5', '6', '7']);
    assert.equal(out.text.split('\n').length - 1, 5);
    const pipe = captured();
    pipe.terminal.picture(['a']);
    assert.equal(pipe.text, '');
  });
});

const MIB = 1024 ** 2;

describe('time and progress', () => {
  test('are said as people say them', () => {
    const said = [0.4, 12.4, 999, 1_240, 12_340, 200_000, 7_500_000, 273_600_000].map(duration);
    assert.deepEqual(said, ['<1 ms', '12 ms', '999 ms', '1.24 s', '12.3 s', '3 min 20 s', '2 h 5 min', '3 d 4 h']);
    assert.equal(between('2026-01-31T12:00:01.000000', '2026-01-31T12:00:00.000000'), '<1 ms');
    assert.equal(age(NOW, NOW), '0 s');
    assert.equal(age('2026-01-31T12:00:00.000000', '2026-01-31T12:00:07.900000'), '7 s');
  });

  test('a bar is as long as its progress', () => {
    assert.equal(bar(0, 8), '░░░░░░░░   0 %');
    assert.equal(bar(0.54, 8), '████▍░░░  54 %');
    assert.equal(bar(1, 8), '████████ 100 %');
    assert.equal(percent(0.999), '99 %');
  });

  test('sizes are said in the unit that needs no thousands', () => {
    const said = [
      0,
      1023,
      1024,
      1536,
      10_000,
      1023.6 * 1024,
      12.5 * MIB,
      540 * MIB,
      1.5 * 1024 * MIB,
      5 * 1024 ** 5,
    ].map(sizeText);
    assert.deepEqual(said, [
      '0 B',
      '1023 B',
      '1 KiB',
      '1.5 KiB',
      '9.8 KiB',
      '1 MiB',
      '12.5 MiB',
      '540 MiB',
      '1.5 GiB',
      '5120 TiB',
    ]);
  });

  test('of a copy are the bytes, and how many a second once that tells anything', () => {
    const copying = { bytes: 540 * MIB, of: 1536 * MIB, from: 90 * MIB, since: ago(10), at: NOW };
    assert.equal(copiedText(copying), '540 MiB of 1.5 GiB, 45 MiB/s');
    assert.equal(copiedText({ ...copying, since: ago(0.5) }), '540 MiB of 1.5 GiB');
  });

  test('the time left is what the rest takes at the pace so far, and is not said when nothing tells it', () => {
    const since = ago(60);
    assert.equal(timeLeft({ since, progress: 0.25 }, NOW), '3 min');
    assert.equal(timeLeft({ since, progress: 0.5 }, NOW), '1 min');
    assert.equal(timeLeft({ since, progress: 0.999 }, NOW), '1 s');
    for (const progress of [null, 0, 0.009, 1]) assert.equal(timeLeft({ since, progress }, NOW), null);
    // Another process's clock may be ahead.
    assert.equal(timeLeft({ since: NOW, progress: 0.5 }, since), '1 s');
  });
});
