/**
 * The policy: Cinder's default access rules with a site's own in their place.
 *
 * A wrong name or a wrong expression is told when the service starts, all of them at once; it never becomes a rule that lets
 * somebody in, or out, by mistake. A rule that is not known is for administrators.
 */

import { ConfigInvalid } from '../../lib/config/read-config.ts';
import { nearest } from '../../lib/nearest.ts';
import type { Caller } from '../../model/caller.ts';
import { Forbidden } from '../../model/errors.ts';
import { defaultRules } from './default-rules.ts';
import {
  type Asker,
  asksForUser,
  type Expression,
  ExpressionInvalid,
  holds,
  type PolicyTarget,
  parseExpression,
  rulesIn,
} from './expression.ts';

export class PolicyNotAuthorized extends Forbidden {
  constructor(rule: string) {
    super(`Policy doesn't allow ${rule} to be performed.`);
  }
}

export interface PolicyOptions {
  /** Rule name → expression. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Any role in the owning project does what a member may. */
  readonly legacy?: boolean;
}

interface Rights extends Pick<Caller, 'isAdmin' | 'serviceRoles'> {
  readonly user: string;
  readonly text: string;
}

const ADMINISTRATORS: Expression = { is: 'admin', wanted: true };

export class Policy {
  readonly #rules: ReadonlyMap<string, Expression>;
  readonly #asksForUser: boolean;
  /** By the list of roles, which a caller with a remembered token has again. */
  readonly #rights = new WeakMap<readonly string[], Rights>();

  constructor({ overrides = {}, legacy = false }: PolicyOptions = {}) {
    const known = defaultRules({ legacy });
    const problems: string[] = [];
    for (const name of Object.keys(overrides)) {
      if (known.has(name)) continue;
      const near = nearest(name, known.keys());
      problems.push(`policy: there is no rule ${name}${near === undefined ? '.' : `; did you mean ${near}?`}`);
    }
    const rules = new Map<string, Expression>();
    for (const [name, text] of known) {
      const chosen = Object.hasOwn(overrides, name) ? (overrides[name] ?? '') : text;
      try {
        rules.set(name, parseExpression(chosen));
      } catch (error) {
        if (!(error instanceof ExpressionInvalid)) throw error;
        problems.push(`policy.${name} must be an access rule; ${error.message}.`);
      }
    }
    if (problems.length === 0) problems.push(...unfounded(rules));
    if (problems.length > 0) throw new ConfigInvalid('The configuration', problems);
    this.#rules = rules;
    this.#asksForUser = [...rules.values()].some(asksForUser);
  }

  knows(rule: string): boolean {
    return this.#rules.has(rule);
  }

  isAdmin(asker: Omit<Asker, 'isAdmin'>): boolean {
    return this.decide('context_is_admin', { ...asker, isAdmin: false }, {}) === true;
  }

  /** Undefined: it depends on an owner who is not known. */
  decide(rule: string, asker: Asker, owner: PolicyTarget): boolean | undefined {
    return holds(this.#expression(rule), asker, owner, (name) => this.#expression(name));
  }

  /** For what is of the caller's own project: a field of an answer, something asked for within a request. */
  allows(rule: string, caller: Caller): boolean {
    return this.decide(rule, caller, caller) === true;
  }

  demand(rule: string, caller: Caller): void {
    if (!this.allows(rule, caller)) throw new PolicyNotAuthorized(rule);
  }

  /** The same text for callers of a project whom no rule tells apart, and for no others, whatever roles are called. */
  rightsOf({ isAdmin, roles, serviceRoles, userId }: Caller): string {
    const user = this.#asksForUser ? userId : '';
    const known = this.#rights.get(roles);
    if (known?.isAdmin === isAdmin && known.serviceRoles === serviceRoles && known.user === user) return known.text;
    const text = JSON.stringify([isAdmin, roles, serviceRoles, user]);
    this.#rights.set(roles, { isAdmin, serviceRoles, user, text });
    return text;
  }

  #expression(rule: string): Expression {
    return this.#rules.get(rule) ?? ADMINISTRATORS;
  }
}

/** Rules that rest on a rule that is not there, or on themselves. */
function unfounded(rules: ReadonlyMap<string, Expression>): string[] {
  const problems: string[] = [];
  for (const [name, expression] of rules) {
    for (const used of rulesIn(expression)) {
      if (rules.has(used)) continue;
      const near = nearest(used, rules.keys());
      problems.push(`policy.${name}: there is no rule ${used}${near === undefined ? '.' : `; did you mean ${near}?`}`);
    }
    if (restsOn(rules, name, name, new Set())) problems.push(`policy.${name} rests on itself.`);
  }
  // `context_is_admin` says what `is_admin` means.
  if (restsOnAdmin(rules, 'context_is_admin', new Set())) {
    problems.push('policy.context_is_admin must not ask is_admin, which it decides.');
  }
  return problems;
}

function restsOn(rules: ReadonlyMap<string, Expression>, name: string, wanted: string, seen: Set<string>): boolean {
  if (seen.has(name)) return false;
  seen.add(name);
  const used = rulesIn(rules.get(name) ?? ADMINISTRATORS);
  return used.includes(wanted) || used.some((each) => restsOn(rules, each, wanted, seen));
}

function restsOnAdmin(rules: ReadonlyMap<string, Expression>, name: string, seen: Set<string>): boolean {
  if (seen.has(name)) return false;
  seen.add(name);
  const expression = rules.get(name);
  if (expression === undefined) return false;
  return mentionsAdmin(expression) || rulesIn(expression).some((each) => restsOnAdmin(rules, each, seen));
}

function mentionsAdmin(expression: Expression): boolean {
  if (expression.is === 'not') return mentionsAdmin(expression.of);
  if (expression.is === 'and' || expression.is === 'or') return expression.of.some(mentionsAdmin);
  return expression.is === 'admin';
}
