/** What the hub tells of our database: the events of the outbox, and how flows get on. */
import type { Database } from '../../db/database.ts';
import { dataVersionOf } from '../../db/sql/data-version.ts';
import { isBehind, type WatchedEvent, WatchedEvents } from '../../db/watched-events.ts';
import type { Change, HubSource } from '../../events/hub.ts';
import { flowChanges } from './flow-changes.ts';

export function eventSource(db: Database): HubSource {
  const events = new WatchedEvents(db);
  return {
    version: dataVersionOf(db.reader),
    end: () => events.end(),
    isPlace: (text) => events.isPlace(text),
    isBehind,
    after: async (place, limit) =>
      (await events.after(place, limit)).map((event) => ({ place: event.place, change: changeOf(event) })),
    flows: flowChanges(db.read),
  };
}

function changeOf({ place: _, owner, ...event }: WatchedEvent): Change {
  const told = JSON.stringify({ is: 'event', ...event, project_id: owner });
  return { key: event.resource, projectId: owner, own: told, full: told };
}
