// Shrinking: a planted bug that takes two certain losses, among hundreds of faults, is boiled down to them.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { faultText, parseFaults } from '../../../sim/link/fault.ts';
import { LinkDirection } from '../../../sim/link/link.ts';
import type { WayFault } from '../../../sim/link/timed-fault.ts';
import { Ledger } from '../../../sim/swarm/ledger.ts';
import type { SwarmScript } from '../../../sim/swarm/script.ts';
import { NothingToShrink, type Shrunk, shrink } from '../../../sim/swarm/shrink.ts';
import { runSwarm } from '../../../sim/swarm/swarm.ts';
import { kindOf, LocalTrials } from '../../../sim/swarm/trials.ts';
import { Flight } from '../../../transport/flight.ts';

/** A seed that loses these two packets of its client in all that befalls it. */
const SCRIPT: SwarmScript = { seed: '20', seconds: 0.5, limits: {}, faults: null };
const LOST: readonly number[] = [107, 181];

afterEach(() => void vi.restoreAllMocks());

/** From now on messages arrive damaged once an engine has lost both packets. */
function plant(): void {
  let lost = new Set<number>();
  const { open, packetLost } = Flight.prototype;
  const { take } = Ledger.prototype;
  vi.spyOn(Flight.prototype, 'open').mockImplementation(function (this: Flight, c: number, now: number) {
    lost = new Set();
    open.call(this, c, now);
  });
  vi.spyOn(Flight.prototype, 'packetLost').mockImplementation(function (this: Flight, c: number, slot: number) {
    lost.add(this.sent.number[slot]!);
    packetLost.call(this, c, slot);
  });
  vi.spyOn(Ledger.prototype, 'take').mockImplementation(function (this: Ledger, bytes, tag) {
    if (bytes.length > 10 && LOST.every((number) => lost.has(number))) bytes[9]! ^= 1;
    return take.call(this, bytes, tag);
  });
}

function search(script: SwarmScript, runsMax: number): Promise<Shrunk> {
  let asked = 0;
  return shrink({ script, trials: new LocalTrials(), isOver: () => ++asked > runsMax, progress: () => {} });
}

describe('shrinking', () => {
  it('finds the losses that a planted bug takes, and the script alone fails in the same way', async () => {
    plant();
    const shrunk = await search(SCRIPT, Number.POSITIVE_INFINITY);
    expect(shrunk.faultsBefore).toBeGreaterThan(100);
    expect(shrunk.isMinimal).toBe(true);
    expect(shrunk.script.faults!.length).toBeLessThanOrEqual(5);
    const { seed, seconds, limits, faults } = shrunk.script;
    const planted = await runSwarm({ seed, secondsMax: seconds, limits, faults });
    expect(planted.complaints.map(kindOf)).toContain(kindOf(shrunk.complaint));
    vi.restoreAllMocks();
    expect((await runSwarm({ seed, secondsMax: seconds, limits, faults })).complaints).toEqual([]);
  }, 120_000);

  it('makes what lasts shorter, from both ends', async () => {
    // A planted bug: once two packets have come to a cut way between 120 and 160 ms, messages arrive damaged.
    const { take } = Ledger.prototype;
    let cuts = 0;
    const { admit } = LinkDirection.prototype;
    vi.spyOn(LinkDirection.prototype, 'admit').mockImplementation(function (this: LinkDirection, length, now) {
      if (this.isCut && now >= 120_000 && now < 160_000) cuts++;
      return admit.call(this, length, now);
    });
    vi.spyOn(Ledger.prototype, 'take').mockImplementation(function (this: Ledger, bytes, tag) {
      if (cuts >= 2 && bytes.length > 10) bytes[9]! ^= 1;
      return take.call(this, bytes, tag);
    });
    const cut = parseFaults('cut client-0>server at 60ms for 240ms\npause server at 70ms for 20ms');
    const trials = new LocalTrials();
    const start = trials.start.bind(trials);
    trials.start = (trial) => {
      cuts = 0;
      return start(trial);
    };
    const script = { ...SCRIPT, limits: { clients: 1, messages: 60 }, faults: cut };
    let asked = 0;
    const shrunk = await shrink({ script, trials, isOver: () => ++asked > 60, progress: () => {} });
    const [left, ...others] = shrunk.script.faults!;
    expect(others).toEqual([]);
    expect(left).toMatchObject({ kind: 'cut', direction: 'client-0>server' });
    const { at, lastsMicros } = left as WayFault;
    expect(at).toBeGreaterThan(60_000);
    expect(lastsMicros).toBeLessThan(120_000);
    expect(faultText(left!)).toMatch(/ for \d+ms$/);
  }, 60_000);

  it('ends with the best so far when its time is over', async () => {
    plant();
    const shrunk = await search(SCRIPT, 4);
    expect(shrunk.isMinimal).toBe(false);
    expect(shrunk.complaint).toContain('arrived with another byte 9');
    expect(shrunk.runs).toBeLessThanOrEqual(6);
  });

  it('refuses a run that breaks no promise', async () => {
    await expect(search({ ...SCRIPT, seed: '3' }, 10)).rejects.toThrow(NothingToShrink);
  });

  it('takes failures that differ in names and numbers alone for one', () => {
    const one = 'client-0 toServer chat: message 17 of 40 did not arrive';
    expect(kindOf(one)).toBe(kindOf('client-1 toClient door: message 3 of 5 did not arrive'));
    expect(kindOf(one)).not.toBe(kindOf('client-0 toServer chat: message 17 arrived twice'));
    expect(kindOf('Error: a\n    at b')).toBe('Error: a');
  });
});
