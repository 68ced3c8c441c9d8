/** What is done to a host by hand: what the digest knows it by, and how often it was done. */

/** Kinds: part of what is mixed into the digest, so a number is never given to another one. */
export const FAULT_PAUSE = 1;
export const FAULT_CRASH = 2;
export const FAULT_RESTART = 3;
export const FAULT_DRIFT = 4;
export const FAULT_STEP = 5;
export const FAULT_LEAP = 6;
export const FAULT_CPU = 7;
export const FAULT_SEND = 8;
export const FAULT_RECEIVE = 9;
export const FAULT_BUFFER = 10;
export const FAULT_NAT_TIMEOUT = 11;

/** How often, of one host since it was made. */
export class HostFaultStats {
  pauses = 0;
  crashes = 0;
  restarts = 0;
  /** Drifts, steps and leaps of its clocks. */
  clockChanges = 0;
  /** Events that waited since it was paused or busy: timers, deadlines, wake-ups. */
  delayedTurns = 0;
  /** What its turns cost by the model of its CPU, in whole microseconds. */
  busyMicros = 0;
  /** Flushes that the kernel refused (ENOBUFS, EAGAIN). */
  sendsBlocked = 0;
  /** Datagrams that it refused (ECONNREFUSED, EMSGSIZE, EPERM). */
  sendsRefused = 0;
  /** Errors that a receive met. */
  receiveErrors = 0;
}
