import { describe, expect, it } from 'vitest';
import { firstThatFails } from '../../../sim/swarm/trial-race.ts';
import type { Outcome, Trial, Trials } from '../../../sim/swarm/trials.ts';

interface Started {
  readonly picked: number;
  readonly end: (fails: boolean) => void;
  isCancelled: boolean;
}

/** Trials that end when they are told to; a trial is named by the one fault that it picks. */
function stand(width: number): { trials: Trials; started: Started[] } {
  const started: Started[] = [];
  const trials: Trials = {
    width,
    record: () => Promise.reject(new Error('not asked')),
    lookFor: () => {},
    start: ({ picked }) => {
      let end: Started['end'] = () => {};
      const outcome = new Promise<Outcome | null>((resolve) => {
        end = (fails) =>
          resolve({ complaint: fails ? 'it fails' : null, met: picked, sent: 0, virtualMicros: 0, healsAt: 0 });
      });
      const one: Started = { picked: picked[0]!, end: (fails) => end(fails), isCancelled: false };
      started.push(one);
      const cancel = (): void => {
        one.isCancelled = true;
        one.end(false);
      };
      return { outcome, cancel };
    },
  };
  return { trials, started };
}

function list(count: number): Trial[] {
  return Array.from({ length: count }, (_, i) => ({ picked: [i], limits: {}, spans: new Map() }));
}

/** Lets promises settle. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await null;
}

const NOBODY = { isOver: () => false, onRun: () => {}, onPassed: () => {} };

describe('a race of trials', () => {
  it('gives the first in order that fails, though a later one was faster', async () => {
    const { trials, started } = stand(2);
    const race = firstThatFails(list(5), { ...NOBODY, trials });
    started[1]!.end(true);
    await settle();
    expect(started.map(({ picked }) => picked)).toEqual([0, 1]); // nothing behind one that fails can be the first
    started[0]!.end(true);
    expect((await race)?.which).toBe(0);
  });

  it('goes on while one is slow, and cancels what is behind the first that fails', async () => {
    const { trials, started } = stand(2);
    const passed: number[] = [];
    const race = firstThatFails(list(5), { ...NOBODY, trials, onPassed: (which) => void passed.push(which) });
    started[1]!.end(false);
    await settle();
    started[2]!.end(false);
    await settle();
    expect(started.map(({ picked }) => picked)).toEqual([0, 1, 2, 3]);
    started[0]!.end(false);
    await settle();
    expect(passed).toEqual([0, 1, 2]);
    started[3]!.end(true);
    expect((await race)?.which).toBe(3);
    expect(started[4]!.isCancelled).toBe(true);
  });

  it('begins no other when the time is over', async () => {
    const { trials, started } = stand(2);
    let runs = 0;
    const race = firstThatFails(list(9), { ...NOBODY, trials, isOver: () => runs >= 3, onRun: () => void runs++ });
    for (let i = 0; i < 3; i++) {
      started[i]!.end(false);
      await settle();
    }
    expect(await race).toBeNull();
    expect(started).toHaveLength(3);
  });
});
