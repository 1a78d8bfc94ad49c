/**
 * The files of the page, served from memory: the HTML, which names the others, and those, whose names hold a hash of what is in
 * them and which a browser therefore keeps for good.
 *
 * They were built when Pumice was installed and lie beside the bundle; whoever runs the sources has them built at the first
 * request. Each was compressed once, as small as it goes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RouteNotFound } from '../../model/errors.ts';
import { PAGE_NAME, type PageFile } from './page-file.ts';

/**
 * Scripts and styles are files of ours alone, and nothing else is loaded from anywhere, nor sent to; no other page may frame this
 * one; and no script makes a document or a script out of text (trusted types).
 */
const SECURITY = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types pumice',
  ].join('; '),
  'referrer-policy': 'same-origin',
} as const;

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

export type PageFiles = ReadonlyMap<string, PageFile>;

export async function loadPage(): Promise<PageFiles> {
  const beside = join(import.meta.dirname, 'page');
  const files = existsSync(join(beside, PAGE_NAME)) ? readBuilt(beside) : (await import('./build-page.ts')).buildPage();
  return new Map((await files).map((file) => [file.name, file]));
}

function readBuilt(directory: string): readonly PageFile[] {
  const read = (name: string): Buffer => readFileSync(join(directory, name));
  return readdirSync(directory)
    .filter((name) => !/\.(br|gz)$/.test(name))
    .map((name) => ({ name, identity: read(name), br: read(`${name}.br`), gzip: read(`${name}.gz`) }));
}

/** Throws `RouteNotFound`. */
export function sendPageFile(files: PageFiles, name: string, request: FastifyRequest, reply: FastifyReply): void {
  const file = files.get(name);
  if (file === undefined) throw new RouteNotFound('The page has no such file.');
  const isHtml = name === PAGE_NAME;
  const coding = codingFor(request.headers['accept-encoding']);
  if (coding !== 'identity') reply.header('content-encoding', coding);
  if (isHtml) reply.headers(SECURITY);
  reply
    .header('cache-control', isHtml ? 'no-cache' : 'public, max-age=31536000, immutable')
    .header('vary', isHtml ? 'Accept, Accept-Encoding' : 'Accept-Encoding')
    .header('x-content-type-options', 'nosniff')
    .type(TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream')
    .send(file[coding]);
}

function codingFor(accepted: string | string[] | undefined): 'br' | 'gzip' | 'identity' {
  const names = String(accepted ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => !/;\s*q=0(\.0*)?$/.test(each))
    .map((each) => each.split(';', 1)[0]);
  return names.includes('br') ? 'br' : names.includes('gzip') ? 'gzip' : 'identity';
}
