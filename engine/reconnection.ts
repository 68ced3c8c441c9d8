/** Getting a lost connection back: after which ends, how often, with which pauses. */

import type { DisconnectReason } from '../transport/endpoint.ts';
import type { Channels } from './channel-types.ts';
import type { EngineContext } from './context.ts';
import { fetchToken } from './open-client.ts';
import { type ClientOptions, type ReconnectOptions, reconnectSettings } from './options.ts';

const DELAY_MICROS_MAX = 5_000_000;

/** What an attempt needs of the client. */
export interface Reconnecting {
  /** Connects with a token: null when it has, else why not. */
  attemptWith(token: Uint8Array): Promise<DisconnectReason | null>;
  /** Attempt number `attempt` begins. */
  begins(attempt: number, reason: DisconnectReason): void;
  /** Whether the game has given up meanwhile. */
  isClosed(): boolean;
}

export class Reconnection<C extends Channels> {
  readonly #options: ClientOptions<C>;
  /** Null: it is not to be got back. */
  readonly #settings: Required<ReconnectOptions> | null;
  readonly #context: EngineContext;

  constructor(options: ClientOptions<C>, context: EngineContext) {
    this.#options = options;
    this.#settings = reconnectSettings(options.reconnect);
    this.#context = context;
  }

  /** Whether a connection that ended so is to be got back, and can be: a token that has connected once is spent. */
  isWanted(reason: DisconnectReason): boolean {
    const { token, insecureAddress } = this.#options;
    const wanted = this.#settings !== null;
    const canFetch = typeof token === 'function' || insecureAddress !== undefined;
    return wanted && canFetch && (reason.code === 'timeout' || reason.code === 'shutdown');
  }

  /** Tries until it is back (null), the client is closed (null too) or all attempts have failed: the last reason. */
  async run(client: Reconnecting, first: DisconnectReason): Promise<DisconnectReason | null> {
    const { attemptsMax, delayMicros } = this.#settings!;
    let reason: DisconnectReason = first;
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      client.begins(attempt, reason);
      await this.#context.runtime.sleep(this.#backoff(delayMicros, attempt));
      if (client.isClosed()) return null;
      const failed = await this.#try(client);
      if (failed === null || client.isClosed()) return null;
      reason = failed;
    }
    return reason;
  }

  async #try(client: Reconnecting): Promise<DisconnectReason | null> {
    try {
      const token = await fetchToken(this.#options, this.#context);
      return client.isClosed() ? null : await client.attemptWith(token);
    } catch (error) {
      return { code: 'token-invalid', side: 'local', text: `no token: ${(error as Error).message}` };
    }
  }

  /** Doubles with each attempt; between half and all of it, by chance, so that a restarted server is not stampeded. */
  #backoff(delayMicros: number, attempt: number): number {
    const whole = Math.min(delayMicros * 2 ** (attempt - 1), DELAY_MICROS_MAX);
    return Math.floor(whole / 2 + (whole / 2) * (this.#context.sys.rng.u32() / 2 ** 32));
  }
}
