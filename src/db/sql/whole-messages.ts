/**
 * Framing of what PostgreSQL says: bytes become whole messages, and each is validated, before `pg` reads any of them.
 *
 * A message is a letter, a length that counts itself, and contents whose form the letter decides ("Message Formats" of PostgreSQL's
 * manual). `pg` believes all of it: where contents do not end inside their message it reads on, into the next message or for
 * ever. So contents must end exactly where the length says, as libpq demands; a message that does not, an unknown letter
 * and a length beyond what PostgreSQL can send mean that the framing is lost, and there is no way back to it.
 *
 * It is asked for every chunk of every answer. Of a row only the lengths of its values are looked at, and bytes are copied only
 * to join a message that came in several chunks, which `pg` does not do again.
 */

const HEADER = 5;
/** Of any allocation of PostgreSQL, and so of its messages: just below 1 GiB (`MaxAllocSize`). */
const LONGEST = 0x3fffffff;
/** In bytes; libpq's bound for messages of all types but those of `LONG`. */
const LONGEST_OF_OTHERS = 30_000;
/** Rows and their description, parameters, errors, notices, notifications, copied data. */
const LONG = new Set(Buffer.from('DTtENAd'));
/** Where contents end that do not end in their message. */
const BEYOND = Number.POSITIVE_INFINITY;

const letter = (type: string): number => type.charCodeAt(0);
const DATA_ROW = letter('D');

export class WholeMessages {
  #held: Buffer[] = [];
  #size = 0;
  /** Bytes without which nothing more can be said of what is held. */
  #wanted = HEADER;

  /**
   * The messages that are whole with this chunk: the chunk itself when it holds nothing else; undefined when there are none.
   * Throws when they are not well-formed; nothing more may be taken after that.
   */
  take(chunk: Buffer): Buffer | undefined {
    let bytes = chunk;
    if (this.#size > 0) {
      this.#held.push(chunk);
      this.#size += chunk.length;
      if (this.#size < this.#wanted) return undefined;
      bytes = Buffer.concat(this.#held, this.#size);
    }
    let at = 0;
    this.#wanted = HEADER;
    while (at + HEADER <= bytes.length) {
      const type = bytes[at] as number;
      const length = bytes.readUInt32BE(at + 1);
      if (length < 4 || (length > LONGEST_OF_OTHERS && !isLong(type, length))) throw malformed(type);
      const end = at + 1 + length;
      if (end > bytes.length) {
        this.#wanted = end - at;
        break;
      }
      if (endOf(type, bytes, at + HEADER, end) !== end) throw malformed(type);
      at = end;
    }
    this.#size = bytes.length - at;
    this.#held = this.#size > 0 ? [bytes.subarray(at)] : [];
    if (at === bytes.length) return bytes;
    return at > 0 ? bytes.subarray(0, at) : undefined;
  }
}

const isLong = (type: number, length: number): boolean => LONG.has(type) && length <= LONGEST;

function malformed(type: number): Error {
  return new Error(`A message of type ${JSON.stringify(String.fromCharCode(type))} is not well-formed.`);
}

/** Where contents that begin at `at` end; not `end` when they are not well-formed. */
function endOf(type: number, bytes: Buffer, at: number, end: number): number {
  if (type === DATA_ROW) return endOfRow(bytes, at, end);
  switch (String.fromCharCode(type)) {
    case '1': // ParseComplete
    case '2': // BindComplete
    case '3': // CloseComplete
    case 'c': // CopyDone
    case 'I': // EmptyQueryResponse
    case 'n': // NoData
    case 's': // PortalSuspended
      return at;
    case 'Z': // ReadyForQuery
      return at + 1;
    case 'K': // BackendKeyData
      return at + 8;
    case 'd': // CopyData
      return end;
    case 'C': // CommandComplete
      return endOfText(bytes, at, end);
    case 'S': // ParameterStatus
      return endOfText(bytes, endOfText(bytes, at, end), end);
    case 'A': // NotificationResponse
      return endOfText(bytes, endOfText(bytes, at + 4, end), end);
    case 'E': // ErrorResponse
    case 'N': // NoticeResponse
      return endOfTexts(bytes, at, end, 1);
    case 'R':
      return endOfAuthentication(bytes, at, end);
    case 'T':
      return endOfDescription(bytes, at, end);
    case 't': // ParameterDescription
      return at + 2 + 4 * int16(bytes, at);
    case 'G': // CopyInResponse
    case 'H': // CopyOutResponse
      return at + 3 + 2 * int16(bytes, at + 1);
    default:
      return BEYOND;
  }
}

/** Contents that are too short for it make them end beyond their message, whatever stands there. */
const int16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

function endOfText(bytes: Buffer, at: number, end: number): number {
  for (let next = at; next < end; next += 1) if (bytes[next] === 0) return next + 1;
  return BEYOND;
}

/** Texts, each after so many bytes that are not 0, up to a 0. */
function endOfTexts(bytes: Buffer, at: number, end: number, before: number): number {
  let next = at;
  while (next < end) {
    if (bytes[next] === 0) return next + 1;
    next = endOfText(bytes, next + before, end);
  }
  return BEYOND;
}

function endOfRow(bytes: Buffer, at: number, end: number): number {
  let next = at + 2;
  for (let left = int16(bytes, at); left > 0; left -= 1) {
    if (next + 4 > end) return BEYOND;
    const length = bytes.readInt32BE(next);
    // -1 is a null.
    if (length < -1) return BEYOND;
    next += length === -1 ? 4 : 4 + length;
  }
  return next;
}

/** After each name its table, column, type, size, modifier and format. */
function endOfDescription(bytes: Buffer, at: number, end: number): number {
  let next = at + 2;
  for (let left = int16(bytes, at); left > 0; left -= 1) next = endOfText(bytes, next, end) + 18;
  return next;
}

const CLEARTEXT_PASSWORD = 3;
const MD5_PASSWORD = 5;
const SASL = 10;

function endOfAuthentication(bytes: Buffer, at: number, end: number): number {
  if (at + 4 > end) return BEYOND;
  switch (bytes.readInt32BE(at)) {
    case 0:
    case CLEARTEXT_PASSWORD:
      return at + 4;
    case MD5_PASSWORD:
      return at + 8;
    case SASL:
      return endOfTexts(bytes, at + 4, end, 0);
    // What SASL goes on with has no form here; what else there is `pg` refuses.
    default:
      return end;
  }
}
