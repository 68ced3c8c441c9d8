/** A worker's place in a group: what its server shares with those of the other workers. */

import type { MessagePort } from 'node:worker_threads';
import { type Backend, type BackendOptions, portOf, SysError, sameAddress } from '../../sys/api.ts';
import { SessionLedger } from '../../transport/netcode/session-ledger.ts';
import type { SpentTokenStore } from '../../transport/netcode/token-history.ts';
import type { ServerEndpoint } from '../../transport/server-endpoint.ts';
import type { Runtime } from '../executor/runtime.ts';
import type { HandoverHost, HandoverMessage, WorkerPlace } from './handovers.ts';
import { Handovers } from './handovers.ts';
import { Mail } from './mail.ts';
import { Pulse, type Pulsing } from './pulse.ts';
import { SharedSpentTokens } from './shared-spent-tokens.ts';
import type { StrayTable } from './stray-table.ts';

/** What a worker is given by its supervisor. Passes through `workerData`. */
export interface Membership {
  /** 0 .. workers - 1: which socket, and the first byte of its clients' ids. */
  readonly number: number;
  /** Of how many. */
  readonly workers: number;
  readonly descriptor: number;
  /** Canonical address as asked for (its port may be 0), and as bound. */
  readonly asked: Uint8Array;
  readonly bound: Uint8Array;
  readonly spentTokens: SharedArrayBuffer;
  /** From when on `spentTokens` knows every token. */
  readonly sinceUnixSeconds: number;
  /** Undefined: the default. */
  readonly sys: Backend | BackendOptions | undefined;
  readonly pulse: SharedArrayBuffer;
  readonly descriptors: SharedArrayBuffer;
  /** For what the worker reports, `LedgerReport`, and for its mail: `LinkRequest` one way, `LinkOffer` the other. */
  readonly port: MessagePort;
}

/** Where a worker's server keeps its sessions. */
export interface LedgerReport {
  readonly memory: SharedArrayBuffer;
  readonly rows: number;
  readonly clients: number;
}

export class Member {
  readonly place: WorkerPlace;
  readonly descriptor: number;
  readonly #membership: Membership;
  readonly #pulse: Pulse;
  readonly #unixSeconds: () => number;
  readonly #mail: Mail<HandoverMessage>;
  #handovers: Handovers | null = null;
  #claimed = false;
  #server: Pulsing | null = null;

  constructor(membership: Membership, unixSeconds: () => number) {
    this.place = { number: membership.number, workers: membership.workers };
    this.descriptor = membership.descriptor;
    this.#membership = membership;
    this.#pulse = new Pulse(membership.pulse);
    this.#unixSeconds = unixSeconds;
    this.#mail = new Mail<HandoverMessage>(membership.port, (link, message) => {
      if (this.#handovers !== null) this.#handovers.take(link, message);
      else if (message.kind === 'hand') link.post({ kind: 'answer', serial: message.serial, taken: false });
    });
  }

  /**
   * Whether a server at this address is the group's. One a worker is.
   *
   * @throws SysError EADDRINUSE for the second
   */
  claims(local: Uint8Array): boolean {
    const { asked, bound } = this.#membership;
    if (!sameAddress(local, 0, asked, 0) && !sameAddress(local, 0, bound, 0)) return false;
    if (this.#claimed) {
      throw new SysError('EADDRINUSE', 'listen', `this worker has its server on port ${portOf(bound)}: one is enough`);
    }
    this.#claimed = true;
    return true;
  }

  /** The group's store of spent tokens, and `given` behind it: what one of the two knows as spent is spent. */
  spentTokens(given: SpentTokenStore | undefined): SpentTokenStore {
    const { spentTokens, sinceUnixSeconds } = this.#membership;
    const shared = new SharedSpentTokens(spentTokens, this.#unixSeconds);
    return {
      isSpent: (tag) => shared.isSpent(tag) || given?.isSpent(tag) === true,
      spend: (tag, expires) => shared.spend(tag, expires) && given?.spend(tag, expires) !== false,
      ...(given === undefined ? { sinceUnixSeconds } : {}),
    };
  }

  /** Memory for the sessions of the group's server, which the supervisor knows of from now on. */
  openLedger(rows: number, clients: number): SessionLedger {
    const ledger = new SessionLedger(rows);
    const report: LedgerReport = { memory: ledger.memory, rows, clients };
    this.#membership.port.postMessage(report);
    return ledger;
  }

  /** Whose gauges are told with each beat. */
  serve(server: Pulsing): void {
    this.#server = server;
  }

  /** Lets the peers of the group's server go to other workers, and those of others come. `strays` is what its endpoint was given. */
  openHandovers(endpoint: ServerEndpoint, strays: StrayTable, runtime: Runtime, host: HandoverHost): Handovers {
    this.#handovers = new Handovers(this.place, this.#mail, strays, endpoint, runtime, host);
    return this.#handovers;
  }

  beat(): void {
    this.#pulse.beat(this.#server);
    if (this.#handovers === null) this.#mail.poll(); // who asks is told that there is no server
  }
}
