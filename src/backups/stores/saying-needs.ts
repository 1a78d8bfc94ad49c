/** A store that says when it is full how much more is needed: whoever makes room wants to know, and the store knows one object. */

import { sizeText } from '../../lib/bytes.ts';
import { BackupStoreFull } from '../../model/errors.ts';
import type { BackupStore } from './store.ts';

/** `needs`: bytes that are still to be stored, with the object of this size that is put next. */
export function sayingNeeds(store: BackupStore, needs: (bytes: number) => number): BackupStore {
  // Whoever puts it again has gone on meanwhile, and stored nothing.
  let put = { name: '', needsBytes: 0 };
  return {
    packBytes: store.packBytes,
    get: (...call) => store.get(...call),
    put: (name, body, signal) => {
      if (put.name !== name) put = { name, needsBytes: needs(body.length) };
      const { needsBytes } = put;
      return store.put(name, body, signal).catch((error: unknown) => {
        if (!(error instanceof BackupStoreFull)) throw error;
        const message = `The backup store is full: about ${sizeText(needsBytes)} more are needed.`;
        throw new BackupStoreFull(`${message} Delete backups, or make room.`, { cause: error, needsBytes });
      });
    },
    putNew: (...call) => store.putNew(...call),
    head: (...call) => store.head(...call),
    delete: (...call) => store.delete(...call),
    list: (...call) => store.list(...call),
    tidy: (...call) => store.tidy(...call),
    freeBytes: (...call) => store.freeBytes(...call),
  };
}
