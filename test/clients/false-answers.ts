/** Answers of a peer that is broken, confused or hostile, by chance; as bytes, and with what becomes of the connection. */
import type { Socket } from 'node:net';
import fc from 'fast-check';

export interface FalseAnswer {
  readonly bytes: Buffer;
  /** So many of them are sent, at most. */
  readonly cut: number;
  readonly ending: 'keeps' | 'closes' | 'resets' | 'stalls' | 'floods' | 'babbles';
}

const FLOOD = Buffer.alloc(65_536, '{"a":[');
/** A multiple of whatever is read of anything. */
const FLOODS = 64;

export function give(connection: Socket, { bytes, cut, ending }: FalseAnswer): void {
  const part = bytes.subarray(0, cut);
  const isCut = part.length < bytes.length;
  connection.write(part, () => {
    if (ending === 'closes' || (isCut && ending === 'keeps')) connection.end();
    else if (ending === 'resets') connection.resetAndDestroy();
    else if (ending === 'babbles') connection.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}more');
    else if (ending === 'floods') flood(connection, FLOODS);
  });
}

function flood(connection: Socket, left: number): void {
  if (left === 0 || connection.destroyed) return void connection.end();
  connection.write(FLOOD, () => flood(connection, left - 1));
}

/** A JSON object of the right shape in which some values are of a wrong one, or missing. */
export const spoilt = (right: object): fc.Arbitrary<string> =>
  fc
    .dictionary(fc.constantFrom(...Object.keys(right), '__proto__', 'constructor', 'x'), odd, { maxKeys: 3 })
    .map((changes) => JSON.stringify({ ...right, ...changes }));

const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    null,
    -1,
    1e308,
    2 ** 53,
    '',
    '\u0000',
    'x'.repeat(70_000),
    '2030-01-01',
    'sha512',
    'shake128',
    'md5',
  ),
);

const json: fc.Arbitrary<string> = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', 'null', '[]', '<html>', '{"token":', '[{}]', `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  fc.constantFrom(
    '{"images":[null]}',
    '{"token":{"user":[]}}',
    '"'.padEnd(1_100_000),
    `{"a":"${'x'.repeat(900_000)}"}`,
  ),
);

const header: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('connection: close', 'connection: keep-alive', 'keep-alive: timeout=0', 'content-encoding: gzip'),
  fc.constantFrom('content-length: 1', 'content-length: -1', 'content-length: 99999999999', 'content-length: one'),
  fc.constantFrom('transfer-encoding: chunked', 'transfer-encoding: gzip', 'trailer: x', 'upgrade: chat', 'x: \u0000'),
  fc.constantFrom('location: /', 'location: /v2/images', 'location: http://127.0.0.1:1/', 'location: ::', 'location: '),
  fc.constantFrom('content-range: bytes 0-9/10', 'content-range: bytes */5', 'content-range: x', 'etag: "a"'),
  fc.constantFrom(
    'x-subject-token: another',
    'x-subject-token: good',
    `x: ${'y'.repeat(20_000)}`,
    'no colon',
    ': no name',
  ),
);

const status: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('200', '200', '201', '206') },
  {
    weight: 3,
    arbitrary: fc.constantFrom('204', '300', '301', '302', '304', '307', '400', '401', '403', '404', '416'),
  },
  { weight: 3, arbitrary: fc.constantFrom('429', '500', '503', '100', '101', '102', '999', '000', '2OO', '', '-1') },
);

const framed: fc.Arbitrary<(body: string) => string> = fc.constantFrom(
  (body: string) => `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  (body: string) => `\r\n${body}`,
  (body: string) =>
    `transfer-encoding: chunked\r\n\r\n${body === '' ? '' : `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`}0\r\n\r\n`,
  (body: string) => `transfer-encoding: chunked\r\n\r\n${body}`,
);

/** `right`: bodies that this peer might really send, perhaps spoilt. */
export function falseAnswers(right: fc.Arbitrary<string>): fc.Arbitrary<FalseAnswer> {
  const http = fc
    .record({ status, headers: fc.array(header, { maxLength: 2 }), framed, body: fc.oneof(right, right, json) })
    .map((each) =>
      Buffer.from(
        [`HTTP/1.1 ${each.status} Yes`, 'x-subject-token: good', ...each.headers, each.framed(each.body)].join('\r\n'),
      ),
    );
  return fc.record({
    bytes: fc.oneof(
      { weight: 9, arbitrary: http },
      { weight: 1, arbitrary: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
    ),
    cut: fc.oneof({ weight: 3, arbitrary: fc.constant(Number.MAX_SAFE_INTEGER) }, fc.nat(400)),
    ending: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('keeps', 'closes', 'resets', 'babbles') },
      { weight: 1, arbitrary: fc.constantFrom('stalls', 'floods') },
    ),
  });
}
