/** The hot path allocates nothing: through the runtime, the drive, the protocol, real cryptography and a game's callbacks. */

import { expect, it } from 'vitest';
import { aeadReport } from '../../sys/aead/choose.ts';
import { heapBytesOfSlices } from '../sys/collect-garbage.ts';
import { EngineOnTape } from './engine-on-tape.ts';

const CLIENTS = 1000;
const TICKS = 500;
const SLICES = 10;
const LOSS = 0.05;
/** Rings reach their sizes and code is compiled in these; V8 counts its heap in steps of 256 KiB, so few packets would show steps. */
const ROUNDS_MAX = 8;

const native = aeadReport().some((finding) => finding.ok && finding.name !== 'node-crypto');

it.skipIf(!native)(
  `grows the heap by at most a byte a packet: seven kinds, 1,000 clients, 5 % lost, a million packets${native ? '' : ' (needs koffi: node:crypto allocates)'}`,
  { timeout: 240_000 },
  async () => {
    const engine = await EngineOnTape.open(CLIENTS, LOSS);
    expect(engine.server.peers).toHaveLength(CLIENTS);
    const { far } = engine;
    const growth: number[] = [];
    for (let round = 0; round < ROUNDS_MAX && !(growth.at(-1)! <= 1); round++) {
      const packets = far.sent + far.came;
      const received = engine.received;
      const heard = far.messages;
      const bytes = heapBytesOfSlices(SLICES, () => engine.play(TICKS / SLICES));
      growth.push(bytes / (far.sent + far.came - packets));
      expect(engine.received - received).toBeGreaterThan(TICKS * CLIENTS);
      expect(far.messages - heard).toBeGreaterThan(TICKS * CLIENTS);
    }
    expect(engine.server.peers).toHaveLength(CLIENTS);
    expect(growth.at(-1), `bytes a packet, round by round: ${growth.map((g) => g.toFixed(2))}`).toBeLessThanOrEqual(1);
  },
);
