/** The layers of a chain of backups, laid over each other: which object says what a volume holds where. */
import type { CinderObject } from './cinder-metadata.ts';

/** A part of a volume, and the object that has it. */
export interface CinderPiece {
  readonly at: number;
  readonly bytes: number;
  readonly object: CinderObject;
  /** 0 is the full backup. */
  readonly layer: number;
}

/** In the order of the volume. `layers`: the full backup first; each later one counts where it says anything, zeroes too. */
export function laidOver(layers: readonly (readonly CinderObject[])[]): readonly CinderPiece[] {
  return layers.reduce<readonly CinderPiece[]>((below, objects, layer) => {
    const pieces: CinderPiece[] = [];
    let place = 0;
    const keep = (piece: CinderPiece, from: number, to: number): void => {
      if (to > from) pieces.push({ ...piece, at: from, bytes: to - from });
    };
    let rest = below[place];
    for (const object of objects) {
      const { at, bytes } = object;
      for (; rest !== undefined && rest.at < at + bytes; ) {
        const end = rest.at + rest.bytes;
        keep(rest, rest.at, Math.min(end, at));
        if (end > at + bytes) {
          rest = { ...rest, at: at + bytes, bytes: end - at - bytes };
          break;
        }
        place += 1;
        rest = below[place];
      }
      pieces.push({ at, bytes, object, layer });
    }
    if (rest !== undefined) pieces.push(rest, ...below.slice(place + 1));
    return pieces;
  }, []);
}
