// Faults in time that a seed draws: of every kind, and never so many that a connection may give up.

import { expect, test } from 'vitest';
import { faultText, parseFaults } from '../../../sim/link/fault.ts';
import type { TimedFault } from '../../../sim/link/timed-fault.ts';
import { drawFaults } from '../../../sim/swarm/draw-faults.ts';
import { Stream } from '../../../sim/world/streams.ts';

const SEEDS = 2_000;
/** What silences all of a seed together. */
const SILENCE_MICROS = 1_000_000;

function draw(seed: number, healsAt: number): TimedFault[] {
  return drawFaults(new Stream(`${seed}/swarm/faults`), healsAt, 2);
}

test('half of the seeds draw none, the others every kind of them', () => {
  const kinds = new Set<string>();
  let none = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const drawn = draw(seed, 500_000);
    if (drawn.length === 0) none++;
    for (const { kind } of drawn) kinds.add(kind);
  }
  expect(none / SEEDS).toBeGreaterThan(0.45);
  expect(none / SEEDS).toBeLessThan(0.55);
  expect([...kinds].sort()).toEqual(
    // `rebind` is drawn with each client
    'cut drift failReceives failSends hold leap natTimeout pause receiveBuffer stepCalendar'.split(' '),
  );
});

test('each can be written, begins before the network heals and is over then', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    for (const healsAt of [200_000, 700_000, 20_000_000]) {
      const drawn = draw(seed, healsAt);
      expect(parseFaults(drawn.map(faultText).join('\n'))).toEqual(drawn);
      for (const fault of drawn) {
        expect(fault.at).toBeLessThan(healsAt);
        if ('lastsMicros' in fault) expect(fault.at + fault.lastsMicros).toBeLessThanOrEqual(healsAt);
      }
    }
  }
});

test('what silences lasts a second a seed, all together, however long the bad time', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const spells = new Map<string, number>();
    for (const fault of draw(seed, 20_000_000)) {
      const { kind, at } = fault;
      if (kind === 'leap') spells.set(`${kind} ${at}`, fault.amount);
      else if (['cut', 'hold', 'pause', 'failSends', 'natTimeout'].includes(kind) && 'lastsMicros' in fault) {
        spells.set(`${kind} ${at}`, fault.lastsMicros); // a partition is two cuts at one time
      }
    }
    const sum = [...spells.values()].reduce((all, micros) => all + micros, 0);
    expect(sum).toBeLessThanOrEqual(SILENCE_MICROS);
  }
});
