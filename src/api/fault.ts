/**
 * Faults: the bodies of errors, `{"<fault>": {"code", "message"}}`.
 *
 * The catalogue (`model/errors.ts`) says which fault and status; nothing else is told. An error that is not in it is ours:
 * the client gets a 500 with its request id and the log gets the error.
 *
 * A quota error's message begins with the name of its class, which users search for, and holds the word "exceeded": a client
 * that finds `Retry-After` on a 413 without it would take the answer for a rate limit and try again.
 */
import type { FastifyError } from 'fastify';
import { isTrouble } from '../db/sql/trouble.ts';
import type { Log } from '../lib/logging.ts';
import { type Fault, PumiceError } from '../model/errors.ts';
import { Unauthorized } from '../model/token.ts';
import type { LogFacts } from './admission.ts';
import { RateLimited } from './rate-limit.ts';

export class WrongMethod extends PumiceError {
  override readonly status = 405;
  override readonly fault = 'badMethod';
}

export class WrongMediaType extends PumiceError {
  override readonly status = 415;
  override readonly fault = 'badMediaType';
}

export interface FaultAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const FAULT_OF: Readonly<Record<number, Fault>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

const NO_HEADERS = {};

/** `facts`: what the log says of the request. */
export function faultAnswer(error: unknown, facts: LogFacts, log: Log): FaultAnswer {
  const requestId = facts.request_id;
  if (error instanceof PumiceError) return ofCatalogue(error, facts, log);
  // What the HTTP layer found wrong with a request: its texts are for clients, ours are not.
  if (isFastifyError(error) && error.statusCode !== undefined && error.statusCode < 500) {
    return answer(error.statusCode, FAULT_OF[error.statusCode] ?? 'computeFault', error.message);
  }
  if (isTrouble(error)) {
    log.error({ ...facts, err: error }, 'database trouble');
    return answer(503, 'serviceUnavailable', `The database is not available now. (${requestId})`);
  }
  log.error({ ...facts, err: error }, 'request failed unexpectedly');
  return answer(500, 'computeFault', `The server has met an unexpected error. (${requestId})`);
}

function ofCatalogue(error: PumiceError, facts: LogFacts, log: Log): FaultAnswer {
  if (error.status === 500) log.error({ ...facts, err: error }, 'request failed');
  if (error instanceof Unauthorized && error.challenge !== undefined)
    return { ...answer(401, error.fault, error.message), headers: { 'www-authenticate': error.challenge } };
  if (error instanceof RateLimited) return overLimit(error, error.message, String(error.retryAfterSeconds));
  if (error.fault !== 'overLimit') return answer(error.status, error.fault, error.message);
  const message = error.message.startsWith(error.name) ? error.message : `${error.name}: ${error.message}`;
  if (!message.includes('exceed')) return answer(error.status, error.fault, message);
  return overLimit(error, message, '0');
}

function overLimit({ status }: PumiceError, message: string, retryAfter: string): FaultAnswer {
  return {
    status,
    headers: { 'retry-after': retryAfter },
    body: JSON.stringify({ overLimit: { code: status, message, retryAfter } }),
  };
}

function answer(status: number, fault: Fault, message: string): FaultAnswer {
  return { status, headers: NO_HEADERS, body: JSON.stringify({ [fault]: { code: status, message } }) };
}

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('FST_');
