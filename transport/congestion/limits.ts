/** What no estimate may leave: bounds of window, pacing and budget, and the packet that all are counted in. */

/** Payload of the largest packet: bulk sends nothing but these. */
export const PACKET_BYTES = 1200;

/** RFC 9002 7.2: two datagrams keep acknowledgements coming. */
export const CWND_MIN_BYTES: number = 2 * PACKET_BYTES;
/**
 * Least window beside a competitor, or beside jitter that looks like one: to yield further would give nothing to anybody, and a
 * window of two says too little about loss to ever find out (a path with 8 % loss and 20 ms of jitter was left at 30 kB/s).
 */
export const CWND_COMPETING_MIN_BYTES: number = 10 * PACKET_BYTES;
/** RFC 9002 7.2: ten datagrams. */
export const CWND_INITIAL_BYTES: number = 10 * PACKET_BYTES;
/** 1 Gbit/s over 134 ms; also what a connection may make its peer and the path hold at once. */
export const CWND_MAX_BYTES: number = 16 * 1024 * 1024;

/** Four packets a second: less is silence, and a timer would wait for longer than a connection lives. */
export const PACING_MIN_BYTES_PER_SECOND: number = 4 * PACKET_BYTES;
/** 10 Gbit/s: above it the pacer's bucket of 1.5 ms is larger than any socket buffer. */
export const PACING_MAX_BYTES_PER_SECOND = 1_250_000_000;

/** A round trip nobody has measured yet: what a player's path looks like before the first acknowledgement. */
export const RTT_INITIAL_MICROS = 100_000;
/** Longest round trip that is believed; a longer one is a paused peer. */
export const RTT_MAX_MICROS = 10_000_000;

export const SECOND_MICROS = 1_000_000;
