/**
 * A small iSCSI initiator for tests: many commands at once, and it sees what real ones hide (unit attentions, reconnections).
 *
 * When its connection ends it logs in again, as real ones do, and sends again what was not answered. RFC 7143 is where the
 * numbers come from; one connection, no digests, immediate data.
 */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Reached } from '../../crash/iscsi-client.ts';

const BHS_BYTES = 48;
const SECTOR_BYTES = 512;
const AGAIN_MS = 50;

const NOP_OUT = 0x00;
const SCSI_COMMAND = 0x01;
const LOGIN = 0x43;
const NOP_IN = 0x20;
const SCSI_RESPONSE = 0x21;
const LOGIN_RESPONSE = 0x23;
const DATA_IN = 0x25;

const NO_TAG = 0xffffffff;
const UNIT_ATTENTION = 6;

/** The target answered a command with something else than success. */
export class CommandRefused extends Error {
  readonly senseKey: number;
  constructor(status: number, sense: Buffer) {
    const key = sense.length > 4 ? (sense[4] as number) & 0xf : 0;
    super(`SCSI status ${status}, sense key ${key}`);
    this.senseKey = key;
  }
}

interface Command {
  readonly cdb: Buffer;
  /** What it writes. */
  readonly data: Buffer;
  /** Bytes that it reads. */
  readonly length: number;
  readonly received: Buffer[];
  readonly resolve: (read: Buffer) => void;
  readonly reject: (error: Error) => void;
}

export class IscsiSession {
  unitAttentions = 0;
  reconnections = 0;
  readonly #name: string;
  readonly #reached: Reached;
  #socket: Socket | undefined;
  #ready = false;
  #ended = false;
  #input: Buffer = Buffer.alloc(0);
  #answered: ((pdu: Pdu) => void) | undefined;
  #nextTag = 1;
  #commandNumber = 1;
  #statusNumber = 0;
  readonly #commands = new Map<number, Command>();

  private constructor(name: string, reached: Reached) {
    this.#name = name;
    this.#reached = reached;
  }

  /** Resolves when it is logged in. */
  static async open(name: string, reached: Reached): Promise<IscsiSession> {
    const session = new IscsiSession(name, reached);
    await session.#logIn();
    return session;
  }

  /** Rejects with `CommandRefused`. */
  async write(at: number, data: Buffer): Promise<void> {
    const cdb = Buffer.alloc(16);
    cdb[0] = 0x8a;
    cdb.writeBigUInt64BE(BigInt(at / SECTOR_BYTES), 2);
    cdb.writeUInt32BE(data.length / SECTOR_BYTES, 10);
    await this.#command(cdb, data, 0);
  }

  async flush(): Promise<void> {
    const cdb = Buffer.alloc(16);
    cdb[0] = 0x91;
    await this.#command(cdb, Buffer.alloc(0), 0);
  }

  /** As the target says it now. */
  async bytes(): Promise<number> {
    const cdb = Buffer.alloc(16);
    cdb[0] = 0x9e;
    cdb[1] = 0x10;
    cdb.writeUInt32BE(32, 10);
    const answer = await this.#command(cdb, Buffer.alloc(0), 32);
    return (Number(answer.readBigUInt64BE(0)) + 1) * answer.readUInt32BE(8);
  }

  close(): void {
    this.#ended = true;
    this.#socket?.destroy();
  }

  /** A unit attention tells of a change, and the command is to be sent again. */
  async #command(cdb: Buffer, data: Buffer, length: number): Promise<Buffer> {
    for (;;) {
      try {
        return await new Promise((resolve, reject) => {
          const tag = this.#nextTag++;
          const command = { cdb, data, length, received: [], resolve, reject };
          this.#commands.set(tag, command);
          if (this.#ready) this.#sendCommand(tag, command);
        });
      } catch (error) {
        if (!(error instanceof CommandRefused) || error.senseKey !== UNIT_ATTENTION) throw error;
        this.unitAttentions += 1;
      }
    }
  }

  #sendCommand(tag: number, { cdb, data, length }: Command): void {
    const head = Buffer.alloc(BHS_BYTES);
    head[0] = SCSI_COMMAND;
    head[1] = 0x80 | (length > 0 ? 0x40 : 0) | (data.length > 0 ? 0x20 : 0) | 1;
    head.writeUIntBE(data.length, 5, 3);
    head[9] = this.#reached.target_lun;
    head.writeUInt32BE(tag, 16);
    head.writeUInt32BE(data.length || length, 20);
    head.writeUInt32BE(this.#commandNumber++, 24);
    head.writeUInt32BE(this.#statusNumber, 28);
    cdb.copy(head, 32);
    this.#send(head, data);
  }

  #send(head: Buffer, data: Buffer): void {
    this.#socket?.write(Buffer.concat([head, data, Buffer.alloc(-data.length & 3)]));
  }

