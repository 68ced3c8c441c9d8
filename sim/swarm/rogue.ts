/**
 * A rogue: a client with a token and keys of its own that says what no honest client does.
 *
 * It is the engine's own client, whose payloads are changed between packing and sealing: so they prove authentic, and only
 * then turn out wrong. What it sends is drawn from a stream; nobody promises it anything. The server may cut it off,
 * and must where the rogue acknowledges what was never sent; it may not break, nor may others notice.
 */

import type { Aead, DatagramBatch, Micros } from '../../sys/api.ts';
import {
  ACK_GAPS_MAX,
  FRAGMENT_BYTES,
  FRAME_ACK,
  FRAME_EXTENSION,
  FRAME_FRAGMENT,
  FRAME_SKIP,
  ID_WINDOW,
} from '../../transport/wire/frame-types.ts';
import { writeVarint } from '../../transport/wire/varint.ts';
import { openEngine } from '../world/engine-host.ts';
import { SimAead } from '../world/sim-aead.ts';
import type { Stream } from '../world/streams.ts';
import type { World } from '../world/world.ts';
import { SWARM_CHANNELS, SWARM_MESSAGE_BYTES_MAX } from './plan.ts';
import { type Speaker, SWARM_DECLARATIONS, type SwarmChannels } from './talk.ts';

/** netcode's payload packets, alone and with a connection id; the type is in the low half of the prefix byte. */
const PAYLOAD = 5;
const PAYLOAD_WITH_ID = 9;
const FRAGMENT = 0;
const LIE = 1;
const SKIP = 2;
const CUT = 3;
const FLIP = 4;
/** The first payloads are honest, so that the connection comes about. */
const HONEST_PAYLOADS = 3;
/** Its fragments use a few ids, so that they meet, beyond those that its honest messages get to. */
const FIRST_ID = 1_000;
const IDS = 3;
const TAIL_BYTES_MAX = 60;
/** A server has sent some thousands of packets at most: an ack so far beyond the last one that came is a lie. */
const LIE_NUMBERS = 0x4000;
const LATENCY_MICROS_MAX = 30_000;
const EVERY_MICROS = 8_000;
const MESSAGE_BYTES_MAX = 4_000;
/** The client id of the rogue: no other has it. */
export const ROGUE_ID = 999n;

