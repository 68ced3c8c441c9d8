/** A worker's place in a group: what its server shares with those of the other workers. */

import type { MessagePort } from 'node:worker_threads';
import { type Backend, type BackendOptions, portOf, SysError, sameAddress } from '../../sys/api.ts';
import { SessionLedger } from '../../transport/netcode/session-ledger.ts';
import type { SpentTokenStore } from '../../transport/netcode/token-history.ts';
import { Pulse, type Pulsing } from './pulse.ts';
import { SharedSpentTokens } from './shared-spent-tokens.ts';

/** What a worker is given by its supervisor. Passes through `workerData`. */
export interface Membership {
  /** 0 .. workers - 1: which socket, and the first byte of its clients' ids. */
  readonly number: number;
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
  /** For what the worker reports: `LedgerReport`. */
  readonly port: MessagePort;
}

/** Where a worker's server keeps its sessions. */
export interface LedgerReport {
  readonly memory: SharedArrayBuffer;
  readonly rows: number;
  readonly clients: number;
}

export class Member {
  readonly number: number;
  readonly descriptor: number;
  readonly #membership: Membership;
  readonly #pulse: Pulse;
  readonly #unixSeconds: () => number;
  #claimed = false;
  #server: Pulsing | null = null;

  constructor(membership: Membership, unixSeconds: () => number) {
    this.number = membership.number;
    this.descriptor = membership.descriptor;
    this.#membership = membership;
    this.#pulse = new Pulse(membership.pulse);
    this.#unixSeconds = unixSeconds;
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

  beat(): void {
    this.#pulse.beat(this.#server);
  }
}
