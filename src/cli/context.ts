/**
 * The context of a command: its streams, its signal, and how a service is started. A command may not see how a service is
 * made, nor the process it runs in.
 */
import type { Desk } from '../commands/desk.ts';
import type { VolumeDriver } from '../drivers/driver.ts';
import type { EngineListener } from '../engine/events.ts';
import type { BackendConfig, Config } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';
import type { Keyboard } from './keyboard.ts';
import type { Terminal } from './terminal.ts';

export interface CliContext {
  readonly version: string;
  readonly out: Terminal;
  readonly err: Terminal;
  /** Absent where nobody types. */
  readonly keyboard: Keyboard | undefined;
  /** Aborted when the process is asked to end. */
  readonly signal: AbortSignal;
  /** Resolves when the service answers. Rejects with `Complaint` when it cannot listen. */
  serve(config: Config, log: Log, listen?: EngineListener): Promise<Running>;
  /** What takes care of a backend, not started. */
  driverOf(section: BackendConfig, config: Config): Promise<VolumeDriver>;
}

/** A service that answers. */
export interface Running {
  /** `http://127.0.0.1:8776` */
  readonly address: string;
  readonly desk: Desk;
  /** Resolves when the process was asked to end and has; rejects when the service cannot go on. */
  ended(): Promise<void>;
}
