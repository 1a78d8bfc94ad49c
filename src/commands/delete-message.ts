/** `DELETE /messages/{id}`. */
import { deleteMessage as deleteRow } from '../db/messages.ts';
import type { Caller } from '../model/caller.ts';
import type { Desk } from './desk.ts';
import { messageFor } from './find.ts';

export async function deleteMessage({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    await messageFor(tx.db, caller, id);
    await deleteRow(tx, id);
  });
}
