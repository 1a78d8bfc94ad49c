/**
 * The least that can be done: `node bench/bare.ts ORIGIN PATH…` asks the service at ORIGIN once for each path, and then answers
 * these paths with the bytes it was given, from `node:http` and nothing else.
 */
import { createServer } from 'node:http';
import { listenAsPeer } from './processes.ts';
import { HEADERS } from './subject.ts';

const [origin = '', ...paths] = process.argv.slice(2);
const answers = new Map<string | undefined, Buffer>();
for (const path of paths) {
  const answer = await fetch(`${origin}${path}`, { headers: HEADERS });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
  answers.set(path, Buffer.from(await answer.arrayBuffer()));
}

const server = createServer((request, response) => {
  const bytes = answers.get(request.url);
  if (bytes === undefined) response.writeHead(404).end();
  else response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length }).end(bytes);
});
listenAsPeer(server);
