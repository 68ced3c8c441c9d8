/**
 * Turns of hosts: runs their code when it is due, or lets it wait while the host is paused or busy.
 */

import { EVENT_TIMER, EVENT_TURN } from './digest.ts';
import { drainMicrotasks } from './guard.ts';
import type { SimHost } from './host.ts';
import type { Network } from './network.ts';
import { DUE_DEADLINE, DUE_RESUME, DUE_TIMER, DUE_WAKE } from './timeline.ts';

/** What is due to the hosts of a world. */
export class Turns {
  /** The host whose code runs, or ran last. */
  current: SimHost | null = null;
  readonly #network: Network;
  /** A turn has run whose promises may not have settled. */
  #ran = false;

  constructor(network: Network) {
    this.#network = network;
  }

  /** As `current`; throws while no code of a host has run yet. */
  currentHost(): SimHost {
    if (this.current === null) throw new Error('no host runs: clocks and chance belong to a host');
    return this.current;
  }

  /** Runs code of a host and lets its promises settle. False when the event was void, or has to wait. */
  take(kind: number, id: number): boolean {
    if (kind === DUE_RESUME) return this.#resume(this.#network.hosts[id]!);
    if (this.#network.someCpu && this.#hasToWait(kind, id)) return false;
    return this.#act(kind, id, false);
  }

  /** A host that could not run is free again: the first event that waits for it has its turn. */
  #resume(host: SimHost): boolean {
    const cpu = host.cpu!;
    if (!cpu.next()) return false;
    if (this.#act(cpu.kind, cpu.id, true)) return true;
    cpu.resume(); // it was void: the next one
    return false;
  }

  /** Whether the host that an event is for cannot run now. The event is kept, or left out if it is void. */
  #hasToWait(kind: number, id: number): boolean {
    const poller = kind === DUE_TIMER ? null : this.#network.pollerOf(id);
    const cpu = (kind === DUE_TIMER ? this.#network.timers.hostOf(id) : poller?.host)?.cpu ?? null;
    if (cpu === null || (kind === DUE_DEADLINE && !poller!.deadlineCounts)) return false;
    return cpu.defers(kind, id);
  }

  #act(kind: number, id: number, late: boolean): boolean {
    const now = this.#network.timeline.now;
    if (kind === DUE_TIMER) {
      const timer = this.#network.timers.take(id);
      if (timer === null) return false;
      this.current = timer.host;
      this.#network.digest.mix(now, EVENT_TIMER, timer.host.number, timer.host.turns++, 0, 0);
      timer.act();
    } else {
      const poller = this.#network.pollerOf(id);
      if (poller === null) return false;
      this.current = poller.host;
      if (!(kind === DUE_WAKE ? poller.onWake() : late ? poller.onLateDeadline() : poller.onDeadline())) return false;
      this.#network.digest.mix(now, EVENT_TURN, poller.host.number, poller.host.turns++, 0, 0);
    }
    this.#ran = true;
    if (drainMicrotasks !== null) {
      drainMicrotasks();
      this.settled();
    }
    return true;
  }

  /** Promises have settled: tells the hosts that were touched, and the CPU of the one that ran what the turn has cost. */
  settled(): void {
    const touched = this.#network.touched;
    for (let i = 0; i < touched.length; i++) {
      const host = touched[i]!;
      host.touched = false;
      host.onSettled?.();
    }
    touched.length = 0;
    if (!this.#ran) return;
    this.#ran = false;
    const cpu = this.current!.cpu;
    if (cpu === null) return;
    cpu.endTurn();
    cpu.resume();
  }
}
