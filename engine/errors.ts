/** Errors that a user of the engine meets when something is set up wrong. */

import type { DisconnectReason } from '../transport/endpoint.ts';

/** An option is wrong: which one, and what to write instead. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** The option: `port`, `publicAddresses`. */
  readonly field: string;

  constructor(field: string, remedy: string) {
    super(`option '${field}': ${remedy}`);
    this.field = field;
  }
}

/** A client could not connect; `reason` says why as data. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly reason: DisconnectReason;

  constructor(reason: DisconnectReason) {
    super(reason.text === '' ? reason.code : `${reason.code}: ${reason.text}`);
    this.reason = reason;
  }
}
