/**
 * What the errors of S3 servers mean: whether to wait, or what an operator has to do. The codes are those of
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, of radosgw and of MinIO.
 */
import {
  BackupDamaged,
  BackupFailed,
  BackupMissing,
  BackupStoreFull,
  BackupStoreRefused,
  BackupStoreUnavailable,
  type PumiceError,
} from '../../model/errors.ts';

export interface S3Answer {
  /** How a sentence about it begins: `The backup store (…) could not read …`. */
  readonly could: string;
  readonly status: number;
  /** Of its body; empty where that has none. */
  readonly code: string;
}

const ELSEWHERE = ['it is elsewhere', 'Check backup_s3_endpoint_url and backup_s3_region'] as const;

/** Why, and the next step. */
const REFUSED: Readonly<Record<string, readonly [why: string, step: string]>> = {
  AccessDenied: ['our key may not do this there', 'It must be allowed to get, put, delete and list in the bucket'],
  AuthorizationHeaderMalformed: ['its region is another one', 'Check backup_s3_region'],
  InvalidAccessKeyId: ['it does not know our key', 'Check backup_s3_store_access_key'],
  InvalidBucketName: ['it has no buckets of such a name', 'Check backup_s3_store_bucket'],
  MovedPermanently: ELSEWHERE,
  NoSuchBucket: ['the bucket is not there, and was not deleted by us', 'Check backup_s3_store_bucket'],
  PermanentRedirect: ELSEWHERE,
  RequestTimeTooSkewed: ['its clock and the one of this host differ', 'Set the one that is wrong'],
  SignatureDoesNotMatch: ['it refused our credentials', 'Check backup_s3_store_secret_key'],
};

const FULL: readonly string[] = ['QuotaExceeded', 'XMinioStorageFull', 'XMinioBucketQuotaExceeded'];

/** A request that came in pieces or late: the same may succeed. */
const SPOILT: readonly string[] = [
  'BadDigest',
  'IncompleteBody',
  'RequestTimeout',
  'SlowDown',
  'XAmzContentSHA256Mismatch',
];

export function s3Failure({ could, status, code }: S3Answer): PumiceError {
  const told = code === '' ? String(status) : code;
  const known = Object.hasOwn(REFUSED, code) ? REFUSED[code] : undefined;
  if (known !== undefined) return new BackupStoreRefused(`${could}: ${known[0]} (${told}). ${known[1]}.`);
  if (FULL.includes(code) || status === 507) return new BackupStoreFull(`${could}: it is full (${told}).`);
  if (SPOILT.includes(code) || [408, 409, 429].includes(status) || (status >= 500 && status !== 501))
    return new BackupStoreUnavailable(`${could}: it is busy (${told}).`);
  if (code === 'NoSuchKey') return new BackupMissing(`${could}: it is not there.`);
  if (status === 416) return new BackupDamaged(`${could}: it has fewer bytes than it should.`);
  // Not by the request's fault, and not by what is asked for.
  if (status < 400 || [401, 403, 404, 405].includes(status))
    return new BackupStoreRefused(
      `${could}: it answers ${told}. Check backup_s3_endpoint_url and the bucket's policy.`,
    );
  return new BackupFailed(`${could}: it answers ${told}.`);
}

export const codeIn = (xml: string): string => /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(xml)?.[1] ?? '';
