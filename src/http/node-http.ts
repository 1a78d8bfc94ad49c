/**
 * `node:http`, without what an `import` of it brings along: that reads each of its exports, and one of them, `WebSocket`, loads
 * Node's own fetch with its streams and its compression. `require` reads none. An import of types alone costs nothing.
 */
import { createRequire } from 'node:module';

export const http: typeof import('node:http') = createRequire(import.meta.url)('node:http');
