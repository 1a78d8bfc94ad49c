/** The streams of events of a server: what is told to all of them, and how many there may be. Loaded when the first one is asked for. */
import { Hub } from '../../events/hub.ts';
import type { Caller } from '../../model/caller.ts';
import { Forbidden } from '../../model/errors.ts';
import { Unauthorized } from '../../model/token.ts';
import type { ApiCall } from '../route.ts';
import { eventSource } from './event-source.ts';
import { EventStream } from './event-stream.ts';

/** Streams of one user, and of all. */
const MOST_OF_USER = 12;
const MOST = 1_000;

class EventRoom {
  readonly #hub: Hub;
  readonly #ofUser = new Map<string, number>();
  #all = 0;

  constructor({ desk, closing }: Pick<ApiCall, 'desk' | 'closing'>) {
    this.#hub = new Hub(eventSource(desk.db));
    closing.addEventListener('abort', () => this.#hub.end());
  }

  /** False: there are too many streams, and this is none. Rejects when it cannot begin, `from` being the place to begin at. */
  async begin(call: ApiCall, from: string | undefined): Promise<boolean> {
    const { caller, closing, takeOver, callerNow } = call;
    if (closing.aborted || !this.#enter(caller.userId)) return false;
    const hub = this.#hub;
    const stream = new EventStream({
      projectId: scopeOf(caller),
      open: takeOver,
      beat: () => hub.beat(),
      isWelcome: () =>
        callerNow().then(
          (again) => again !== undefined && rightsOf(again) === rightsOf(caller),
          (error: unknown) => {
            if (error instanceof Unauthorized || error instanceof Forbidden) return false;
            throw error;
          },
        ),
      gone: () => {
        hub.leave(stream);
        this.#leave(caller.userId);
      },
    });
    try {
      await hub.watch(stream, from);
    } catch (error) {
      this.#leave(caller.userId);
      throw error;
    }
    return true;
  }

  #enter(user: string): boolean {
    const many = this.#ofUser.get(user) ?? 0;
    if (many >= MOST_OF_USER || this.#all >= MOST) return false;
    this.#ofUser.set(user, many + 1);
    this.#all += 1;
    return true;
  }

  #leave(user: string): void {
    const left = (this.#ofUser.get(user) ?? 1) - 1;
    if (left > 0) this.#ofUser.set(user, left);
    else this.#ofUser.delete(user);
    this.#all -= 1;
  }
}

/** By what tells the end of a server. */
const rooms = new WeakMap<AbortSignal, EventRoom>();

/** The one of the server that a call came to. */
export function eventRoomOf(call: ApiCall): EventRoom {
  const room = rooms.get(call.closing) ?? new EventRoom(call);
  rooms.set(call.closing, room);
  return room;
}

/** Null: all projects. */
const scopeOf = ({ isAdmin, projectId }: Caller): string | null => (isAdmin ? null : projectId);

const rightsOf = ({ userId, projectId, isAdmin, roles }: Caller): string =>
  JSON.stringify([userId, projectId, isAdmin, roles]);
