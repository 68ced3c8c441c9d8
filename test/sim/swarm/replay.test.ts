// A run of the swarm and its script are the same run.

import { describe, expect, it } from 'vitest';
import { type Fault, faultText, isPacketFault } from '../../../sim/link/fault.ts';
import { parseScript, type SwarmScript, scriptText } from '../../../sim/swarm/script.ts';
import { SIGHTS } from '../../../sim/swarm/sights.ts';
import { runSwarm } from '../../../sim/swarm/swarm.ts';
import { NEVER } from '../../../sys/api.ts';

/** Together they meet something of every kind that is drawn. */
const SEEDS = [3, 7, 12, 16, 17, 21, 25, 31, 32, 39, 45];

describe('the faults of a seed', () => {
  it('by script, in place of chance, are the same run to the last byte', async () => {
    for (const seed of SEEDS) {
      const bare = await runSwarm({ seed });
      const drawn = await runSwarm({ seed, record: true });
      expect(drawn.digest).toBe(bare.digest);
      const text = scriptText({ seed: String(seed), seconds: 0.5, limits: {}, faults: drawn.faults }, ['a comment']);
      const { seconds, faults } = parseScript(text);
      const told = await runSwarm({ seed, secondsMax: seconds, faults, record: true });
      expect(told.digest).toBe(bare.digest);
      expect(told.faults.map(faultText)).toEqual(drawn.faults.map(faultText));
      // A way may be cut while nothing comes: of such a fault nothing comes.
      const met = (faults: readonly Fault[]): number => faults.filter(isPacketFault).length;
      expect([...told.met].filter(isPacketFault)).toHaveLength(met(drawn.faults));
      expect(told.met.size).toBe(drawn.met.size + met(drawn.faults));
    }
  });

  it('are of every kind, over some seeds', async () => {
    const kinds = new Set<string>();
    for (const seed of SEEDS) {
      for (const { kind } of (await runSwarm({ seed, record: true })).faults) kinds.add(kind);
    }
    expect([...kinds].sort()).toEqual([
      'cut',
      'delay',
      'drift',
      'drop',
      'duplicate',
      'failReceives',
      'failSends',
      'hold',
      'leap',
      'natTimeout',
      'pause',
      'rebind',
      'receiveBuffer',
      'replay',
      'stepCalendar',
    ]);
  });
});

describe('a run of the swarm', () => {
  it('without faults has none', async () => {
    const { faults, complaints } = await runSwarm({ seed: 3, faults: [], record: true });
    expect(complaints).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('says and lasts no more than its limits allow', async () => {
    const limits = { messages: 3, clients: 1, healsAt: 100_000 };
    const full = await runSwarm({ seed: 6 });
    const less = await runSwarm({ seed: 6, limits });
    expect(less.complaints).toEqual([]);
    expect(less.sent).toBeLessThan(full.sent);
    expect(less.virtualMicros).toBeLessThan(full.virtualMicros);
  });

  it('meets nothing of its script once the network has healed', async () => {
    const { faults } = await runSwarm({ seed: 6, record: true });
    const healsAt = 100_000;
    const less = await runSwarm({ seed: 6, faults, limits: { healsAt }, record: true });
    expect(less.faults.length).toBeGreaterThan(10);
    for (const fault of less.faults) expect(fault.at).toBeLessThan(healsAt);
  });

  it('stops where it is told to, and prints its events', async () => {
    const lines: string[] = [];
    const report = await runSwarm({ seed: 3, untilMicros: 50_000, trace: (line) => void lines.push(line) });
    expect(report.virtualMicros).toBe(50_000);
    expect(report.complaints).toEqual([]);
    expect(report.firstComplaintAt).toBe(NEVER);
    expect(lines.find((line) => line.includes('client-0>server #0  sent  1078 bytes'))).toBeDefined();
    expect(lines.every((line) => /^ *\d+\.\d{3} ms {2}/.test(line))).toBe(true);
  });

  it('meets some sights and never one that there is not', async () => {
    const { sights } = await runSwarm({ seed: 2 });
    expect(sights.length).toBeGreaterThan(5);
    for (const sight of sights) expect(SIGHTS).toContain(sight);
  });
});

describe('a script', () => {
  const script: SwarmScript = {
    seed: 'a name',
    seconds: 1.5,
    limits: { healsAt: 123_456, messages: 7, clients: 1 },
    faults: [{ kind: 'rebind', host: 'client-0', at: 5_000, address: true }],
  };

  it('reads back what it wrote', () => {
    expect(parseScript(scriptText(script, ['why']))).toEqual(script);
    expect(parseScript(scriptText({ ...script, faults: [] }))).toEqual({ ...script, faults: [] });
    expect(parseScript(scriptText({ ...script, faults: null, limits: {} }))).toEqual({
      ...script,
      faults: null,
      limits: {},
    });
    expect(parseScript('seed 5')).toEqual({ seed: '5', seconds: 0.5, limits: {}, faults: null });
  });

  it.each([
    ['drop a>b #3', "the script names no seed: write 'seed 17'"],
    ['seed 5\nseed 6', 'line 2: there is a seed already'],
    ['seed 5\nmessages many', "line 2: 'messages many' cannot be read: write 'messages 12'"],
    ['seed 5\nheals soon', 'line 2'],
    ['seed 5\n\ndorp a>b #3', "line 3: 'dorp' is no fault"],
  ])('that cannot be read is refused with the line: %s', (text, said) => {
    expect(() => parseScript(text)).toThrow(said);
  });
});
