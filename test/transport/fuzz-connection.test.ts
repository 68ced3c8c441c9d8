import { describe, expect, test } from 'vitest';
import { ChannelSet } from '../../transport/channel/channel-set.ts';
import { FUZZ_CHANNELS, HostilePeer } from './hostile-peer.ts';
import { lcg, Pair } from './pair.ts';
import { chatter } from './reference/chatter.ts';
import { type ReferenceChannel, readPayload, toHex, writePayload } from './reference/frames.ts';
import { ReferenceReceiver } from './reference/receiver.ts';
import { Target } from './target.ts';

/** FUZZ_SEED=n repeats one run; FUZZ_INPUTS=n makes each longer. */
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const INPUTS = Number(process.env.FUZZ_INPUTS ?? 700_000);
const REPEAT = 'npx vitest run test/transport/fuzz-connection.test.ts';

const CONNECTIONS = 6;
const WINDOW = 1 << 17;
const SEND_MEMORY = 1 << 21;
const RECEIVE_MEMORY = 1 << 18;
const BACKLOG = 64;
/** Inputs between looks at the bounds. */
const LOOK_EVERY = 512;

const channels = new ChannelSet(FUZZ_CHANNELS);

const PLAIN: readonly ReferenceChannel[] = FUZZ_CHANNELS.map(({ name, kind, messageBytesMax, keysMax }) => ({
  name,
  kind,
  messageBytesMax,
  keysMax,
}));

/** What honest ends once said. */
const corpus: Uint8Array[] = (() => {
  const pair = new Pair({ channels });
  const payloads: Uint8Array[] = [];
  pair.a.onPayload = (_, bytes) => {
    // Without acks, which would be of numbers that a target never sent: the hostile peer makes its own.
    payloads.push(writePayload(readPayload(bytes, PLAIN).frames.filter(({ type }) => type !== 'ack')));
    return bytes;
  };
  chatter(pair, 7, 150, 0.1);
  pair.run(pair.now + 5_000_000);
  return payloads;
})();

function openTarget(seed: number, number: number): Target {
  return new Target(
    {
      connections: CONNECTIONS,
      channels,
      backlogMax: BACKLOG,
      backlogBytesMax: 1 << 17,
      sendMemoryBytesMax: SEND_MEMORY,
      receiveMemoryBytesMax: RECEIVE_MEMORY,
      windowBytes: WINDOW,
    },
    { seed, number, peerNumber: number, now: number === 0 ? 1_000_000 : 2 ** 42 },
  );
}

/** Every bound that PROTOCOL.md states, and every number that timers hang on. */
function look({ connections, now }: Target): void {
  const { pool, receivePool, outgoing, incoming, flight } = connections;
  expect(pool.heldBytes).toBeLessThanOrEqual(SEND_MEMORY);
  expect(receivePool.heldBytes).toBeLessThanOrEqual(RECEIVE_MEMORY);
  expect(Number.isNaN(connections.deadline())).toBe(false);
  for (let c = 0; c < CONNECTIONS; c++) {
    expect(incoming.bytesHeld(c)).toBeLessThanOrEqual(WINDOW);
    expect(outgoing.backlog.messagesOf(c)).toBeLessThanOrEqual(BACKLOG * 2); // of transfers and of all else
    expect(outgoing.windowUsed[c]).toBeGreaterThanOrEqual(0);
    expect(outgoing.copying[c]).toBeGreaterThanOrEqual(0);
    expect(outgoing.unsettled[c]).toBeGreaterThanOrEqual(0);
    expect(flight.sent.inFlightBytes[c]).toBeGreaterThanOrEqual(0);
    expect(flight.sent.inFlightPackets[c]).toBeGreaterThanOrEqual(0);
    expect(flight.rtt.smoothed[c]).toBeGreaterThan(0);
    expect(flight.rtt.smoothed[c]).toBeLessThanOrEqual(10_000_000);
    expect(
      flight.detector.probeAt[c]! <= now + 60_000_000 ||
        flight.detector.probeAt[c] === Infinity ||
        flight.detector.probeAt[c]! >= Number.MAX_SAFE_INTEGER,
    ).toBe(true);
    expect(flight.controller.cwndBytes[c]).toBeGreaterThanOrEqual(2000);
    expect(flight.controller.cwndBytes[c]).toBeLessThanOrEqual(16 << 20);
    expect(Number.isFinite(connections.clock.peerNow(c, now))).toBe(true);
  }
}

/** After closing, everything is given back. */
function lookClosed(target: Target): void {
  const { connections } = target;
  for (let c = 0; c < CONNECTIONS; c++) connections.close(c, target.now);
  connections.drain(target.sink, target.now);
  expect(connections.pool.held).toBe(0);
  expect(connections.pool.heldBytes).toBe(0);
  expect(connections.receivePool.held).toBe(0);
  expect(connections.outgoing.carried.held).toBe(0);
  expect(connections.incoming.messagesHeld).toBe(0);
  expect(connections.incoming.fragmentsHeld).toBe(0);
  expect([...connections.outgoing.rings.base].every((base) => base === -1)).toBe(true);
  expect([...connections.flight.sent.base].every((base) => base === -1)).toBe(true);
}

