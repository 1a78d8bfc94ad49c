/** Answers made of texts that are JSON already: joined, never parsed. */
import type { Link } from './page.ts';

/** `{"volume": <text>}` */
export function oneOf(key: string, text: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`{${JSON.stringify(key)}:`), text, CLOSE]);
}

/** `{"volumes": [<text>,…], "volumes_links": […], "count": N}` */
export function listOf(key: string, texts: readonly Buffer[], links: readonly Link[], count?: number): Buffer {
  const head = Buffer.from(`{${JSON.stringify(key)}:[`);
  const tail = Buffer.from(`]${linksPart(key, links)}${count === undefined ? '' : `,"count":${count}`}}`);
  let length = head.length + tail.length + Math.max(texts.length - 1, 0);
  for (const text of texts) length += text.length;
  const answer = Buffer.allocUnsafe(length);
  answer.set(head);
  let at = head.length;
  for (let index = 0; index < texts.length; index += 1) {
    if (index > 0) {
      answer[at] = COMMA;
      at += 1;
    }
    const text = texts[index] as Buffer;
    answer.set(text, at);
    at += text.length;
  }
  answer.set(tail, at);
  return answer;
}

function linksPart(key: string, links: readonly Link[]): string {
  return links.length === 0 ? '' : `,${JSON.stringify(`${key}_links`)}:${JSON.stringify(links)}`;
}

const CLOSE = Buffer.from('}');
const COMMA = 0x2c;
