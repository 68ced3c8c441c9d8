/** Errors that a user of the engine meets when something is set up wrong. */

import type { DisconnectReason } from '../transport/endpoint.ts';

export { ConfigError } from '../transport/config-error.ts';
export { RequestError } from './request-channel.ts';

/** A client could not connect; `reason` says why as data. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly reason: DisconnectReason;

  constructor(reason: DisconnectReason) {
    super(reason.text === '' ? reason.code : `${reason.code}: ${reason.text}`);
    this.reason = reason;
  }
}
