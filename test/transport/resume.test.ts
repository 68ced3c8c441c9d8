/** Connections whose packets are numbered anew, byte by byte: who may say what before the other end is known. */

import { describe, expect, it } from 'vitest';
import { ChannelSet, RELIABLE_ORDERED } from '../../transport/channel/channel-set.ts';
import { type Frame, readPayload, writePayload } from './reference/frames.ts';
import { Target } from './target.ts';

const CHANNEL = {
  name: 'log',
  kind: RELIABLE_ORDERED,
  priority: 1,
  weight: 1,
  bulk: false,
  messageBytesMax: 1000,
  keysMax: 1,
  inputs: 1,
};
const PEER = 77;
const MESSAGE: Frame = { type: 'messages', channel: 0, firstId: 0, messages: ['2a'] };

/** A connection whose peer has said hello, and the frames that it sends. */
function opened() {
  const target = new Target({ connections: 1, channels: new ChannelSet([CHANNEL]) });
  const sent: Frame[] = [];
  target.onPacket = (_c, _number, bytes, at, length) => {
    sent.push(...readPayload(bytes.slice(at, at + length), [CHANNEL]).frames);
  };
  const hello = (session = PEER): Frame => ({
    type: 'hello',
    version: 1,
    channels: target.connections.channels.hash,
    window: 65_536,
    session,
  });
  const give = (...frames: Frame[]) => target.give(0, Uint8Array.from(writePayload(frames)));
  const said = () => sent.splice(0).map((frame) => (frame.type === 'hello' ? `hello ${frame.session}` : frame.type));
  expect(give(hello())).toBe('taken');
  target.turn();
  const own = said().find((text) => text.startsWith('hello'))!;
  return { target, hello, give, said, own };
}

/** The peer's and our numbers start anew, as the session below does it. */
function restart(target: Target): void {
  target.next[0] = 0;
  target.peerNext[0] = 0;
}

describe('a resumed connection', () => {
  it('says hello under its old number and nothing else until the peer has, again as a probe', () => {
    const { target, hello, give, said, own } = opened();
    target.send(0, 0, 10);
    target.turn(1000);
    expect(said()).toContain('messages');
    restart(target);
    target.connections.onResume(0, target.now);
    target.send(0, 0, 10);
    for (let i = 0; i < 40; i++) target.turn(100_000);
    const before = said().filter((type) => type !== 'time');
    expect(new Set(before)).toEqual(new Set([own]));
    expect(before.length).toBeGreaterThan(1);
    expect(give(hello())).toBe('taken');
    target.turn();
    target.turn(1000);
    expect(said()).toContain('messages');
  });

  it('refuses messages that come before hello, and takes those behind it in the same packet', () => {
    const { target, hello, give } = opened();
    restart(target);
    target.connections.onResume(0, target.now);
    expect(give(MESSAGE, hello())).toBe('refused');
    expect(target.messages).toBe(0);
    expect(give(hello(), MESSAGE)).toBe('taken');
    expect(target.messages).toBe(1);
  });

  it('ends when the peer has another number than before, or had none when packets had come', () => {
    const { target, hello, give } = opened();
    restart(target);
    target.connections.onResume(0, target.now);
    expect(give(hello(PEER + 1))).toBe('violation');
    expect(target.connections.frames.violationText).toContain('forgotten');

    const unnamed = new Target({ connections: 1, channels: new ChannelSet([CHANNEL]) });
    unnamed.give(0, Uint8Array.from(writePayload([MESSAGE])));
    unnamed.connections.onResume(0, unnamed.now);
    expect(unnamed.give(0, Uint8Array.from(writePayload([hello()])))).toBe('violation');

    const unheard = new Target({ connections: 1, channels: new ChannelSet([CHANNEL]) });
    unheard.connections.onResume(0, unheard.now);
    expect(unheard.give(0, Uint8Array.from(writePayload([MESSAGE, hello()])))).toBe('taken');
  });
});

describe('a connection that rejoins', () => {
  it('is silent until the server has said hello, and goes on under its old number when that is the known one', () => {
    const { target, hello, give, said, own } = opened();
    target.send(0, 0, 10);
    restart(target);
    expect(target.connections.rejoin(0, target.now)).toBe(true);
    for (let i = 0; i < 10; i++) target.turn(100_000);
    expect(said()).toEqual([]);
    expect(give(MESSAGE)).toBe('refused');
    expect(give(hello(), MESSAGE)).toBe('taken');
    target.turn();
    const after = said();
    expect(after).toContain(own);
    expect(after).toContain('messages');
  });

  it('begins anew under a new number when the server has another one: what it had sent is lost', () => {
    const { target, hello, give, said, own } = opened();
    target.send(0, 0, 10, 0, 5);
    target.turn(1000);
    said();
    restart(target);
    target.connections.rejoin(0, target.now);
    expect(give(hello(PEER + 1), MESSAGE)).toBe('taken');
    target.turn();
    const after = said();
    expect(after.filter((text) => text.startsWith('hello')).length).toBe(1);
    expect(after).not.toContain(own);
    expect(after).not.toContain('messages');
    expect(target.connections.isSettled(0)).toBe(true);
    expect(give(hello(PEER))).toBe('violation');
  });

  it('cannot rejoin a server that it has never heard', () => {
    const target = new Target({ connections: 1, channels: new ChannelSet([CHANNEL]) });
    expect(target.connections.rejoin(0, target.now)).toBe(false);
  });
});
