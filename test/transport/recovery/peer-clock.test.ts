import { describe, expect, it } from 'vitest';
import { PeerClock, TIME_FRAME_BYTES } from '../../../transport/recovery/peer-clock.ts';
import { RttEstimator } from '../../../transport/recovery/rtt-estimator.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';

const C = 1;
const MS = 1000;
const SECOND = 1_000_000;
const TWO_48 = 2 ** 48;

/** A peer whose clock shows `ahead` more than ours and runs `drift` faster, over a path that takes `way` plus jitter. */
class Peer {
  readonly rtt = new RttEstimator(3);
  readonly clock = new PeerClock(3, this.rtt);
  readonly #cursor = new FrameCursor();
  readonly #bytes = new Uint8Array(16);
  readonly #writer = new PeerClock(1, new RttEstimator(1));
  #random = 7;
  #lastShown = -1;
  ahead: number;
  readonly drift: number;
  way = 20 * MS;
  jitter = 15 * MS;

  constructor(ahead: number, drift: number) {
    this.ahead = ahead;
    this.drift = drift;
  }

  #chance(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return this.#random / 2 ** 32;
  }

  shows(now: number): number {
    return now + this.ahead + now * this.drift;
  }

  /** A time frame comes at `now`. */
  frame(now: number): void {
    const way = this.way + this.#chance() * this.jitter;
    const end = this.#writer.writeTime(0, this.#bytes, 0, Math.floor(this.shows(now - way)));
    expect(end).toBe(TIME_FRAME_BYTES);
    this.#cursor.wrap(this.#bytes, 1, TIME_FRAME_BYTES - 1);
    expect(this.clock.onTime(C, this.#cursor, now)).toBe(true);
    this.rtt.onSample(C, Math.floor(2 * this.way + (this.#chance() + this.#chance()) * this.jitter), 0, now);
  }

  /** How far the shown clock is off; it has not gone back. */
  error(now: number): number {
    const shown = this.clock.peerNow(C, now);
    if (shown < this.#lastShown) throw new Error(`at ${now} the clock went back from ${this.#lastShown} to ${shown}`);
    this.#lastShown = shown;
    return shown - this.shows(now);
  }
}

describe('the clock of the peer', () => {
  it.each([
    ['100 ppm fast', 100e-6, 0],
    ['100 ppm slow', -100e-6, 3_000 * SECOND],
    ['exact, and about to pass 2^48', 0, TWO_48 - 1_800 * SECOND],
  ])('stays within its bound for an hour with jitter when it is %s', { timeout: 60_000 }, (_name, drift, ahead) => {
    const peer = new Peer(ahead, drift);
    let broken = -1;
    let worst = 0;
    let worstLate = 0;
    for (let now = SECOND; now < 3601 * SECOND; now += 10 * MS) {
      if (now % SECOND === 0 || (now < 4 * SECOND && now % (250 * MS) === 0)) peer.frame(now);
      const error = Math.abs(peer.error(now));
      if (error > peer.clock.errorMicros[C]!) broken = now;
      worst = Math.max(worst, error);
      if (now > 300 * SECOND) worstLate = Math.max(worstLate, error);
    }
    if (process.env.PRINT_FIGURES) console.log(`${_name}: ${worst} us, later ${worstLate} us, ${peer.clock.drift[C]}`);
    expect(broken, 'when the error was beyond its bound').toBe(-1);
    expect(worst).toBeLessThan(50 * MS);
    expect(worstLate).toBeLessThan(8 * MS);
    expect(Math.abs(peer.clock.drift[C]! - drift)).toBeLessThan(60e-6);
    expect(peer.clock.errorMicros[C]).toBeLessThan(50 * MS);
  });

  it('jumps forward by more than a second at once, and comes back slowly, never backwards', () => {
    const peer = new Peer(500 * SECOND, 0);
    let now = SECOND;
    const run = (seconds: number) => {
      for (const end = now + seconds * SECOND; now < end; now += 10 * MS) {
        if (now % SECOND === 0) peer.frame(now);
        peer.error(now);
      }
    };
    run(60);
    peer.ahead += 5 * SECOND;
    run(2);
    expect(Math.abs(peer.error(now))).toBeLessThan(20 * MS);
    peer.ahead -= 5 * SECOND;
    run(10);
    expect(peer.error(now)).toBeGreaterThan(SECOND);
    run(40);
    expect(Math.abs(peer.error(now))).toBeLessThan(20 * MS);
    peer.ahead += 100 * MS;
    peer.frame(now);
    const before = peer.clock.peerNow(C, now);
    expect(peer.clock.peerNow(C, now + 100 * MS) - before).toBeLessThan(106 * MS);
    run(20);
    expect(Math.abs(peer.error(now))).toBeLessThan(20 * MS);
  });

  it('is unknown before the first frame and after a reset', () => {
    const peer = new Peer(7 * SECOND, 0);
    expect(peer.clock.peerNow(C, 5 * SECOND)).toBe(-1);
    peer.frame(5 * SECOND);
    expect(Math.abs(peer.error(5 * SECOND))).toBeLessThan(60 * MS);
    peer.clock.reset(C);
    expect(peer.clock.peerNow(C, 6 * SECOND)).toBe(-1);
  });

  it('is not taken from a frame that is cut off', () => {
    const peer = new Peer(0, 0);
    for (let length = 0; length < 6; length++) {
      const cursor = new FrameCursor().wrap(new Uint8Array(8), 0, length);
      expect(peer.clock.onTime(C, cursor, SECOND)).toBe(false);
    }
    expect(peer.clock.frames[C]).toBe(0);
  });

  it('survives a peer that says anything', () => {
    const peer = new Peer(0, 0);
    for (let i = 0; i < 1000; i++) {
      const bytes = Uint8Array.from({ length: 6 }, (_, at) => (i * 7919 * (at + 3)) >> (at & 3));
      peer.clock.onTime(C, new FrameCursor().wrap(bytes, 0, 6), SECOND + i * MS);
      peer.error(SECOND + i * MS);
      expect(Number.isFinite(peer.clock.peerNow(C, SECOND + i * MS))).toBe(true);
    }
  });
});

it('writes time frames four times a second for three seconds, then once', () => {
  const clock = new PeerClock(3, new RttEstimator(3));
  const bytes = new Uint8Array(16);
  const written: number[] = [];
  for (let now = 10 * SECOND; now < 16 * SECOND; now += 50 * MS) {
    if (!clock.timeDue(C, now)) continue;
    written.push(now / MS - 10_000);
    clock.writeTime(C, bytes, 3, now);
  }
  expect(written).toEqual([0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 2750, 3750, 4750, 5750]);
  clock.writeTime(C, bytes, 3, 0x1234_5678_9abc);
  expect([...bytes.subarray(3, 10)]).toEqual([2, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12]);
});
