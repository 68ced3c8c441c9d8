/** How often and how many times either side says things when nobody acknowledges them. */

import type { Micros } from '../../sys/api.ts';

/** Both sides of a connection send at least 10 packets a second (netcode 1.02). */
export const KEEP_ALIVE_MICROS: Micros = 100_000;
/** Disconnect packets at the end of a connection (netcode 1.02). */
export const DISCONNECT_PACKETS = 10;
/** Reason packets before them: with 5 % loss one in 8,000 farewells loses its text. */
export const REASON_PACKETS = 3;
export const FAREWELL_PACKETS: number = REASON_PACKETS + DISCONNECT_PACKETS;
