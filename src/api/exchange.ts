/** Fields of ours on Fastify's requests and replies, and how an answer is sent. */
import type { FastifyReply } from 'fastify';
import type { Caller } from '../model/caller.ts';
import type { Visit } from './admission.ts';
import type { Microversion } from './microversion.ts';
import type { RouteMeter } from './request-meter.ts';

/** What a path and a method lead to, before it is known which route. */
export interface Place {
  /** Needs neither token nor version. */
  readonly open?: true;
  /** A method that no route of this path has. */
  readonly wrongMethod?: true;
  /** There is nothing. */
  readonly nowhere?: true;
  /** Of our own API: there are no microversions, and nobody is invited. */
  readonly own?: true;
  /** Before this version there is nothing. */
  readonly since: Microversion;
  /** As it stands in the table, below its prefix: `/v3/volumes/:id`. Undefined where there is none. */
  readonly route?: string;
  /** Undefined where nobody measures. */
  readonly meter?: RouteMeter | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    version: Microversion;
    visit: Visit;
  }
}

/** The longest part of a path that may name something. */
export const LONGEST_NAME = 1024;

/** The part of a URL after the question mark. */
export interface Unparsed {
  readonly text: string;
}

/** The router parses before any hook runs, where an error is nobody's. */
export const unparsed = (text: string): { [key: string]: unknown } & Unparsed => ({ text });

export const JSON_TYPE = 'application/json';

export function send(reply: FastifyReply, status: number, body: object | undefined): void {
  reply.code(status);
  if (body === undefined) {
    reply.send();
    return;
  }
  if (!reply.hasHeader('content-type')) reply.header('content-type', JSON_TYPE);
  reply.send(body instanceof Uint8Array ? body : bytesOf(JSON.stringify(body)));
}

/** Text would be sent with a character set that JSON does not have. */
export const bytesOf = (text: string): Buffer => Buffer.from(text);
