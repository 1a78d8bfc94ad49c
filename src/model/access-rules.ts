/**
 * Access rules of an application credential: the only requests that its tokens are good for.
 *
 * A rule names a service, a method and a path, as Keystone keeps them (spec "Whitelist Extension for Application Credentials",
 * keystonemiddleware's `validate_allowed_request`): `*` and `{name}` stand for one segment of a path or a part of one, `**` for
 * anything; the query does not count. Users write the rules and send the paths, so they are compared in a time that
 * grows with both lengths and no faster, which a regular expression would not promise.
 */

export interface AccessRule {
  readonly service: string;
  readonly method: string;
  readonly path: string;
}

/** As the client sent it: `url` is a path, perhaps with a query. */
export interface AskedFor {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** One service under the names it had in time (service-types-authority). */
const BLOCK_STORAGE: readonly string[] = ['block-storage', 'block-store', 'volume', 'volumev2', 'volumev3'];
/** No path here is longer, and no rule that Keystone keeps. */
const LONGEST_PATH = 4096;
const LONGEST_RULE = 128;
/** Rules of one method for this service; more are not judged, and what is not judged is not allowed. */
const MOST_RULES = 100;

export function allows(rules: readonly AccessRule[], serviceType: string, { method, url = '' }: AskedFor): boolean {
  const names = BLOCK_STORAGE.includes(serviceType) ? BLOCK_STORAGE : [serviceType];
  // Ends where the router's path ends, or a rule would be asked about another path than is served.
  const path = /^[^?#]*/.exec(url)?.[0] ?? '';
  if (!path.startsWith('/') || path.length > LONGEST_PATH) return false;
  const ours = rules.filter((rule) => rule.method === method && names.includes(rule.service));
  return ours.length <= MOST_RULES && ours.some((rule) => matches(rule.path, path));
}

type Piece = 'anything' | 'segment' | string;

/** Which lengths of the path are matched, piece by piece. */
function matches(rule: string, path: string): boolean {
  if (rule.length > LONGEST_RULE) return false;
  let reached = new Uint8Array(path.length + 1);
  reached[0] = 1;
  for (const piece of piecesOf(rule)) {
    const next = new Uint8Array(path.length + 1);
    if (piece === 'anything') {
      next.fill(1, reached.indexOf(1));
    } else if (piece === 'segment') {
      for (let at = 1; at <= path.length; at += 1)
        if (path[at - 1] !== '/' && (reached[at - 1] || next[at - 1])) next[at] = 1;
    } else {
      for (let at = 0; at < path.length; at += 1) if (reached[at] && path[at] === piece) next[at + 1] = 1;
    }
    if (!next.includes(1)) return false;
    reached = next;
  }
  return reached[path.length] === 1;
}

/** A literal piece is one character. */
function piecesOf(rule: string): Piece[] {
  return (rule.match(/\{[^{}]*\}|\*\*|./gs) ?? []).map((text) => {
    if (text === '**') return 'anything';
    return text === '*' || text.length > 1 ? 'segment' : text;
  });
}
