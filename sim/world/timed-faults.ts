/**
 * Faults in time as they befall a world: each is begun, ended when its time is over, noted, and counted as met when something
 * came of it.
 *
 * Steps are in the order of their times; at one time what ends comes before what begins, so that one spell may follow another.
 * A record of them played back has the same steps in the same order.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { Fates } from '../link/fates.ts';
import type { LinkDirection } from '../link/link.ts';
import { type HostFault, lastsLong, type TimedFault, type WayFault } from '../link/timed-fault.ts';
import type { SimHost } from './host.ts';
import { SEND_ERRORS } from './socket-faults.ts';
import { Spells } from './spells.ts';
import type { World } from './world.ts';

export interface TimedFaultsOptions {
  readonly world: World;
  /** Where they are noted and met. */
  readonly fates: Fates;
  /** Those of its script, or drawn ones. */
  readonly faults: readonly TimedFault[];
  /** What goes on then ends, and none begins from then on. Default: NEVER. */
  readonly until?: Micros;
  /** Asked before a fault begins; false: it does not. Default: all do. */
  readonly allows?: (fault: TimedFault) => boolean;
}

/** Something to do to the world at a time. */
export interface TimedStep {
  readonly at: Micros;
  readonly act: () => void;
}

/** A spell that goes on. */
interface Running {
  readonly fault: WayFault | HostFault;
  /** As given: the fault itself may have been cut short. */
  readonly given: TimedFault;
  readonly endsAt: Micros;
  /** What counts its effects, as it was at the beginning. */
  readonly before: number;
}

/** The host or way is not there: nothing befalls it. */
const NOWHERE = null;

export class TimedFaults {
  /** In the order in which they are to be done. */
  readonly steps: readonly TimedStep[];
  readonly #options: TimedFaultsOptions;
  readonly #spells: Spells = new Spells();
  readonly #running: Map<number, Running> = new Map();
  /** What a host had before the first of several spells, by kind and host. */
  readonly #settings: Map<string, number> = new Map();
  /** Of the slowest clocks so far, by host: 0 or less. */
  readonly #slowestPpm: Map<string, number> = new Map();

