/**
 * The arena's messages as bytes, and the delivery that each needs.
 *
 *     input     tick input         buttons u8 | aim x i8 | aim y i8                                3 bytes
 *     event     reliable ordered   kind u8 | player u16 | other player u16 | name text             who came, left, killed whom
 *     chat      reliable ordered   player u16 | text                                               from a client: player 0
 *     state     unreliable         a snapshot:
 *     snapshot  tick u32 | players u8 | bullets u8
 *               each player:  id u16 | x u16 | y u16 | aim x i8 | aim y i8 | health u8 | score u16   11 bytes
 *               each bullet:  x u16 | y u16                                                         4 bytes
 *
 * Positions are in 1/256 cell. 52 players and 128 bullets fill one packet.
 */

import {
  type ByteChannel,
  type ByteReader,
  ByteWriter,
  type Channel,
  type Codec,
  reliableOrdered,
  tickInput,
  unreliable,
} from 'tickwire';
import { type ArenaWorld, BULLETS_MAX, type Input } from './world.ts';

/** Players of one arena: what fits in a snapshot beside all bullets. */
export const PLAYERS_MAX = 52;
const UNITS_PER_CELL = 256;
const SNAPSHOT_BYTES_MAX = 6 + PLAYERS_MAX * 11 + BULLETS_MAX * 4;

const UP = 1;
const DOWN = 2;
const LEFT = 4;
const RIGHT = 8;
const FIRE = 16;

export interface PlayerView {
  readonly id: number;
  readonly x: number;
  readonly y: number;
  readonly aimX: number;
  readonly aimY: number;
  readonly health: number;
  readonly score: number;
}

export interface Snapshot {
  readonly tick: number;
  readonly players: readonly PlayerView[];
  readonly bullets: readonly { readonly x: number; readonly y: number }[];
}

const inputCodec: Codec<Input> = {
  encode(input, writer) {
    const buttons =
      (input.up ? UP : 0) |
      (input.down ? DOWN : 0) |
      (input.left ? LEFT : 0) |
      (input.right ? RIGHT : 0) |
      (input.fire ? FIRE : 0);
    writer.u8(buttons).u8(input.aimX).u8(input.aimY);
  },
  decode(reader) {
    const buttons = reader.u8();
    return {
      up: (buttons & UP) !== 0,
      down: (buttons & DOWN) !== 0,
      left: (buttons & LEFT) !== 0,
      right: (buttons & RIGHT) !== 0,
      fire: (buttons & FIRE) !== 0,
      aimX: i8(reader),
      aimY: i8(reader),
    };
  },
};

/** Something that everybody should know, once and in order. */
export interface ArenaEvent {
  readonly kind: 'join' | 'leave' | 'kill';
  /** Who came, left or was killed. */
  readonly player: number;
  /** Who killed. */
  readonly other: number;
  /** Who came. */
  readonly name: string;
}

const EVENT_KINDS = ['join', 'leave', 'kill'] as const;

const eventCodec: Codec<ArenaEvent> = {
  encode: ({ kind, player, other, name }, writer) =>
    void writer.u8(EVENT_KINDS.indexOf(kind)).u16(player).u16(other).text(name),
  decode: (reader) => {
    const kind = EVENT_KINDS[reader.u8()];
    if (kind === undefined) reader.ok = false;
    return { kind: kind ?? 'leave', player: reader.u16(), other: reader.u16(), name: reader.text() };
  },
};

/** A line of chat. */
export interface ChatLine {
  readonly player: number;
  readonly text: string;
}

const chatCodec: Codec<ChatLine> = {
  encode: ({ player, text }, writer) => void writer.u16(player).text(text),
  decode: (reader) => ({ player: reader.u16(), text: reader.text() }),
};

/** Longest line of chat in characters of UTF-16. */
export const CHAT_CHARACTERS_MAX = 120;

/** What client and server agree on. Snapshots are bytes: encoded once a tick for everybody. */
export const CHANNELS: {
  readonly input: Channel<Input, Input, 'tickInput'>;
  readonly state: ByteChannel<'unreliable'>;
  readonly event: Channel<ArenaEvent, ArenaEvent, 'reliableOrdered'>;
  readonly chat: Channel<ChatLine, ChatLine, 'reliableOrdered'>;
} = {
  input: tickInput(inputCodec),
  state: unreliable(),
  event: reliableOrdered(eventCodec, { messageBytesMax: 1024 }),
  chat: reliableOrdered(chatCodec, { messageBytesMax: 512 }),
};

/** Number of this game and protocol version. */
export const PROTOCOL_ID = 0x6172_656e_6102n;

const snapshotWriter = new ByteWriter(SNAPSHOT_BYTES_MAX);

/** The world as a snapshot message; borrowed until the next call. */
export function encodeSnapshot(world: ArenaWorld): Uint8Array {
  const writer = snapshotWriter.reset();
  writer.u32(world.tick).u8(world.players.size).u8(world.bullets.length);
  for (const player of world.players.values()) {
    writer
      .u16(player.id)
      .u16(player.x * UNITS_PER_CELL)
      .u16(player.y * UNITS_PER_CELL);
    writer
      .u8(player.aimX * 127)
      .u8(player.aimY * 127)
      .u8(player.health)
      .u16(player.score);
  }
  for (const bullet of world.bullets) writer.u16(bullet.x * UNITS_PER_CELL).u16(bullet.y * UNITS_PER_CELL);
  return writer.written;
}

/** Reads a snapshot; null when the bytes are not one. */
export function decodeSnapshot(reader: ByteReader): Snapshot | null {
  const tick = reader.u32();
  const playerCount = reader.u8();
  const bulletCount = reader.u8();
  const players: PlayerView[] = [];
  const bullets: { x: number; y: number }[] = [];
  for (let i = 0; i < playerCount; i++) {
    players.push({
      id: reader.u16(),
      x: reader.u16() / UNITS_PER_CELL,
      y: reader.u16() / UNITS_PER_CELL,
      aimX: i8(reader) / 127,
      aimY: i8(reader) / 127,
      health: reader.u8(),
      score: reader.u16(),
    });
  }
  for (let i = 0; i < bulletCount; i++) {
    bullets.push({ x: reader.u16() / UNITS_PER_CELL, y: reader.u16() / UNITS_PER_CELL });
  }
  return reader.ok ? { tick, players, bullets } : null;
}

function i8(reader: ByteReader): number {
  return (reader.u8() << 24) >> 24;
}
