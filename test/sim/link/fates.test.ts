// Fates by script: they are what the script says, and no other packet's fate moves.

import { describe, expect, it } from 'vitest';
import { INTACT } from '../../../sim/link/corrupt.ts';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { NO_COPY } from '../../../sim/link/duplicate.ts';
import { Fates, type FatesOptions } from '../../../sim/link/fates.ts';
import { faultText, parseFaults } from '../../../sim/link/fault.ts';
import { LinkDirection, LOST } from '../../../sim/link/link.ts';
import { Streams } from '../../../sim/world/streams.ts';

const PACKETS = 2_000;
/** All that chance can do. */
const BAD: DirectionOptions = {
  latencyMicros: 20_000,
  jitterMicros: 15_000,
  loss: { model: 'gilbert-elliott', loss: 0.2, meanBurstPackets: 3 },
  reorder: 0.1,
  duplicate: 0.1,
  duplicateDelayMicros: 5_000,
  corrupt: 0.1,
};

describe('a script of fates', () => {
  it('gives the packets that it names the fates that it says, and leaves the others theirs', () => {
    const plain = run(BAD, null);
    const script = parseFaults(
      'drop a>b #3\ndelay a>b #17 by 40ms\nduplicate a>b #5 after 7ms\ncorrupt a>b #7 flip\ndeliver a>b #9\ndrop c>d #11',
    );
    const told = run(BAD, { script });
    expect(told[3]).toEqual([LOST]);
    expect(told[17]).toEqual([60_000, NO_COPY, INTACT]);
    expect(told[5]).toEqual([20_000, 7_000, INTACT]);
    expect(told[7]).toEqual([20_000, NO_COPY, 0]);
    expect(told[9]).toEqual([20_000, NO_COPY, INTACT]);
    const named = new Set([3, 17, 5, 7, 9]);
    expect(told.filter((_, i) => !named.has(i))).toEqual(plain.filter((_, i) => !named.has(i)));
  });

  it('keeps the order of the others as it was where a link keeps the order', () => {
    const options: DirectionOptions = { latencyMicros: 20_000, jitterMicros: 20_000, keepOrder: true };
    const plain = run(options, null, 100);
    const told = run(options, { script: parseFaults('drop a>b #10\ndelay a>b #20 by 900ms') }, 100);
    for (const index of [10, 20]) expect(told[index]).not.toEqual(plain[index]);
    expect(told.filter((_, i) => i !== 10 && i !== 20)).toEqual(plain.filter((_, i) => i !== 10 && i !== 20));
  });

  it('that replaces chance leaves nothing but the latency and what it says', () => {
    const told = run({ ...BAD, wifi: { busy: 0.5 } } as DirectionOptions, {
      script: parseFaults('drop a>b #3'),
      replaces: true,
    });
    expect(told[3]).toEqual([LOST]);
    for (const [index, fate] of told.entries()) if (index !== 3) expect(fate).toEqual([20_000, NO_COPY, INTACT]);
  });

  it('outlives new options of the link', () => {
    const link = new LinkDirection('a>b', 0, new Streams(1), {});
    link.follow(new Fates({ script: parseFaults('drop a>b #1') }).of('a>b'));
    link.configure({ latencyMicros: 5 });
    expect([link.cross(link.enter(9), 0), link.cross(link.enter(9), 0)]).toEqual([5, LOST]);
    expect(link.stats).toMatchObject({ sent: 2, lost: 1 });
  });

  it('does not let a packet arrive before it was sent', () => {
    const told = run({ latencyMicros: 10 }, { script: parseFaults('delay a>b #0 by -50ms') }, 1);
    expect(told[0]![0]).toBe(0);
  });

  it('leaves the way of a packet that is only sent again by a stranger to chance', () => {
    expect(run(BAD, { script: parseFaults('replay a>b #3 after 1ms') })).toEqual(run(BAD, null));
  });
});

describe('a record of fates', () => {
  it('played back in place of chance is the same run, in every packet', () => {
    const fates = new Fates({ record: true });
    const drawn = runWith(BAD, fates);
    expect(drawn).toEqual(run(BAD, null));
    const text = fates.recorded.map(faultText).join('\n');
    expect(run(BAD, { script: parseFaults(text), replaces: true })).toEqual(drawn);
  });

  it('lists nothing for a packet that arrives once, as it was, after the latency', () => {
    const fates = new Fates({ record: true });
    runWith({ latencyMicros: 20_000 }, fates);
    expect(fates.recorded).toEqual([]);
  });

  it('tells which faults of a script met their packet', () => {
    const script = parseFaults('drop a>b #3\ndelay a>b #5 by 1ms\ndrop a>b #999999\ndrop c>d #3');
    const fates = new Fates({ script });
    runWith({}, fates);
    expect([...fates.met].map(faultText)).toEqual(['drop a>b #3', 'delay a>b #5 by 1ms']);
  });
});

/** The fate of each packet: when it arrives after it was sent, its copy, its damage. */
function run(options: DirectionOptions, fates: FatesOptions | null, packets = PACKETS): number[][] {
  return runWith(options, fates === null ? null : new Fates(fates), packets);
}

function runWith(options: DirectionOptions, fates: Fates | null, packets = PACKETS): number[][] {
  const link = new LinkDirection('a>b', 0, new Streams(7), options);
  link.follow(fates === null ? null : fates.of('a>b'));
  return Array.from({ length: packets }, (_, i) => {
    const index = link.enter(100);
    const arrival = link.cross(index, i * 1_000);
    if (arrival === LOST) return [LOST];
    return [arrival - i * 1_000, link.copyExtraMicros(index), link.corrupt.kind(index)];
  });
}
