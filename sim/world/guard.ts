/**
 * The real clock, chance and timers of JavaScript, put out of reach while a world runs.
 *
 * Code of a game that calls `Date.now()`, `Math.random()`, `setTimeout()` and their kin gets virtual time and seeded
 * chance of the host it runs on; with `strict` it gets an error that says what to use instead. The real ones are back
 * whenever the world is not running. This is the one file of the simulator that knows them.
 *
 * Out of its reach: what a module took before the world ran (`const { random } = Math`), and `node:timers/promises`,
 * `node:crypto` and I/O, which a game must not use.
 */

import type { SimHost } from './host.ts';
import type { Timeline } from './timeline.ts';
import { SimTimer, type VirtualTimers } from './virtual-timers.ts';

/** Node's own longest timeout; longer ones and nonsense count as 1 ms there, and so here. */
const TIMEOUT_MILLIS_MAX = 0x7fff_ffff;
const PROMISIFY: symbol = Symbol.for('nodejs.util.promisify.custom');

/** Lets Node's own loop go round once, then calls `act` from a root that is not a microtask. */
export const afterNodeTurn: (act: () => void) => void = setImmediate;

/**
 * Runs all waiting microtasks and `nextTick` callbacks now; null where the platform has no such call, and then only
 * returning to Node's loop runs them. Does nothing when called from inside a microtask.
 */
export const drainMicrotasks: (() => void) | null = tickCallback();

/** Whose time and chance count, and where timers go. */
export interface GuardScene {
  readonly timeline: Timeline;
  readonly timers: VirtualTimers;
  /** The host whose code runs now. */
  currentHost(): SimHost;
  /** The calendar of that host, in microseconds since 1970; of the world while none runs. */
  calendarMicros(): number;
}

interface Replacement {
  readonly holder: object;
  readonly key: string;
  readonly value: unknown;
}

/** Installs and removes the virtual ones. */
export class Guard {
  readonly #scene: GuardScene;
  readonly #replacements: readonly Replacement[];
  readonly #saved: (PropertyDescriptor | undefined)[] = [];
  #installed = false;

  constructor(scene: GuardScene, strict: boolean) {
    this.#scene = scene;
    const clocks = this.#clocks();
    const timers = this.#timers();
    this.#replacements = strict ? [...clocks, ...timers].map(forbidden) : [...clocks, ...timers];
  }

  // By assignment where that is possible: a property that is defined anew turns `Math` into a dictionary, in which every
  // `Math.imul` of the engine is looked up by its name, and a world takes twice as long.
  install(): void {
    if (this.#installed) throw new Error('a world that is running cannot be run again');
    this.#installed = true;
    for (const [i, { holder, key, value }] of this.#replacements.entries()) {
      const saved = Object.getOwnPropertyDescriptor(holder, key);
      this.#saved[i] = saved;
      if (saved?.writable) Object.assign(holder, { [key]: value });
      else {
        const enumerable = saved?.enumerable ?? false;
        Object.defineProperty(holder, key, { value, configurable: true, writable: true, enumerable });
      }
    }
  }

  restore(): void {
    this.#installed = false;
    for (const [i, { holder, key }] of this.#replacements.entries()) {
      const saved = this.#saved[i];
      if (saved === undefined) delete (holder as Record<string, unknown>)[key];
      else if (saved.writable) Object.assign(holder, { [key]: saved.value });
      else Object.defineProperty(holder, key, saved);
    }
  }

  #clocks(): Replacement[] {
    const scene = this.#scene;
    const nowMicros = (): number => scene.currentHost().now;
    const hrtimeBigint = (): bigint => BigInt(nowMicros()) * 1000n;
    const hrtime = (before?: [number, number]): [number, number] => {
      const nanos =
        hrtimeBigint() - (before === undefined ? 0n : BigInt(before[0]) * 1_000_000_000n + BigInt(before[1]));
      return [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)];
    };
    const randomBytes = <T extends ArrayBufferView>(view: T): T => {
      scene.currentHost().random.fill(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      return view;
    };
    return [
      { holder: Math, key: 'random', value: () => scene.currentHost().random.double() },
      { holder: globalThis, key: 'Date', value: virtualDate(() => scene.calendarMicros()) },
      { holder: performance, key: 'now', value: () => nowMicros() / 1000 },
      { holder: process, key: 'hrtime', value: Object.assign(hrtime, { bigint: hrtimeBigint }) },
      { holder: crypto, key: 'getRandomValues', value: randomBytes },
      { holder: crypto, key: 'randomUUID', value: () => uuidOf(randomBytes(new Uint8Array(16))) },
    ];
  }

