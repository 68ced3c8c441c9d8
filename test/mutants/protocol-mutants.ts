// Bugs of game transports and their cousins, each planted in our protocol for the swarm to find.
// Where one has a history it is named; `test/mutants/main.ts` measures how many seeds each takes.

import type { Mutant } from './mutant.ts';

export interface ProtocolMutant extends Mutant {
  /** What the swarm complains of: part of a sentence. */
  readonly complaint: string;
  /** The seed with which it was found when the first one was 1; the test begins a little before it. */
  readonly seed: number;
}

export const PROTOCOL_MUTANTS: readonly ProtocolMutant[] = [
  {
    name: 'packet numbers that begin anew when a player moves, and nonces with them', // as netcode before 1.4 at a restart
    file: 'transport/netcode/server-paths.js',
    find: 'rows.moveTo(connection, batch.address, addressAt);',
    replace: 'rows.moveTo(connection, batch.address, addressAt); rows.sessions.nextLow[connection] = 0;',
    complaint: 'packet numbers must rise',
    seed: 2,
  },
  {
    name: 'a replay window that moves before the packet is opened', // netcode c96c3c0
    file: 'transport/netcode/sessions.js',
    find: 'if (!this.#aead.open(',
    replace: 'if (counted) this.replay.mark(row, low, high);\n if (!this.#aead.open(',
    complaint: 'ConnectError: timeout',
    seed: 159,
  },
  {
    name: 'no replay window',
    file: 'transport/netcode/sessions.js',
    find: 'if (counted && !this.replay.isFresh(row, low, high))',
    replace: 'if (false)',
    complaint: 'arrived twice',
    seed: 5,
  },
  {
    name: 'a tag that is not looked at',
    file: 'transport/netcode/sessions.js',
    find: 'return DROP_FORGED;',
    replace: '',
    complaint: 'the connection ended on the server: protocol',
    seed: 119,
  },
  {
    name: 'a new address believed without a challenge',
    file: 'transport/netcode/server-paths.js',
    find: 'this.#ask(batch, slot, entry);\n            return ACCEPTED;',
    replace: 'this.#rows.moveTo(connection, batch.address, slot * ADDRESS_BYTES);\n            return ACCEPTED;',
    complaint: 'is not settled in time',
    seed: 14,
  },
  {
    name: 'an ack whose newest run is one too long',
    file: 'transport/recovery/ack-tracker.js',
    find: 'let run = this.#equalBits(c, index, left + 1, 0) - 1;',
    replace: 'let run = Math.min(this.#equalBits(c, index, left + 1, 0), left);',
    complaint: 'acknowledged a packet that was never sent',
    seed: 1,
  },
  {
    name: 'gaps of an ack that are one too long',
    file: 'transport/recovery/ack-tracker.js',
    find: 'writeVarint(bytes, cursor, gap - 1)',
    replace: 'writeVarint(bytes, cursor, gap)',
    complaint: 'acknowledged a packet that was never sent',
    seed: 1,
  },
  {
    name: 'an ack read in 8 bits of its number',
    file: 'transport/recovery/loss-detector.js',
    find: 'let near = ((last & 0xffff) - newest) & 0xffff;',
    replace: 'let near = ((last & 0xff) - newest) & 0xff;',
    complaint: 'acknowledged what was never sent is still connected',
    seed: 74,
  },
  {
    name: 'acks that are acked',
    file: 'transport/recovery/ack-tracker.js',
    find: 'if (waiting === 0)\n            return;',
    replace: '',
    complaint: 'the idle',
    seed: 2,
  },
  {
    name: 'a lost packet whose messages are forgotten',
    file: 'transport/flight.js',
    find: 'this.#framesLost(c, sent.frames[slot]);',
    replace: 'this.framesDropped(c, sent.frames[slot]);',
    complaint: 'is not settled in time',
    seed: 2,
  },
  {
    name: 'lost bytes that stay in flight',
    file: 'transport/recovery/loss-detector.js',
    find: 'sent.state[slot] = PACKET_LOST;\n            sent.inFlightBytes[c] -= bytes;',
    replace: 'sent.state[slot] = PACKET_LOST;',
    complaint: 'is not settled in time',
    seed: 2,
  },
  {
    name: 'a probe timer that stops for good at a loss that was none',
    file: 'transport/recovery/loss-detector.js',
    find: 'if (sent.inFlightPackets[c] === 0)\n            this.probeAt[c] = NEVER;',
    replace: 'if (sent.inFlightPackets[c] === 0 || this.spuriousPackets[c] > 0)\n            this.probeAt[c] = NEVER;',
    complaint: 'is not settled in time',
    seed: 13,
  },
  {
    name: 'an ack delay taken off twice',
    file: 'transport/recovery/rtt-estimator.js',
    find: 'this.#updateMin(c, sample, now);',
    replace: 'this.#updateMin(c, sample - 2 * delayMicros, now);',
    complaint: 'measured a round trip of',
    seed: 1,
  },
  {
    name: 'an ordered channel that leaves a gap behind',
    file: 'transport/channel/reliable-ordered.js',
    find: 'if (ahead === 0 && this.#rings.count[stream] === 0',
    replace: 'if (ahead >= 0 && this.#rings.count[stream] === 0',
    complaint: 'was left out before',
    seed: 8,
  },
  {
    name: 'a message that comes again once the window has moved on',
    file: 'transport/channel/reliable-unordered.js',
    find: 'return ahead < 0 || (ahead > 0 && this.#done.has(stream, low));',
    replace: 'return ahead > 0 && this.#done.has(stream, low);',
    complaint: 'arrived twice',
    seed: 2,
  },
  {
    name: 'an older value of latest state that wins',
    file: 'transport/channel/newest-wins.js',
    find: 'if (id <= this.#newest[slot]) {',
    replace: 'if (id === this.#newest[slot]) {',
    complaint: 'arrived after',
    seed: 3,
  },
  {
    name: 'a sequenced message that comes late and is taken',
    file: 'transport/channel/unreliable-sequenced.js',
    find: 'if (ahead < 0) {\n                intake.stale++;\n                continue;',
    replace: 'if (ahead < -4) {\n                intake.stale++;\n                continue;',
    complaint: 'arrived after',
    seed: 3,
  },
  {
    name: 'receipts told twice',
    file: 'transport/channel/outgoing.js',
    find: 'if (rings.state[slot] === SETTLED)\n            return;\n        const fragment = this.carried.fragment[row];',
    replace: 'const fragment = this.carried.fragment[row];',
    complaint: 'second receipt',
    seed: 5,
  },
  {
    name: 'a lost skip that is not said again',
    file: 'transport/channel/outgoing.js',
    find: 'if (state === SKIP_IN_FLIGHT)\n            this.#makeDue(c, s, channel, id, slot, SKIP_DUE);\n        else if',
    replace: 'if (state === SKIP_IN_FLIGHT)\n            return;\n        else if',
    complaint: 'is not settled in time',
    seed: 25,
  },
  {
    name: 'a window that is never given back',
    file: 'transport/channel/outgoing.js',
    find: 'this.windowUsed[c] = this.windowUsed[c] - rings.charge[slot];',
    replace: '',
    complaint: 'is not settled in time',
    seed: 2,
  },
  {
    name: 'a fragment that counts twice when it comes twice',
    file: 'transport/channel/reassembler.js',
    find: 'if (!this.#mark(m, index))\n            return HAD_IT;',
    replace: 'this.#mark(m, index);',
    complaint: 'arrived with another byte',
    seed: 2,
  },
  {
    name: 'fragments that disagree on the size of their message', // as CrabNet's and RakNet's counts
    file: 'transport/channel/reliable-unordered.js',
    find: 'else if (held.size[m] !== size)\n            return intake.violation(channel, OTHER_SIZE);',
    replace: '',
    complaint: 'RangeError',
    seed: 209,
  },
  {
    name: 'an ack of a packet that was never sent believed', // as quiche's CVE-2025-4821
    file: 'transport/recovery/loss-detector.js',
    find:
      'if (first < 0 || this.#near[0] > last - first)\n            return ACK_VIOLATION;\n        if (far > last)\n' +
      '            return ACK_MALFORMED;\n        if (far > last - first)\n            return ACK_VIOLATION;',
    replace: 'if (far > last) return ACK_MALFORMED; if (first < 0) return ACK_VIOLATION;',
    complaint: 'acknowledged what was never sent is still connected',
    seed: 74,
  },
  {
    name: 'a piece beyond the end of its message taken',
    file: 'transport/channel/reassembler.js',
    find: 'size - last * FRAGMENT_BYTES : -1;',
    replace: 'size - last * FRAGMENT_BYTES : FRAGMENT_BYTES;',
    complaint: 'RangeError',
    seed: 253,
  },
];
