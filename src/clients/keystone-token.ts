/** The parser of Keystone's account of a token: one that is not wholly as it should be is no token. */
import type { AccessRule } from '../model/access-rules.ts';
import type { Token } from '../model/token.ts';

export interface ReadToken extends Token {
  readonly expiresMs: number;
}

/** Undefined for anything that does not say who it is, what for, and until when. */
export function readToken(body: unknown): ReadToken | undefined {
  const token = field(body, 'token');
  const userId = idIn(field(token, 'user'));
  const expiresAt = field(token, 'expires_at');
  const roles = field(token, 'roles') ?? [];
  if (userId === undefined || typeof expiresAt !== 'string' || !Array.isArray(roles)) return undefined;
  const expiresMs = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(expiresAt) ? expiresAt : `${expiresAt}Z`);
  if (!Number.isFinite(expiresMs)) return undefined;
  const names = roles.map((role) => field(role, 'name'));
  if (!names.every((name) => typeof name === 'string')) return undefined;
  const project = field(token, 'project');
  const projectId = idIn(project);
  if (project !== undefined && project !== null && projectId === undefined) return undefined;
  const accessRules = accessRulesIn(token);
  if (accessRules === 'unreadable') return undefined;
  return {
    userId,
    projectId: projectId ?? null,
    roles: names,
    system: field(field(token, 'system'), 'all') === true && projectId === undefined,
    expiresMs,
    ...(accessRules !== undefined && { accessRules }),
  };
}

/** Of the application credential that the token was made with. What cannot be judged must not pass for no rules. */
function accessRulesIn(token: unknown): readonly AccessRule[] | undefined | 'unreadable' {
  const credential = field(token, 'application_credential') ?? undefined;
  if (credential === undefined) return undefined;
  if (typeof credential !== 'object' || Array.isArray(credential)) return 'unreadable';
  const rules = field(credential, 'access_rules') ?? undefined;
  if (rules === undefined) return undefined;
  if (!Array.isArray(rules)) return 'unreadable';
  const read = rules.map((rule) => {
    const [service, method, path] = ['service', 'method', 'path'].map((name) => field(rule, name));
    return typeof service === 'string' && typeof method === 'string' && typeof path === 'string'
      ? { service, method, path }
      : undefined;
  });
  return read.every((rule) => rule !== undefined) ? read : 'unreadable';
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

const ID = /^[A-Za-z0-9._@:-]{1,255}$/;

function idIn(value: unknown): string | undefined {
  const id = field(value, 'id');
  return typeof id === 'string' && ID.test(id) ? id : undefined;
}