  #timers(): Replacement[] {
    const { timers, timeline } = this.#scene;
    const here = (): SimHost => this.#scene.currentHost();
    const setTimeout = (act: (...args: unknown[]) => void, millis?: unknown, ...args: unknown[]): SimTimer =>
      timers.after(periodMicros(millis), here(), () => act(...args), false);
    const setInterval = (act: (...args: unknown[]) => void, millis?: unknown, ...args: unknown[]): SimTimer =>
      timers.after(periodMicros(millis), here(), () => act(...args), true);
    const setImmediate = (act: (...args: unknown[]) => void, ...args: unknown[]): SimTimer =>
      timers.at(timeline.now, here(), () => act(...args));
    Object.assign(setTimeout, { [PROMISIFY]: (millis: unknown, value: unknown) => later(setTimeout, value, millis) });
    Object.assign(setImmediate, { [PROMISIFY]: (value: unknown) => later(setImmediate, value) });
    return [
      { holder: globalThis, key: 'setTimeout', value: setTimeout },
      { holder: globalThis, key: 'setInterval', value: setInterval },
      { holder: globalThis, key: 'setImmediate', value: setImmediate },
      { holder: globalThis, key: 'clearTimeout', value: clearing(timers, globalThis.clearTimeout) },
      { holder: globalThis, key: 'clearInterval', value: clearing(timers, globalThis.clearInterval) },
      { holder: globalThis, key: 'clearImmediate', value: clearing(timers, globalThis.clearImmediate) },
    ];
  }
}

/** What to use in place of each, for the errors of a strict world. */
const INSTEAD: Record<string, string> = {
  random: 'Math.random() is not repeatable: use host.random()',
  Date: 'the real calendar differs from run to run: use host.now()',
  now: 'performance.now() differs from run to run: use host.now()',
  hrtime: 'process.hrtime() differs from run to run: use host.now()',
  getRandomValues: 'crypto.getRandomValues() is not repeatable: use host.random()',
  randomUUID: 'crypto.randomUUID() is not repeatable: use host.random()',
  setTimeout: 'setTimeout() runs in real time: use await host.sleep(micros)',
  setInterval: "setInterval() runs in real time: use a 'tick' listener or host.sleep(micros)",
  setImmediate: 'setImmediate() belongs to the real loop: use await host.sleep(0)',
};

/** The same name, but calling it throws. Reading a given date (`new Date(0)`) stays allowed; clearing always is. */
function forbidden(replacement: Replacement): Replacement {
  const { holder, key, value } = replacement;
  const instead = INSTEAD[key];
  if (instead === undefined) return replacement;
  const refuse = (): never => {
    throw new Error(`strict simulation: ${instead}`);
  };
  if (key === 'Date') return { holder, key, value: virtualDate(refuse) };
  if (key === 'hrtime') return { holder, key, value: Object.assign(refuse, { bigint: refuse }) };
  return { holder, key, value: typeof value === 'function' ? refuse : value };
}

/** `Date` with another idea of now. All else, `instanceof` too, is the real one. */
function virtualDate(calendarMicros: () => number): DateConstructor {
  const real = Date;
  const nowMillis = (): number => Math.floor(calendarMicros() / 1000);
  return new Proxy(real, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length > 0 ? args : [nowMillis()], newTarget),
    apply: () => new real(nowMillis()).toString(),
    get: (target, key, receiver) => (key === 'now' ? nowMillis : Reflect.get(target, key, receiver)),
  });
}

/** Node's reading of a timeout: whole milliseconds, 1 where it makes no sense. */
function periodMicros(millis: unknown): number {
  const given = Number(millis);
  return given >= 1 && given <= TIMEOUT_MILLIS_MAX ? Math.floor(given) * 1000 : 1000;
}

function later(
  set: (act: (...args: unknown[]) => void, ...args: unknown[]) => unknown,
  value: unknown,
  ...when: unknown[]
): Promise<unknown> {
  return new Promise((resolve) => set(() => resolve(value), ...when));
}

function clearing(timers: VirtualTimers, real: (timer: never) => void): (timer: unknown) => void {
  return (timer) => {
    if (timer instanceof SimTimer) timers.clear(timer);
    else real(timer as never); // set before the world ran
  };
}

function uuidOf(bytes: Uint8Array): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40; // version 4 (RFC 9562 5.4)
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function tickCallback(): (() => void) | null {
  // Undocumented but there in every Node from 0.10 to 24: what the C++ side calls after each callback into JavaScript.
  const { _tickCallback } = process as unknown as { _tickCallback?: () => void };
  return typeof _tickCallback === 'function' ? () => _tickCallback.call(process) : null;
}
