/** Signatures of requests to S3, compared with those that AWS has published with its description of them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { encodedPath, NO_PAYLOAD, signed, type UnsignedRequest } from '../../src/backups/stores/s3-signature.ts';

const KEY = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
};
const AT = Date.UTC(2013, 4, 24);
const BUCKET = 'https://examplebucket.s3.amazonaws.com/';

describe('a signature for S3', () => {
  const examples: readonly (readonly [what: string, request: UnsignedRequest, names: string, signature: string])[] = [
    [
      'a part of an object',
      { method: 'GET', url: new URL('test.txt', BUCKET), headers: { range: 'bytes=0-9' }, payload: NO_PAYLOAD },
      'host;range;x-amz-content-sha256;x-amz-date',
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'an object whose name is encoded',
      {
        method: 'PUT',
        url: new URL('test$file.text', BUCKET),
        headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
        payload: createHash('sha256').update('Welcome to Amazon S3.').digest('hex'),
      },
      'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'a question without a value',
      { method: 'GET', url: new URL('?lifecycle', BUCKET), headers: {}, payload: NO_PAYLOAD },
      'host;x-amz-content-sha256;x-amz-date',
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'a list',
      { method: 'GET', url: new URL('?max-keys=2&prefix=J', BUCKET), headers: {}, payload: NO_PAYLOAD },
      'host;x-amz-content-sha256;x-amz-date',
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ];
  for (const [what, request, names, signature] of examples) {
    test(`of ${what} is AWS's`, () => {
      assert.equal(
        signed(request, KEY, AT).authorization,
        `AWS4-HMAC-SHA256 Credential=${KEY.accessKey}/20130524/us-east-1/s3/aws4_request,` +
          `SignedHeaders=${names},Signature=${signature}`,
      );
    });
  }

  test('is of a name as it is sent, and of a question in whatever order', () => {
    const [one, other] = ['?b=2&a=1&a-b=3', '?a=1&a-b=3&b=2'].map((query) =>
      signed({ method: 'GET', url: new URL(query, BUCKET), headers: {}, payload: NO_PAYLOAD }, KEY, AT),
    );
    assert.deepEqual(one, other);
    assert.equal(encodedPath("a b/(c)*!'~ü"), 'a%20b/%28c%29%2A%21%27~%C3%BC');
    assert.equal(new URL(encodedPath("a b/(c)*!'~ü"), BUCKET).pathname, '/a%20b/%28c%29%2A%21%27~%C3%BC');
  });

  test('holds nothing of the secret', () => {
    const headers = signed({ method: 'GET', url: new URL(BUCKET), headers: {}, payload: NO_PAYLOAD }, KEY, AT);
    assert.ok(!JSON.stringify(headers).includes(KEY.secretKey));
  });
});
