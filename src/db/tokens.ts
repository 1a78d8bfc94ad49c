/** Tokens of Pumice's own identity that were issued, and neither revoked nor forgotten. */
import { now, type Timestamp } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

export interface IssuedToken {
  /** Of the token, which nobody keeps. */
  readonly digest: string;
  readonly auditId: string;
  readonly methods: readonly string[];
  readonly userId: string;
  readonly projectId: string | null;
  readonly applicationCredentialId: string | null;
  /** Of the secret that the token was got with: with another secret, it is no token any more. */
  readonly secretMark: string;
  readonly issuedAt: Timestamp;
  readonly expiresAt: Timestamp;
}

export async function insertToken({ db }: Tx, token: IssuedToken): Promise<void> {
  await db
    .insertInto('token')
    .values({
      digest: token.digest,
      audit_id: token.auditId,
      methods: JSON.stringify(token.methods),
      user_id: token.userId,
      project_id: token.projectId,
      application_credential_id: token.applicationCredentialId,
      secret_mark: token.secretMark,
      issued_at: token.issuedAt,
      expires_at: token.expiresAt,
    })
    .execute();
}

export async function findToken(db: Db, digest: string): Promise<IssuedToken | undefined> {
  const row = await db.selectFrom('token').selectAll().where('digest', '=', digest).executeTakeFirst();
  return (
    row && {
      digest: row.digest,
      auditId: row.audit_id,
      methods: JSON.parse(row.methods),
      userId: row.user_id,
      projectId: row.project_id,
      applicationCredentialId: row.application_credential_id,
      secretMark: row.secret_mark,
      issuedAt: row.issued_at,
      expiresAt: row.expires_at,
    }
  );
}

export async function deleteToken({ db }: Tx, digest: string): Promise<void> {
  await db.deleteFrom('token').where('digest', '=', digest).execute();
}

/** Forgets up to `limit` expired ones. Returns how many. */
export async function pruneTokens({ db }: Tx, limit: number): Promise<number> {
  const expired = db
    .selectFrom('token')
    .select('digest')
    .where('expires_at', '<=', now())
    .orderBy('expires_at')
    .limit(limit);
  const { numDeletedRows } = await db.deleteFrom('token').where('digest', 'in', expired).executeTakeFirst();
  return Number(numDeletedRows);
}
