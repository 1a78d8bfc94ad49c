/**
 * Signatures of requests to S3, version 4 of AWS's: whoever knows the secret key sees that we know it, too, and that the request is as we
 * sent it. The key itself is never sent.
 *
 * After https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, whose examples are the test. A name is encoded once and
 * never made shorter (`//`, `.`), other than elsewhere at AWS.
 */
import { createHash, createHmac } from 'node:crypto';

export interface S3Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
}

export interface UnsignedRequest {
  readonly method: string;
  /** As it will be sent, encoded as `encoded` does. */
  readonly url: URL;
  /** All of them are signed. Names in lower case; `host` is added. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex, or `UNSIGNED_PAYLOAD`. */
  readonly payload: string;
}

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
/** Of no body. */
export const NO_PAYLOAD = createHash('sha256').digest('hex');

/** The headers with those that make them signed. `atMs`: since 1970; the server refuses what differs from its clock by some minutes. */
export function signed(
  { method, url, headers, payload }: UnsignedRequest,
  { accessKey, secretKey, region }: S3Credentials,
  atMs: number,
): Readonly<Record<string, string>> {
  const time = new Date(atMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const all = { ...headers, host: url.host, 'x-amz-content-sha256': payload, 'x-amz-date': time };
  const sorted = Object.entries(all).sort(byName);
  const names = sorted.map(([name]) => name).join(';');
  const canonical = [
    method,
    pathOf(url),
    queryOf(url),
    ...sorted.map(([name, value]) => `${name}:${value.trim()}`),
    '',
    names,
    payload,
  ].join('\n');
  const scope = [time.slice(0, 8), region, 's3', 'aws4_request'];
  const key = scope.reduce<string | Buffer>((secret, part) => hmac(secret, part).digest(), `AWS4${secretKey}`);
  const digest = createHash('sha256').update(canonical).digest('hex');
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope.join('/'), digest].join('\n')).digest('hex');
  const credential = `${accessKey}/${scope.join('/')}`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${names},Signature=${signature}`;
  return { ...all, authorization };
}

/** Every byte but letters, digits, `-`, `.`, `_` and `~` as `%XX`. */
export const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** A name with its slashes as they are. */
export const encodedPath = (path: string): string => path.split('/').map(encoded).join('/');

const pathOf = ({ pathname }: URL): string => encodedPath(pathname.split('/').map(decodeURIComponent).join('/'));

const queryOf = ({ searchParams }: URL): string =>
  [...searchParams]
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(byName)
    .map((pair) => pair.join('='))
    .join('&');

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]): number => (a < b ? -1 : a > b ? 1 : 0);

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text);
