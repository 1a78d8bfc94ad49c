/**
 * The language of access rules: `role:member and project_id:%(project_id)s or rule:admin_api`, as operators of OpenStack
 * know it from policy.yaml.
 *
 * An expression asks about the caller, and about the owner of the target. The owner may not be known yet, so an answer
 * is yes, no or *it depends* (undefined): then, and only then, the owner is worth looking up.
 */

export type Expression =
  | { readonly is: 'always' | 'never' }
  | { readonly is: 'role' | 'service-role' | 'rule'; readonly name: string }
  | { readonly is: 'admin'; readonly wanted: boolean }
  | { readonly is: 'project' | 'user'; readonly id: string }
  | { readonly is: 'own-project' | 'own-user' }
  | { readonly is: 'not'; readonly of: Expression }
  | { readonly is: 'and' | 'or'; readonly of: readonly Expression[] };

/** An expression that cannot be read. The message says where it went wrong. */
export class ExpressionInvalid extends Error {
  override readonly name = 'ExpressionInvalid';
}

/** `%(name)s` belongs to a check, though it has parentheses. */
const TOKEN = /\s+|[()]|(?:%\(\w*\)s|[^\s()])+/gy;

export function parseExpression(text: string): Expression {
  const tokens = [...text.matchAll(TOKEN)].map(([token]) => token).filter((token) => token.trim() !== '');
  if (tokens.length === 0) return { is: 'always' };
  let at = 0;
  const expression = either();
  if (at < tokens.length) throw new ExpressionInvalid(`${tokens[at]} is not expected there`);
  return expression;

  function either(): Expression {
    return joined('or', both);
  }

  function both(): Expression {
    return joined('and', one);
  }

  function joined(word: 'and' | 'or', part: () => Expression): Expression {
    const of = [part()];
    while (tokens[at]?.toLowerCase() === word) {
      at += 1;
      of.push(part());
    }
    return of.length === 1 ? (of[0] as Expression) : { is: word, of };
  }

  function one(): Expression {
    const token = tokens[at];
    at += 1;
    if (token === undefined) throw new ExpressionInvalid('it ends too early');
    if (token.toLowerCase() === 'not') return { is: 'not', of: one() };
    if (token !== '(') return checkNamed(token);
    const inner = either();
    if (tokens[at] !== ')') throw new ExpressionInvalid('a parenthesis is not closed');
    at += 1;
    return inner;
  }
}

function checkNamed(token: string): Expression {
  if (token === '@') return { is: 'always' };
  if (token === '!') return { is: 'never' };
  const [, kind = '', value = ''] = /^([a-z_]+):(.+)$/.exec(token) ?? [];
  switch (kind) {
    case 'role':
      return { is: 'role', name: value.toLowerCase() };
    case 'service_roles':
      return { is: 'service-role', name: value.toLowerCase() };
    case 'rule':
      return { is: 'rule', name: value };
    case 'is_admin':
      return { is: 'admin', wanted: truth(token, value) };
    case 'is_admin_project':
      // No project here is more than another, which identity services say as "true".
      return { is: truth(token, value) ? 'always' : 'never' };
    case 'project_id':
    case 'tenant_id':
      if (!value.includes('%')) return { is: 'project', id: value };
      if (value === '%(project_id)s' || value === '%(tenant_id)s') return { is: 'own-project' };
      break;
    case 'user_id':
      if (!value.includes('%')) return { is: 'user', id: value };
      if (value === '%(user_id)s') return { is: 'own-user' };
      break;
    default:
  }
  throw new ExpressionInvalid(
    `${token} is no check; known are role:R, rule:NAME, is_admin:True, project_id:%(project_id)s, user_id:%(user_id)s, ` +
      'project_id:ID, user_id:ID, service_roles:R, @ and !',
  );
}

function truth(token: string, value: string): boolean {
  if (/^true$/i.test(value)) return true;
  if (/^false$/i.test(value)) return false;
  throw new ExpressionInvalid(`${token} must end in True or False`);
}

/** What an expression may ask about the caller. */
export interface Asker {
  readonly userId: string;
  readonly projectId: string;
  readonly roles: readonly string[];
  readonly serviceRoles: readonly string[];
  readonly isAdmin: boolean;
}

/** Whose the thing is that the request is for, as far as it is known. */
export interface PolicyTarget {
  readonly projectId?: string;
  readonly userId?: string;
}

export function holds(
  expression: Expression,
  asker: Asker,
  owner: PolicyTarget,
  rule: (name: string) => Expression,
): boolean | undefined {
  switch (expression.is) {
    case 'always':
      return true;
    case 'never':
      return false;
    case 'role':
      return asker.roles.includes(expression.name);
    case 'service-role':
      return asker.serviceRoles.includes(expression.name);
    case 'rule':
      return holds(rule(expression.name), asker, owner, rule);
    case 'admin':
      return asker.isAdmin === expression.wanted;
    case 'project':
      return asker.projectId === expression.id;
    case 'user':
      return asker.userId === expression.id;
    case 'own-project':
      return owner.projectId === undefined ? undefined : owner.projectId === asker.projectId;
    case 'own-user':
      return owner.userId === undefined ? undefined : owner.userId === asker.userId;
    case 'not': {
      const inner = holds(expression.of, asker, owner, rule);
      return inner === undefined ? undefined : !inner;
    }
    default:
      return joint(
        expression.of.map((part) => holds(part, asker, owner, rule)),
        expression.is === 'or',
      );
  }
}

/** One `decisive` part decides; else all must be known. */
function joint(parts: readonly (boolean | undefined)[], decisive: boolean): boolean | undefined {
  if (parts.includes(decisive)) return decisive;
  return parts.includes(undefined) ? undefined : !decisive;
}

/** The names of the rules an expression is made of. */
export function rulesIn(expression: Expression): readonly string[] {
  if (expression.is === 'rule') return [expression.name];
  if (expression.is === 'not') return rulesIn(expression.of);
  return expression.is === 'and' || expression.is === 'or' ? expression.of.flatMap(rulesIn) : [];
}

/** Whether it matters which user of a project asks. */
export function asksForUser(expression: Expression): boolean {
  if (expression.is === 'user' || expression.is === 'own-user') return true;
  if (expression.is === 'not') return asksForUser(expression.of);
  return (expression.is === 'and' || expression.is === 'or') && expression.of.some(asksForUser);
}