  constructor(options: TimedFaultsOptions) {
    this.#options = options;
    const { faults, until = NEVER } = options;
    const steps: (TimedStep & { readonly ends: boolean })[] = [];
    const inOrder = faults.filter(({ at }) => at < until).sort((a, b) => a.at - b.at);
    inOrder.forEach((fault, number) => {
      steps.push({ at: fault.at, ends: false, act: () => this.#begin(number, fault, until) });
      if (fault.kind === 'rebind' || !lastsLong(fault.kind)) return;
      const at = Math.min(fault.at + fault.lastsMicros, until);
      steps.push({ at, ends: true, act: () => this.#end(number) });
    });
    this.steps = steps.sort((a, b) => a.at - b.at || Number(b.ends) - Number(a.ends));
  }

  /** Has the world do all steps. */
  schedule(): void {
    for (const { at, act } of this.steps) this.#options.world.at(at, act);
  }

  /** The run is over, perhaps in the middle of something: what goes on is met if something has come of it. */
  settle(): void {
    for (const running of this.#running.values()) if (this.#hasEffect(running)) this.#options.fates.meet(running.given);
  }

  /** By how many millionths the clocks of `host` have run slower at most: 0 or less. */
  slowestPpm(host: string): number {
    return this.#slowestPpm.get(host) ?? 0;
  }

  #begin(number: number, given: TimedFault, until: Micros): void {
    const { world, fates, allows } = this.#options;
    const place = placeOf(world, given);
    if (place === NOWHERE || allows?.(given) === false) return;
    if (given.kind === 'rebind') {
      fates.meet(given);
      world.rebind(place as SimHost, { address: given.address }); // which notes it
      return;
    }
    const lastsMicros = Math.min(given.lastsMicros, until - given.at);
    const fault = { ...given, lastsMicros };
    fates.note(fault);
    const before = effectsOf(world, fault);
    const endsAt = given.at + lastsMicros;
    if (lastsLong(fault.kind)) {
      this.#spells.extend(spellOf(fault), endsAt);
      this.#running.set(number, { fault, given, endsAt, before });
    }
    if ('direction' in fault) (place as LinkDirection)[fault.kind]();
    else this.#beginAt(place as SimHost, fault);
    if (!lastsLong(fault.kind)) fates.meet(given);
  }

  #beginAt(host: SimHost, { kind, lastsMicros, amount }: HostFault): void {
    const key = `${kind} ${host.name}`;
    switch (kind) {
      case 'pause':
        host.pause(lastsMicros);
        return;
      case 'failSends':
        host.failSends(SEND_ERRORS[amount]!, { forMicros: lastsMicros });
        return;
      case 'failReceives':
        host.failReceives(amount);
        return;
      case 'natTimeout':
        this.#options.world.natTimeout(host, amount);
        return;
      case 'receiveBuffer':
        if (!this.#settings.has(key)) this.#settings.set(key, host.receiveBufferBytesMax);
        host.boundReceiveBuffers(amount);
        return;
      case 'drift':
        if (!this.#settings.has(key)) this.#settings.set(key, host.clock.driftPpm);
        this.#slowestPpm.set(host.name, Math.min(this.slowestPpm(host.name), amount));
        host.clock.drift(amount);
        return;
      case 'leap':
        host.clock.leap(amount);
        return;
      default:
        host.clock.stepCalendar(amount);
    }
  }

  #end(number: number): void {
    const running = this.#running.get(number);
    if (running === undefined) return; // it never began
    this.#running.delete(number);
    const { world, fates } = this.#options;
    const { fault, given, endsAt } = running;
    const place = placeOf(world, fault);
    if (place !== NOWHERE && this.#spells.isOver(spellOf(fault), endsAt)) this.#undo(place, fault);
    if (this.#hasEffect(running)) fates.meet(given);
  }

  #undo(place: SimHost | LinkDirection, fault: WayFault | HostFault): void {
    if (fault.kind === 'cut') (place as LinkDirection).mend();
    else if (fault.kind === 'hold') (place as LinkDirection).release();
    else {
      const host = place as SimHost;
      const before = this.#settings.get(spellOf(fault));
      this.#settings.delete(spellOf(fault));
      if (fault.kind === 'natTimeout') this.#options.world.natTimeout(host, NEVER);
      else if (before === undefined)
        return; // another that ended at this time has undone it
      else if (fault.kind === 'receiveBuffer') host.boundReceiveBuffers(before);
      else if (fault.kind === 'drift') host.clock.drift(before);
    }
  }

  #hasEffect({ fault, before }: Running): boolean {
    const now = effectsOf(this.#options.world, fault);
    return now > before || Number.isNaN(now);
  }
}

/** What a fault is about; null when there is no such host or way. */
function placeOf(world: World, fault: TimedFault): SimHost | LinkDirection | null {
  if ('host' in fault) return world.hostNamed(fault.host);
  const between = fault.direction.indexOf('>');
  const from = world.hostNamed(fault.direction.slice(0, between));
  const to = world.hostNamed(fault.direction.slice(between + 1));
  return from === null || to === null || from === to ? null : world.direction(from, to);
}

/** What grows when something comes of a spell; NaN where something always does, or it cannot be told. */
function effectsOf(world: World, fault: WayFault | HostFault): number {
  const place = placeOf(world, fault);
  if (place === NOWHERE) return 0;
  if (fault.kind === 'cut') return (place as LinkDirection).stats.cut;
  if (fault.kind === 'hold') return (place as LinkDirection).stats.held;
  const { faultStats } = place as SimHost;
  if (fault.kind === 'pause') return faultStats.delayedTurns;
  if (fault.kind === 'failSends') return faultStats.sendsBlocked + faultStats.sendsRefused;
  if (fault.kind === 'receiveBuffer') return world.stats.overflowed;
  return Number.NaN;
}

/** One of a kind at one place: where several overlap, the one that ends last ends it. */
function spellOf(fault: WayFault | HostFault): string {
  return `${fault.kind} ${'host' in fault ? fault.host : fault.direction}`;
}
