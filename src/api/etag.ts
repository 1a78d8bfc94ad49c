/** Entity tags (3.15): a hash of an answer's content, and the condition `If-Match` of a change that names one. */
import { createHash } from 'node:crypto';

export function etagOf(body: object): string {
  return `"${createHash('md5').update(JSON.stringify(body)).digest('hex')}"`;
}

/** Whether `If-Match` names the mark, quoted or as older clients send it. */
export function isNamed(header: string, etag: string): boolean {
  const bare = etag.slice(1, -1);
  return header.split(',').some((each) => {
    const tag = each.trim().replace(/^W\//, '');
    return tag === '*' || tag === etag || tag === bare;
  });
}
