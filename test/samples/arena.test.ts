import { describe, expect, it } from 'vitest';
import { Bot } from '../../samples/arena/bot.ts';
import { Feed } from '../../samples/arena/feed.ts';
import { CHANNELS, decodeSnapshot, encodeSnapshot, PLAYERS_MAX } from '../../samples/arena/protocol.ts';
import { drawArena } from '../../samples/arena/screen.ts';
import {
  ARENA_HEIGHT,
  ARENA_WIDTH,
  ArenaWorld,
  BULLETS_MAX,
  HEALTH_MAX,
  idleInput,
} from '../../samples/arena/world.ts';
import { ByteReader } from '../../transport/wire/byte-reader.ts';
import { ByteWriter } from '../../transport/wire/byte-writer.ts';
import { FRAGMENT_BYTES } from '../../transport/wire/frame-types.ts';

/** A generator for tests: the same numbers each time. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const readSnapshot = (bytes: Uint8Array) => decodeSnapshot(new ByteReader().wrap(bytes, 0, bytes.length));

describe('the arena', () => {
  it('lets a player walk, no faster on the diagonal, and not through the walls', () => {
    const world = new ArenaWorld(() => 0.5);
    const player = world.join(1, 'a');
    player.input = { ...idleInput(), right: true, down: true };
    const { x, y } = player;
    world.step();
    expect(Math.hypot(player.x - x, player.y - y)).toBeCloseTo(10 / 60);
    for (let i = 0; i < 1000; i++) world.step();
    expect(player.x).toBeLessThan(ARENA_WIDTH);
    expect(player.y).toBeLessThan(ARENA_HEIGHT);
  });

  it('kills with five hits, counts the score, and brings the dead back after two seconds', () => {
    const world = new ArenaWorld(() => 0.5);
    const shooter = world.join(1, 'shooter');
    const target = world.join(2, 'target');
    shooter.x = 10;
    target.x = 15;
    shooter.y = target.y = 10;
    shooter.input = { ...idleInput(), fire: true, aimX: 127, aimY: 0 };
    let steps = 0;
    while (target.health > 0 && steps < 200) {
      world.step();
      steps++;
    }
    expect(target).toMatchObject({ health: 0, deaths: 1 });
    expect(shooter.score).toBe(1);
    shooter.input = idleInput();
    for (let i = 0; i < 119; i++) world.step();
    expect(target.health).toBe(0);
    world.step();
    expect(target.health).toBe(HEALTH_MAX);
  });

  it('survives a shooter who left while the bullet flew', () => {
    const world = new ArenaWorld(() => 0.5);
    const shooter = world.join(1, 'shooter');
    const target = world.join(2, 'target');
    Object.assign(shooter, { x: 10, y: 10, input: { ...idleInput(), fire: true, aimX: 127 } });
    Object.assign(target, { x: 12, y: 10, health: 20 });
    world.step();
    world.leave(1);
    for (let i = 0; i < 30; i++) world.step();
    expect(target.deaths).toBe(1);
  });

  it('fits a full house into one snapshot message, and gives it back', () => {
    const random = dice(1);
    const world = new ArenaWorld(random);
    for (let id = 0; id < PLAYERS_MAX; id++) {
      const player = world.join(id, `p${id}`);
      player.input = { ...idleInput(), fire: true, aimX: Math.floor(random() * 255) - 127, aimY: 64 };
    }
    for (let i = 0; i < 60 && world.bullets.length < BULLETS_MAX; i++) world.step();
    const bytes = encodeSnapshot(world);
    expect(bytes.length).toBeLessThanOrEqual(FRAGMENT_BYTES);
    const snapshot = readSnapshot(bytes)!;
    expect(snapshot.tick).toBe(world.tick);
    expect(snapshot.bullets).toHaveLength(world.bullets.length);
    for (const seen of snapshot.players) {
      const player = world.players.get(seen.id)!;
      expect(seen.x).toBeCloseTo(player.x, 1);
      expect(seen.health).toBe(player.health);
    }
  });

  it('rejects a snapshot that was cut off', () => {
    const world = new ArenaWorld(dice(2));
    world.join(1, 'a');
    const bytes = encodeSnapshot(world);
    for (let length = 0; length < bytes.length; length++) expect(readSnapshot(bytes.slice(0, length))).toBeNull();
  });

  it('carries an input in three bytes', () => {
    const input = {
      up: true,
      down: false,
      left: true,
      right: false,
      fire: true,
      aimX: -127,
      aimY: 5,
    };
    const writer = new ByteWriter(16);
    CHANNELS.input.codec!.encode(input, writer);
    expect(writer.length).toBe(3);
    expect(CHANNELS.input.codec!.decode(new ByteReader().wrap(writer.written, 0, 3))).toEqual(input);
  });

  it('has bots that fight: eight of them score within a minute', () => {
    const random = dice(3);
    const world = new ArenaWorld(random);
    const bots = Array.from({ length: 8 }, (_, id) => {
      world.join(id, `bot-${id}`);
      return new Bot(random);
    });
    for (let tick = 0; tick < 3600; tick++) {
      const snapshot = readSnapshot(encodeSnapshot(world));
      for (const [id, bot] of bots.entries()) world.players.get(id)!.input = { ...bot.decide(id, snapshot) };
      world.step();
    }
    const scores = [...world.players.values()].map((player) => player.score);
    expect(scores.reduce((sum, score) => sum + score)).toBeGreaterThan(8);
  });

  it('applies each input once, one a step, in order, and keeps the keys when none has come', () => {
    const world = new ArenaWorld(() => 0.5);
    const player = world.join(1, 'a');
    const { x } = player;
    for (let i = 0; i < 3; i++) expect(world.enqueue(1, { ...idleInput(), right: i < 2 })).toBe(true);
    for (let i = 0; i < 5; i++) world.step();
    expect(player.x - x).toBeCloseTo((2 * 10) / 60); // two steps to the right, then none
    for (let i = 0; i < 6; i++) expect(world.enqueue(1, idleInput())).toBe(true);
    expect(world.enqueue(1, idleInput())).toBe(false);
    expect(world.enqueue(2, idleInput())).toBe(false);
  });

  it('tells what happened as lines that a terminal shows and does not obey', () => {
    const feed = new Feed();
    const kills: number[][] = [];
    feed.onKill = (...kill) => kills.push(kill);
    feed.take({ kind: 'join', player: 1, other: 0, name: 'Eve\u001b[2J' });
    feed.take({ kind: 'join', player: 2, other: 0, name: 'Bob' });
    feed.say({ player: 2, text: 'hi\u0007\n' });
    feed.take({ kind: 'kill', player: 1, other: 2, name: '' });
    feed.take({ kind: 'leave', player: 1, other: 0, name: '' });
    feed.say({ player: 1, text: 'boo' });
    expect(feed.lines).toEqual([
      'Eve[2J came',
      'Bob came',
      'Bob: hi',
      'Bob killed Eve[2J',
      'Eve[2J left',
      'player 1: boo',
    ]);
    expect(kills).toEqual([[2, 1]]);
  });

  it('carries events and chat, and refuses an event of an unknown kind', () => {
    const writer = new ByteWriter(256);
    const event = { kind: 'kill', player: 3, other: 60_000, name: '' } as const;
    CHANNELS.event.codec!.encode(event, writer);
    const reader = new ByteReader();
    expect(CHANNELS.event.codec!.decode(reader.wrap(writer.written, 0, writer.length))).toEqual(event);
    const broken = Uint8Array.from(writer.written);
    broken[0] = 9;
    CHANNELS.event.codec!.decode(reader.wrap(broken, 0, broken.length));
    expect(reader.ok).toBe(false);
  });

  it('is drawn within the terminal, with me, the others, the dead and the bullets', () => {
    const snapshot = {
      tick: 9,
      players: [
        { id: 1, x: 1, y: 1, aimX: 1, aimY: 0, health: 40, score: 3 },
        { id: 2, x: 30, y: 10, aimX: 1, aimY: 0, health: 100, score: 0 },
        { id: 3, x: 60, y: 30, aimX: 1, aimY: 0, health: 0, score: 0 },
      ],
      bullets: [{ x: 20, y: 5 }],
    };
    const feed = ['a came', 'b: hello', 'x'.repeat(100)];
    const lines = drawArena(snapshot, 1, 'connected', 40, 16, feed, 'typed').replaceAll('\x1b[K', '').split('\r\n');
    expect(lines.length).toBeLessThanOrEqual(16);
    for (const mark of ['@', 'C', 'x', '.']) expect(lines.slice(1, -6).join('')).toContain(mark);
    expect(lines.at(-2)).toBe('> typed');
    expect(lines.at(-1)).toContain('health [####------] score 3');
    for (const line of lines.slice(1, -1)) expect(line.length).toBeLessThanOrEqual(40);
  });
});