  async #logIn(): Promise<void> {
    const [host, port] = this.#reached.target_portal.split(':');
    const socket = connect({ host: host as string, port: Number(port), noDelay: true });
    this.#socket = socket;
    this.#input = Buffer.alloc(0);
    this.#commandNumber = 1;
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const closed = new Promise<never>((_, reject) => {
      socket.once('close', () => reject(new Error('The target closed the connection.')));
    });
    closed.catch(() => {});
    socket.on('error', () => {}).on('data', (data) => this.#read(data));
    await Promise.race([this.#negotiate(), closed]);
    socket.once('close', () => void this.#again());
    this.#ready = true;
    const unanswered = [...this.#commands.values()];
    this.#commands.clear();
    for (const command of unanswered) {
      const tag = this.#nextTag++;
      command.received.length = 0;
      this.#commands.set(tag, command);
      this.#sendCommand(tag, command);
    }
  }

  async #again(): Promise<void> {
    this.#ready = false;
    if (!this.#ended) this.reconnections += 1;
    while (!this.#ended) {
      try {
        return await this.#logIn();
      } catch {
        this.#socket?.destroy();
        await pause(AGAIN_MS);
      }
    }
  }

  async #negotiate(): Promise<void> {
    const { target_iqn, auth_username, auth_password } = this.#reached;
    const names = { InitiatorName: this.#name, TargetName: target_iqn, SessionType: 'Normal' };
    await this.#login(0, 0, { ...names, AuthMethod: 'CHAP' });
    const { CHAP_I, CHAP_C } = await this.#login(0, 0, { CHAP_A: '5' });
    const proof = createHash('md5')
      .update(Buffer.from([Number(CHAP_I)]))
      .update(auth_password)
      .update(Buffer.from((CHAP_C as string).slice(2), 'hex'))
      .digest('hex');
    await this.#login(0, 1, { CHAP_N: auth_username, CHAP_R: `0x${proof}` });
    await this.#login(1, 3, {
      HeaderDigest: 'None',
      DataDigest: 'None',
      InitialR2T: 'Yes',
      ImmediateData: 'Yes',
      MaxRecvDataSegmentLength: '262144',
      FirstBurstLength: '65536',
      MaxBurstLength: '262144',
      ErrorRecoveryLevel: '0',
    });
  }

  /** One step of the login: what the target answered. From a stage to the next; 0 is "stay". */
  async #login(stage: number, next: number, keys: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const data = Buffer.from(
      Object.entries(keys)
        .map(([key, value]) => `${key}=${value}\0`)
        .join(''),
    );
    const head = Buffer.alloc(BHS_BYTES);
    head[0] = LOGIN;
    head[1] = (next > 0 ? 0x80 : 0) | (stage << 2) | next;
    head.writeUIntBE(data.length, 5, 3);
    head[8] = 0x80;
    head.writeUInt32BE(1, 16);
    head.writeUInt32BE(this.#commandNumber, 24);
    const answer = new Promise<Pdu>((resolve) => {
      this.#answered = resolve;
    });
    this.#send(head, data);
    const { head: heard, data: said } = await answer;
    if (heard[36] !== 0) throw new Error(`The target lets nobody in: ${heard[36]}, ${heard[37]}`);
    return Object.fromEntries(
      said
        .toString('latin1')
        .split('\0')
        .map((pair) => pair.split('=', 2) as [string, string]),
    );
  }

  #read(data: Buffer): void {
    this.#input = Buffer.concat([this.#input, data]);
    for (;;) {
      if (this.#input.length < BHS_BYTES) return;
      const length = this.#input.readUIntBE(5, 3);
      const whole = BHS_BYTES + length + (-length & 3);
      if (this.#input.length < whole) return;
      const head = this.#input.subarray(0, BHS_BYTES);
      const pdu = { head, data: this.#input.subarray(BHS_BYTES, BHS_BYTES + length) };
      this.#input = this.#input.subarray(whole);
      this.#heard(pdu);
    }
  }

  #heard({ head, data }: Pdu): void {
    const operation = (head[0] as number) & 0x3f;
    const tag = head.readUInt32BE(16);
    if (operation !== DATA_IN || ((head[1] as number) & 1) === 1) this.#statusNumber = head.readUInt32BE(24) + 1;
    if (operation === LOGIN_RESPONSE) this.#answered?.({ head, data });
    if (operation === NOP_IN && head.readUInt32BE(20) !== NO_TAG) this.#pong(head);
    const command = this.#commands.get(tag);
    if (command === undefined) return;
    if (operation === DATA_IN) command.received.push(Buffer.from(data));
    const status =
      operation === SCSI_RESPONSE || (operation === DATA_IN && ((head[1] as number) & 1) === 1) ? head[3] : undefined;
    if (status === undefined) return;
    this.#commands.delete(tag);
    if (status === 0) command.resolve(Buffer.concat(command.received));
    else command.reject(new CommandRefused(status, data));
  }

  /** It asks whether somebody is there. */
  #pong(asked: Buffer): void {
    const head = Buffer.alloc(BHS_BYTES);
    head[0] = NOP_OUT | 0x40;
    head[1] = 0x80;
    asked.copy(head, 8, 8, 16);
    head.writeUInt32BE(NO_TAG, 16);
    asked.copy(head, 20, 20, 24);
    head.writeUInt32BE(this.#commandNumber, 24);
    head.writeUInt32BE(this.#statusNumber, 28);
    this.#send(head, Buffer.alloc(0));
  }
}

interface Pdu {
  readonly head: Buffer;
  readonly data: Buffer;
}
