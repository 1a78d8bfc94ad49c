/** A server that speaks as much S3 as stores of backups ask for, and not all of it: objects in memory, and an answer that is dictated. */
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { S3Address } from '../../src/backups/stores/store-address.ts';
import { httpServer } from '../clients/http-server.ts';

export interface FalseS3 {
  readonly address: S3Address;
  /** Of every request: method and path. */
  readonly asked: string[];
  /** Every answer from now on; null: as it should be. */
  dictate(answer: { readonly status: number; readonly body?: string } | null): void;
}

/** `conditions`: what it does about `If-None-Match`. */
export async function falseS3(t: TestContext, conditions: 'kept' | 'ignored' | 'unknown' = 'kept'): Promise<FalseS3> {
  const objects = new Map<string, Buffer>();
  const asked: string[] = [];
  let dictated: { readonly status: number; readonly body?: string } | null = null;
  const error = (code: string): string => `<?xml version="1.0"?><Error><Code>${code}</Code><Message></Message></Error>`;
  const endpoint = await httpServer(t, async (request, response) => {
    const { method, url: name = '', headers } = request;
    asked.push(`${method} ${name}`);
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const answer = (status: number, text: string | Buffer = '', more = {}): unknown =>
      response.writeHead(status, { 'content-length': text.length, ...more }).end(method === 'HEAD' ? '' : text);
    if (dictated !== null) return answer(dictated.status, dictated.body);
    const there = objects.get(name);
    if (method === 'PUT') {
      if (headers['content-md5'] !== createHash('md5').update(body).digest('base64'))
        return answer(400, error('BadDigest'));
      if (headers['if-none-match'] !== undefined && conditions === 'unknown')
        return answer(501, error('NotImplemented'));
      if (headers['if-none-match'] !== undefined && conditions === 'kept' && there !== undefined)
        return answer(412, error('PreconditionFailed'));
      objects.set(name, body);
      return answer(200);
    }
    if (there === undefined) return answer(404, error('NoSuchKey'));
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    if (from === undefined) return answer(200, there);
    return answer(206, there.subarray(Number(from), Number(to) + 1));
  });
  return {
    asked,
    address: {
      kind: 's3',
      endpoint,
      region: 'us-east-1',
      bucket: 'bucket',
      prefix: 'pumice/',
      addressing: 'path',
      accessKey: 'key',
      secretKey: 'secret',
      caFile: null,
      silenceMs: 20_000,
    },
    dictate: (answer) => {
      dictated = answer;
    },
  };
}
