/** The states of a client, with the numbers of the standard, and what it listens to in each. */

import { PACKET_CHALLENGE, PACKET_DENIED, PACKET_KEEP_ALIVE, PACKET_REASON } from './packets.ts';

/** Negative: ended with an error. */
export const CLIENT_TOKEN_EXPIRED = -6;
export const CLIENT_TOKEN_INVALID = -5;
export const CLIENT_TIMED_OUT = -4;
export const CLIENT_RESPONSE_TIMED_OUT = -3;
export const CLIENT_REQUEST_TIMED_OUT = -2;
export const CLIENT_DENIED = -1;
export const CLIENT_DISCONNECTED = 0;
export const CLIENT_SENDING_REQUEST = 1;
export const CLIENT_SENDING_RESPONSE = 2;
export const CLIENT_CONNECTED = 3;

/** Whether a packet of `type`, with this high half of its number, means something in `state`. */
export function clientExpects(state: number, type: number, sequenceHigh: number): boolean {
  switch (state) {
    case CLIENT_SENDING_REQUEST:
      return type === PACKET_DENIED || type === PACKET_CHALLENGE || type === PACKET_REASON;
    case CLIENT_SENDING_RESPONSE:
      return type === PACKET_DENIED || type === PACKET_KEEP_ALIVE || type === PACKET_REASON;
    case CLIENT_CONNECTED:
      // Numbers above 2^63 have no replay window; they belong to the time before the connection.
      return type >= PACKET_KEEP_ALIVE && sequenceHigh >= 0;
    default:
      return false;
  }
}
