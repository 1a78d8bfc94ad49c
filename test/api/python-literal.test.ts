import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Literal, parseLiteral } from '../../src/api/python-literal.ts';
import { InvalidInput } from '../../src/model/errors.ts';

const plain = (value: Literal): unknown => {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, each]) => [key, plain(each)]));
  return Array.isArray(value) ? value.map(plain) : value;
};

describe('a value written as in Python', () => {
  for (const [text, value] of [
    ["{'key': 'value'}", { key: 'value' }],
    ["{u'key': u'it\\'s', \"b\": None}", { key: "it's", b: null }],
    ["{'a': {'b': [1, -2.5, True, False]}, }", { a: { b: [1, -2.5, true, false] } }],
    ["('x', 'y')", ['x', 'y']],
    ["'\\x41\\u00e9\\n'", 'Aé\n'],
    ['{"a": null, "b": true}', { a: null, b: true }],
    [' { } ', {}],
    ["{1: 'one'}", { 1: 'one' }],
  ] as const) {
    it(`${text} is read`, () => assert.deepEqual(plain(parseLiteral(text)), value));
  }

  for (const text of [
    '',
    '{',
    "{'a'}",
    "{'a': }",
    "{'a': 1 'b': 2}",
    "'open",
    'word',
    "{'a': 'b'} x",
    '[['.repeat(20),
    '{[]: 1}',
    "'\\x4'",
  ]) {
    it(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseLiteral(text), InvalidInput));
  }

  it('reads all JSON that is not too deep', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }), (value) => {
        assert.deepEqual(plain(parseLiteral(JSON.stringify(value))), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('is refused, and nothing worse, whatever the text', () => {
    const pieces = fc.constantFrom('{', '}', '[', ']', "'", '"', ':', ',', '\\', 'u', 'x', '1', '.', 'None', ' ', 'é');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
        try {
          parseLiteral(parts.join(''));
        } catch (error) {
          assert.ok(error instanceof InvalidInput);
        }
      }),
    );
  });
});
