/**
 * Whether the server hears its client. A NAT that maps the client anew while the old mapping still leads in, or a middlebox that
 * swallows one direction, leaves a client that hears the server and is not heard: nothing is silent on its side, and the server
 * gives up after the token's timeout. That nothing is acknowledged shows it.
 *
 *     nothing acked for some probe timeouts -> netcode asks the server, by the connection id, where it sees us
 *     no answer for a second, though the server is heard -> another port might get through: told once a connection
 *
 * A client with nothing to say asks for an ack now and then, so that it learns this too.
 */

import { type Micros, NEVER } from '../sys/api.ts';
import type { Connections } from './connections.ts';
import type { NetcodeClient } from './netcode/netcode-client.ts';

/** Probe timeouts without an ack: three probes are lost together in one of 1,000 cases where a tenth of all packets is. */
const UNHEARD_TIMEOUTS = 4;
/** A server that is busy for so long is not deaf ... */
const UNHEARD_MICROS_MIN = 500_000;
/** ... and one that is must be found before its timeout, which is some seconds, however long the round trip. */
const UNHEARD_MICROS_MAX = 2_000_000;
/** Without a packet that asks for an ack for so long, one does. It stands for a keep-alive. */
const PING_MICROS = 2_000_000;
/** Ten requests without an answer, while the server is heard: they do not arrive. */
const SWALLOWED_MICROS = 1_000_000;

const SERVER = 0;

export class Uplink {
  readonly #connections: Connections;
  readonly #netcode: NetcodeClient;
  /** Element 0: when the server was last asked, or seen to be asked, where we are; 1: when that began; 2: when we pinged. */
  readonly #times: Float64Array = new Float64Array(3);
  /** We have begun the attempt that runs. */
  #seeks = false;
  #isSwallowed = false;
  #told = false;

  constructor(connections: Connections, netcode: NetcodeClient) {
    this.#connections = connections;
    this.#netcode = netcode;
  }

  /** A connection begins, or goes on. */
  open(now: Micros): void {
    this.#times.fill(now);
    this.#seeks = false;
    this.#isSwallowed = false;
    this.#told = false;
  }

  /** True once a connection: what we send from this port is swallowed. */
  takeSwallowed(): boolean {
    const taken = this.#isSwallowed;
    this.#isSwallowed = false;
    return taken;
  }

  advance(now: Micros): void {
    const netcode = this.#netcode;
    if (!netcode.canRebind) return;
    if (netcode.isRebinding) {
      this.#times[0] = now;
      if (!this.#seeks || this.#told || now < this.#times[1]! + SWALLOWED_MICROS) return;
      this.#told = true;
      this.#isSwallowed = true;
      return;
    }
    this.#seeks = false;
    if (now >= this.#unheardAt()) {
      this.#times[0] = now;
      this.#times[1] = now;
      this.#seeks = netcode.seek(now);
    } else if (now >= this.#pingAt()) {
      this.#times[2] = now;
      this.#connections.onPath(SERVER, false, now); // as after a move: it asks for an ack
    }
  }

  deadline(): Micros {
    const netcode = this.#netcode;
    if (!netcode.canRebind) return NEVER;
    if (!netcode.isRebinding) return Math.min(this.#unheardAt(), this.#pingAt());
    return this.#isSwallowed ? 0 : this.#seeks && !this.#told ? this.#times[1]! + SWALLOWED_MICROS : NEVER;
  }

  /** When we must be taken for unheard if no ack comes. */
  #unheardAt(): Micros {
    const { flight } = this.#connections;
    const since = flight.sent.oldestSentAt(SERVER);
    if (since === NEVER) return NEVER;
    const patience = Math.min(UNHEARD_TIMEOUTS * flight.rtt.ptoMicros(SERVER), UNHEARD_MICROS_MAX);
    return Math.max(since, this.#times[0]!) + Math.max(patience, UNHEARD_MICROS_MIN);
  }

  #pingAt(): Micros {
    const { sent } = this.#connections.flight;
    if (sent.inFlightPackets[SERVER]! > 0) return NEVER; // its probes ask
    return Math.max(sent.lastElicitingAt[SERVER]!, this.#times[2]!) + PING_MICROS;
  }
}
