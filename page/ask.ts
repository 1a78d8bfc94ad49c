/** Requests to the API, by the session's cookie. Paths are relative to the page, so that it works below any address. */

import { heard, lost } from './connection.ts';
import { refusalOf } from './refusal.ts';
import { signedOut } from './session.ts';

const VERSION = 'volume 3.71';

/** Resolves with the answer's text. Rejects with `Refusal`, and with whatever `fetch` does when nobody answers. */
export async function askText(method: string, path: string, body?: object): Promise<string> {
  const changes = method !== 'GET';
  const response = await fetch(path, {
    method,
    headers: {
      accept: 'application/json',
      'openstack-api-version': VERSION,
      ...(changes && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    lost();
    throw error;
  });
  const text = await response.text();
  // A proxy speaks for a service that is away, and not in its words.
  if (response.status >= 502 && parsed(text) === undefined) {
    lost();
    throw new Error(`A proxy answered ${response.status}.`);
  }
  heard();
  if (response.ok && !(response.status === 204 && response.headers.has('x-auth-token'))) return text;
  if (response.status === 401 || response.status === 204) signedOut();
  throw refusalOf(response.status, parsed(text));
}

/** The same, as JSON; undefined for an answer without a body. */
export async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  return parsed(await askText(method, path, body)) as Answer;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