export class Rogue {
  /** An ack for a packet that was never sent has been sealed. */
  hasLied = false;
  readonly #stream: Stream;
  /** Of a thousand payloads so many are changed. */
  readonly #share: number;
  /** What it does, each half of the time left out altogether: else one trick is cut off before another shows. */
  readonly #tricks: readonly number[];
  /** Where its fragments go: on one channel they meet before another cuts it off. */
  readonly #channel: number;
  #payloads = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#share = 50 + stream.below(900);
    this.#channel = stream.below(SWARM_CHANNELS);
    const tricks = [FRAGMENT, LIE, SKIP, CUT, FLIP].filter(() => stream.below(2) === 0);
    this.#tricks = tricks.length > 0 ? tricks : [FLIP];
  }

  #openAead(slots: number, slotBytes: number): Aead {
    const aead = new SimAead(slots, slotBytes);
    const seal = aead.seal.bind(aead);
    aead.seal = (batch, slot, keyId, prefix, low, high) => {
      const type = prefix & 0xf;
      if (type === PAYLOAD || type === PAYLOAD_WITH_ID) this.#spoil(batch, slot);
      seal(batch, slot, keyId, prefix, low, high);
    };
    return aead;
  }

  /** Connects to a server and talks until `until`. */
  start(world: World, server: { readonly address: string; readonly key: Uint8Array }, until: Micros): void {
    const stream = this.#stream;
    const host = world.host('rogue', { openAead: (slots, slotBytes) => this.#openAead(slots, slotBytes) });
    world.link(host, world.hostNamed('server')!, { latencyMicros: stream.below(LATENCY_MICROS_MAX) });
    const engine = openEngine(world, host, () => {});
    world.start(host, 2_000, async () => {
      const token = await engine.mintToken({
        privateKey: server.key,
        clientId: Number(ROGUE_ID),
        addresses: [server.address],
      });
      const client = await engine.connect<SwarmChannels>({ token, channels: SWARM_DECLARATIONS });
      const names = Object.keys(SWARM_DECLARATIONS);
      while (world.now < until && client.state === 'connected') {
        const message = new Uint8Array(1 + stream.below(MESSAGE_BYTES_MAX));
        const channel = names[stream.below(SWARM_CHANNELS)]!;
        if (channel !== 'input') (client as unknown as Speaker).send(channel, message, {});
        await engine.sleep(EVERY_MICROS);
      }
    });
  }

  /** Changes the payload in `slot`, or leaves it. */
  #spoil(batch: DatagramBatch, slot: number): void {
    const stream = this.#stream;
    if (this.#payloads++ < HONEST_PAYLOADS || stream.below(1_000) >= this.#share) return;
    const at = batch.offset[slot]!;
    const length = batch.length[slot]!;
    const { arena } = batch;
    switch (this.#tricks[stream.below(this.#tricks.length)]) {
      case FRAGMENT:
        batch.length[slot] = this.#fragment(arena, at) - at;
        return;
      case LIE:
        this.#lie(arena, at);
        return;
      case SKIP:
        batch.length[slot] = this.#skip(arena, at) - at;
        return;
      case CUT:
        batch.length[slot] = stream.below(length + 1);
        return;
      default:
        for (let i = 0; i <= stream.below(4); i++) arena[at + stream.below(length)]! ^= 1 << stream.below(8);
    }
  }

  /** The last piece of a message of some size, of which the next one of that id has another; or one behind the last. */
  #fragment(bytes: Uint8Array, at: number): number {
    const stream = this.#stream;
    const pieces = 1 + stream.below(SWARM_MESSAGE_BYTES_MAX / FRAGMENT_BYTES - 1);
    const isBehind = stream.below(4) === 0;
    const tail = isBehind ? FRAGMENT_BYTES : 1 + stream.below(TAIL_BYTES_MAX);
    bytes[at] = FRAME_FRAGMENT;
    bytes[at + 1] = this.#channel;
    const id = FIRST_ID + stream.below(IDS);
    bytes[at + 2] = id;
    bytes[at + 3] = id >>> 8;
    const end = writeVarint(
      bytes,
      writeVarint(bytes, at + 4, pieces * FRAGMENT_BYTES + (isBehind ? 1 : tail)),
      isBehind ? pieces + 1 : pieces,
    );
    bytes.fill(0xa5, end, end + tail);
    return end + tail;
  }

  /** The payload's ack, where it begins with one, is for a packet that was never sent. */
  #lie(bytes: Uint8Array, at: number): void {
    const type = bytes[at]!;
    if (type < FRAME_ACK || type > FRAME_ACK + ACK_GAPS_MAX) return;
    const newest = bytes[at + 1]! + bytes[at + 2]! * 0x100 + LIE_NUMBERS;
    bytes[at + 1] = newest;
    bytes[at + 2] = newest >>> 8;
    this.hasLied = true;
  }

  /** Ids that are skipped, some beyond the window; and something from a later version. */
  #skip(bytes: Uint8Array, at: number): number {
    const stream = this.#stream;
    bytes[at] = FRAME_SKIP;
    bytes[at + 1] = stream.below(SWARM_CHANNELS);
    bytes[at + 2] = stream.below(256);
    bytes[at + 3] = stream.below(17);
    const end = writeVarint(bytes, at + 4, stream.below(ID_WINDOW + 2));
    bytes[end] = FRAME_EXTENSION + stream.below(0x80);
    bytes[end + 1] = stream.below(8);
    bytes[end + 2] = 0;
    return end + 3;
  }
}