/** Runs `step` over and over; a failure says how to see it again. */
function repeatable(name: string, seed: number, inputs: number, step: (input: number) => void): void {
  for (let input = 0; input < inputs; input++) {
    try {
      step(input);
    } catch (cause) {
      throw new Error(`${name}: input ${input} of seed ${seed}: FUZZ_SEED=${SEED} FUZZ_INPUTS=${INPUTS} ${REPEAT}`, {
        cause,
      });
    }
  }
}

describe('whatever an authenticated peer sends', () => {
  test.each([
    [SEED, 0],
    [SEED + 1, 2 ** 32 - 5000],
    [SEED + 2, 2 ** 41],
  ])(
    'nothing is thrown, all stays within its bounds and is given back (seed %i, numbers from %i)',
    (seed, number) => {
      const rng = lcg(seed);
      const peer = new HostilePeer(rng, corpus);
      const target = openTarget(seed, number);
      const answers = { taken: 0, malformed: 0, refused: 0, violation: 0 };
      repeatable('a hostile peer', seed, INPUTS, (input) => {
        const c = peer.below(CONNECTIONS);
        peer.write(target.next[c]! - 1, target.connections.packetsSent[c]!);
        const messages = target.messages;
        const gap = peer.below(40) === 0 ? peer.below(3000) : 0;
        const answer = target.give(c, peer.bytes.subarray(0, peer.length), target.peerNext[c]! + gap);
        answers[answer]++;
        // Every byte is a message at most, and what waited before may follow.
        if (target.messages - messages > 1200 + 4096) throw new Error('too many messages of one payload');
        if (answer === 'violation' || peer.below(4000) === 0) {
          target.reopen(c);
          peer.id = 0;
        }
        if (peer.below(4) === 0) {
          const channel = peer.below(8);
          const tag = channel === 5 ? input % 300 : input;
          target.send(
            c,
            channel,
            peer.below(peer.below(20) === 0 && channel !== 6 ? 15_000 : 100),
            tag,
            input & 1,
            peer.below(3) * 20_000,
          );
        }
        if (peer.below(4) === 0) target.turn(peer.below(8000));
        if (input % LOOK_EVERY === 0) look(target);
      });
      // The alarm must be able to ring: all four answers come.
      for (const count of Object.values(answers)) expect(count).toBeGreaterThan(0);
      expect(answers.taken).toBeGreaterThan(INPUTS / 5);
      expect(target.packets).toBeLessThan(INPUTS * 2);
      lookClosed(target);
    },
    300_000,
  );

  test('a conversation whose payloads are bent on their way ends cleanly at both ends', () => {
    const seed = SEED + 3;
    const rng = lcg(seed);
    const peer = new HostilePeer(rng, corpus);
    let inputs = 0;
    repeatable('bent conversations', seed, Math.ceil(INPUTS / 5000), (round) => {
      const number = round % 2 === 0 ? 0 : 2 ** 32 - 400;
      const pair = new Pair({ channels, windowBytes: WINDOW }, { number });
      const share = 4 << (round % 7);
      for (const end of [pair.a, pair.b]) {
        end.onPayload = (_, bytes) => {
          inputs++;
          if (peer.below(share) !== 0 || end.violation !== '') return bytes;
          peer.bend(bytes);
          return peer.bytes.slice(0, peer.length);
        };
      }
      chatter(pair, seed + round, 60, 0.1);
      for (let i = 0; i < 20 && pair.a.violation === '' && pair.b.violation === ''; i++) pair.run(pair.now + 100_000);
      for (const { connections } of [pair.a, pair.b]) {
        connections.close(0, pair.now);
        expect(connections.pool.held).toBe(0);
        expect(connections.receivePool.held).toBe(0);
        expect(connections.outgoing.carried.held).toBe(0);
      }
    });
    expect(inputs).toBeGreaterThan(INPUTS / 100);
  }, 300_000);

  test('the code and the second reader of PROTOCOL.md do the same with it', () => {
    const seed = SEED + 4;
    const peer = new HostilePeer(lcg(seed), corpus);
    const target = new Target({ connections: 1, channels, windowBytes: WINDOW });
    let reference = new ReferenceReceiver(PLAIN, WINDOW);
    const delivered: string[] = [];
    target.onMessage = (_c, channel, tag, bytes) => void delivered.push(`${channel} ${tag} ${toHex(bytes)}`);
    repeatable('two readers', seed, Math.ceil(INPUTS / 10), () => {
      peer.write(-1, 0);
      const bytes = peer.bytes.slice(0, peer.length);
      delivered.length = 0;
      const second = reference.receive(bytes);
      const answer = target.give(0, bytes);
      // Nothing was sent, so an ack is a breach for the code; for the reader, which is no sender, it says nothing.
      if (answer === 'violation' && target.connections.frames.violationText.includes('acknowledged')) {
        target.reopen(0);
        reference = new ReferenceReceiver(PLAIN, WINDOW);
        return;
      }
      const said = `${toHex(bytes)}: ${second.text}`;
      expect(answer, said).toBe(second.answer);
      expect(delivered, said).toEqual(second.delivered.map((one) => `${one.channel} ${one.tag} ${one.bytes}`));
      if (answer !== 'violation' && peer.below(3000) !== 0) return;
      target.reopen(0);
      peer.id = 0;
      reference = new ReferenceReceiver(PLAIN, WINDOW);
    });
  }, 300_000);
});
