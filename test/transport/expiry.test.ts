import { expect, test } from 'vitest';
import { ChannelSet, LATEST_STATE, RELIABLE_ORDERED } from '../../transport/channel/channel-set.ts';
import { spec } from './pair.ts';
import { readPayload, writePayload } from './reference/frames.ts';
import { Target } from './target.ts';

const state = { ...spec('state', LATEST_STATE), keysMax: 65_536 };
const ack = (number: number): Uint8Array =>
  writePayload([{ type: 'ack', newest: number % 65_536, delay: 0, run: 0, more: [] }]);

test('twenty thousand values that are lost and expire together do not exhaust the stack', () => {
  const target = new Target({ connections: 1, channels: new ChannelSet([state]) });
  for (let key = 0; key < 20_000; key++) target.send(0, 0, 8, key, 0, 100_000);
  target.turn();
  target.send(0, 0, 8, 65_000);
  target.turn(20_000);
  target.turn(200_000);
  // The newest packet alone is acked: all before it are lost.
  expect(target.give(0, ack(target.next[0]! - 1))).toBe('taken');
  expect(() => target.turn(1_000_000)).not.toThrow();
  target.turn(30_000_000);
  target.connections.close(0, target.now);
  expect(target.connections.pool.held).toBe(0);
});

test('a probe whose last message has expired does not say what another connection has to say', () => {
  const channels = [{ name: 'state', kind: LATEST_STATE, messageBytesMax: 1 << 20, keysMax: 65_536 }];
  const target = new Target({ connections: 2, channels: new ChannelSet([state]) });
  const said: string[] = [];
  target.onPacket = (c, _number, bytes, offset, length) => {
    if (c !== 0) return;
    said.push(...readPayload(bytes.slice(offset, offset + length), channels).frames.map(({ type }) => type));
  };
  target.turn();
  for (let key = 0; key < 4; key++) target.send(1, 0, 8, key);
  target.turn();
  for (let key = 0; key < 3; key++) {
    target.send(0, 0, 8, key, 0, 5000);
    target.turn();
  }
  // The two newest are acked and the first is not lost yet when the path changes: the probe for that finds it expired.
  target.turn(6000);
  const newest = target.next[0]! - 1;
  expect(target.give(0, writePayload([{ type: 'ack', newest, delay: 0, run: 1, more: [] }]))).toBe('taken');
  said.length = 0;
  target.connections.onPath(0, false, target.now);
  target.turn();
  expect(said.filter((type) => type === 'keyed')).toEqual([]);
});

test('messages that expire before the window of ids reaches them are not skipped beyond it', () => {
  const channels = [{ name: 'chat', kind: RELIABLE_ORDERED, messageBytesMax: 100, keysMax: 1 }];
  const target = new Target({ connections: 1, channels: new ChannelSet([spec('chat', RELIABLE_ORDERED)]) });
  let furthest = 0;
  target.onPacket = (_c, _number, bytes, offset, length) => {
    for (const frame of readPayload(bytes.slice(offset, offset + length), channels).frames) {
      if (frame.type === 'skip') furthest = Math.max(furthest, frame.first + frame.count - 1);
      if (frame.type === 'messages') furthest = Math.max(furthest, frame.firstId + frame.messages.length - 1);
    }
  };
  for (let i = 0; i < 5000; i++) target.send(0, 0, 4, 0, 0, i < 4096 ? 0 : 10_000);
  target.turn();
  for (let i = 0; i < 10; i++) target.turn(100_000);
  expect(furthest).toBe(4095);
});
