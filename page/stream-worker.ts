/**
 * The stream of changes, for all tabs at once: a browser opens six connections to a place, over all its tabs, and a stream a tab would
 * keep the seventh from loading at all. A program of its own, which the browser shares between them.
 *
 * `EventSource` comes back by itself from a connection that breaks, and never from an answer that is no stream: a proxy's 502 while
 * the service starts, a 401. So a new one is made then, later each time up to some seconds, that says where the last one was. Why there
 * is none is not told; whoever shows something asks the service and learns it.
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

export type ToWorker = { readonly is: 'watch'; readonly as: string } | { readonly is: 'leave' };
/** `session`: another tab is signed in as somebody else now, and so are all. */
export type FromWorker = 'up' | 'down' | 'changed' | 'session';

const ports = new Set<MessagePort>();
let source: EventSource | undefined;
let as = '';
let place = '';
let wait = FIRST_WAIT_MS;
let timer: ReturnType<typeof setTimeout> | undefined;

addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port === undefined) return;
  ports.add(port);
  port.onmessage = ({ data }: MessageEvent<ToWorker>) => heed(data, port);
  port.start();
});

function heed(message: ToWorker, from: MessagePort): void {
  const next = message.is === 'watch' ? message.as : '';
  if (next !== as) {
    for (const port of ports) if (port !== from) say(port, 'session');
    as = next;
    place = '';
    if (as === '') close();
    else open();
  } else if (source?.readyState === EventSource.OPEN) say(from, 'up');
}

function open(): void {
  close();
  const made = new EventSource(`../pumice/v1/events${place && `?after=${encodeURIComponent(place)}`}`);
  source = made;
  const hear = ({ lastEventId }: MessageEvent): void => {
    place = lastEventId || place;
    sayAll('changed');
  };
  made.addEventListener('changes', hear);
  made.addEventListener('reset', hear);
  made.onopen = () => {
    wait = FIRST_WAIT_MS;
    sayAll('up');
  };
  made.onerror = () => {
    sayAll('down');
    if (made.readyState !== EventSource.CLOSED || source !== made) return;
    timer = setTimeout(open, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  };
}

function close(): void {
  clearTimeout(timer);
  source?.close();
  source = undefined;
}

const say = (port: MessagePort, what: FromWorker): void => port.postMessage(what);

function sayAll(what: FromWorker): void {
  for (const port of ports) say(port, what);
}
