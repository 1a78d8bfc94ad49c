/**
 * Limits of a connection, for any client: bytes of a header, time to send a request, idle time, and its share of all
 * connections. Where Fastify has limits of Node's, it turns some off; so all are said here.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError, FastifyHttpOptions, FastifyInstance } from 'fastify';
import { http } from '../http/node-http.ts';
import type { ApiConfig } from '../lib/config/config.ts';
import { JSON_TYPE } from './exchange.ts';

/** Bytes of a request before its body. Cinder's, and Node's own. */
const LONGEST_HEADER = 16_384;
/** The longest pause of a proxy between two requests on a connection that it keeps (nginx: 60 s), and more. */
const KEEP_ALIVE_MS = 72_000;
/** A client that neither takes its answer nor says anything, beyond what an answer may take to come. */
const SILENT_MS = 60_000;
/** How long an end in order waits for clients. */
const GOODBYE_MS = 5_000;

export const connectionOptions = (config: ApiConfig): FastifyHttpOptions<Server> => {
  const requestTimeout = config.client_request_timeout * 1_000;
  return {
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout,
    connectionTimeout: requestTimeout + config.rpc_response_timeout * 1_000 + SILENT_MS,
    http: {
      requestTimeout,
      headersTimeout: requestTimeout,
      maxHeaderSize: LONGEST_HEADER,
      connectionsCheckingInterval: Math.min(requestTimeout / 2, 5_000),
    },
    clientErrorHandler: answerNonsense,
  };
};

export function limitConnections(app: FastifyInstance, config: ApiConfig): void {
  app.server.maxConnections = config.max_connections;
  let late: NodeJS.Timeout | undefined;
  app.addHook('preClose', (done) => {
    // A client that sends half a request would keep the process from ending.
    late = setTimeout(() => app.server.closeAllConnections(), GOODBYE_MS);
    done();
  });
  app.addHook('onClose', (_app, done) => {
    clearTimeout(late);
    done();
  });
}

/** What is no request of HTTP, or takes too long to be one. */
function answerNonsense(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // In the middle of an answer to an earlier request this would become a part of that.
  const { _httpMessage: answering } = socket as Socket & { readonly _httpMessage?: { readonly headersSent: boolean } };
  if (socket.writable && !answering?.headersSent) {
    const [status, message] = whatIsWrong(error.code);
    const body = JSON.stringify({ badRequest: { code: status, message } });
    const head = `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: ${JSON_TYPE}`;
    socket.write(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}

function whatIsWrong(code: string | undefined): readonly [number, string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'The request took too long to come.'];
  if (code === 'HPE_HEADER_OVERFLOW') return [431, `The header is longer than ${LONGEST_HEADER} bytes.`];
  return [400, 'This is no request of HTTP/1.1.'];
}
