import { describe, expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { DatagramBatch } from '../../../sys/api.ts';
import {
  CLIENT_CONNECTED,
  CLIENT_SENDING_REQUEST,
  CLIENT_SENDING_RESPONSE,
} from '../../../transport/netcode/client-states.ts';
import * as drops from '../../../transport/netcode/drop-counters.ts';
import {
  ACCEPTED,
  DROP_NAMES,
  DROP_NOT_ALLOWED,
  DROP_SEQUENCE_BYTES,
  DROP_SEQUENCE_TOO_LARGE,
  DROP_SIZE,
  DROP_TOO_SHORT,
  DROP_TYPE,
  dropsTotal,
} from '../../../transport/netcode/drop-counters.ts';
import {
  associatedDataOf,
  CLIENT_TAKES,
  PACKET_REQUEST,
  PacketHeader,
  prefixOf,
  SERVER_TAKES,
  sequenceBytesOf,
  tokenAssociatedDataOf,
  writeHeaderBefore,
  writeRequest,
} from '../../../transport/netcode/packets.ts';
import { Sessions } from '../../../transport/netcode/sessions.ts';
import { readConnectToken, writeConnectToken, writePrivateToken } from '../../../transport/netcode/token.ts';
import { hex, high, type InvalidRecord, low, overRecordings, toHex } from './recordings.ts';
import {
  at,
  ClientStation,
  PRIVATE_KEY,
  ServerStation,
  START,
  START_SECONDS,
  type Station,
  seededRng,
  World,
} from './world.ts';

const aead = chooseAead(4, 2048);
const SERVER = at('10.0.0.1', 40000);
const CLIENT = at('10.0.0.2', 50000);
const FOREVER = { isSpent: () => false, spend: () => {} };

/** A token whose session uses `key` in both directions. */
function tokenWith(key: Uint8Array, protocolId: bigint): Uint8Array {
  const keys = { timeoutSeconds: 5, clientToServerKey: key, serverToClientKey: key };
  const created = BigInt(START_SECONDS);
  const expires = created + 30n;
  const nonce = new Uint8Array(24).fill(3);
  const privateToken = writePrivateToken(keys, 1n, [SERVER], new Uint8Array(256));
  aead.sealOnce(PRIVATE_KEY, nonce, tokenAssociatedDataOf(protocolId, expires), privateToken);
  return writeConnectToken({ ...keys, protocolId, created, expires, nonce, privateToken, addresses: [SERVER] });
}

/** A world with a server and a client whose session has the given key, in a state of the client's handshake. */
function sessionWith(key: Uint8Array, protocolId: bigint, state: number) {
  const world = new World();
  const server = world.add(new ServerStation({ protocolId, replayWindowSize: 256 }));
  const client = world.add(new ClientStation(CLIENT));
  client.client.connect(tokenWith(key, protocolId), world.now);
  if (!world.run(1_000_000, () => client.client.state === state)) throw new Error(`state ${state} was not reached`);
  return { world, server, client };
}

function offer(station: Station, from: Uint8Array, bytes: Uint8Array, world: World): void {
  station.receive([{ from, to: station.address, bytes, sentAt: world.now }], world.now, world.unixSeconds);
}

overRecordings('recorded packets', (recordings) => {
  const { packets, invalid_packets, unusual_accepted_packets, connect_tokens } = recordings;
  const sealed = packets.filter((p) => p.type !== PACKET_REQUEST);

  test('are written byte for byte', () => {
    const batch = DatagramBatch.allocate(2, 2048);
    const sessions = new Sessions(1, 1, 256, aead);
    for (const p of sealed) {
      const data = hex(p.per_packet_data);
      sessions.setKeys(0, hex(p.key), hex(p.key), associatedDataOf(BigInt(p.protocol_id)));
      batch.count = 0;
      batch.arena.set(data, batch.home(0));
      batch.length[0] = data.length;
      sessions.writeNumbered(batch, 0, p.type, low(p.sequence!), high(p.sequence!));
      const start = batch.offset[0]!;
      expect(toHex(batch.arena.subarray(start, start + batch.length[0]!)), `${p.type_name} ${p.sequence}`).toBe(
        p.bytes,
      );
    }
  });

  test('are read back, but numbers from 2^53 on only before a connection (stricter than the reference on purpose)', () => {
    const batch = DatagramBatch.allocate(1, 2048);
    const sessions = new Sessions(1, 1, 256, aead);
    const header = new PacketHeader();
    for (const p of sealed) {
      const bytes = hex(p.bytes);
      sessions.setKeys(0, hex(p.key), hex(p.key), associatedDataOf(BigInt(p.protocol_id)));
      sessions.replay.reset(0);
      batch.arena.set(bytes, batch.home(0));
      batch.offset[0] = batch.home(0);
      batch.length[0] = bytes.length;
      const takes = SERVER_TAKES | CLIENT_TAKES;
      const code = header.parse(batch.arena, batch.offset[0]!, bytes.length, takes);
      if (p.type >= 4 && BigInt(p.sequence!) >= 1n << 53n) {
        expect(code).toBe(DROP_SEQUENCE_TOO_LARGE);
        continue;
      }
      expect(code, `${p.type_name} ${p.sequence}`).toBe(ACCEPTED);
      expect([header.type, header.sequenceLow, header.sequenceHigh]).toEqual([
        p.type,
        low(p.sequence!),
        high(p.sequence!),
      ]);
      expect(sessions.openPacket(batch, 0, header, 0)).toBe(ACCEPTED);
      expect(toHex(aead.plaintext.subarray(0, header.dataBytes))).toBe(p.per_packet_data);
    }
  });

  test('requests are written byte for byte', () => {
    for (const p of packets.filter((p) => p.type === PACKET_REQUEST)) {
      const token = readConnectToken(hex(connect_tokens[p.connect_token!]!.public))!;
      const bytes = new Uint8Array(1078);
      const associated = tokenAssociatedDataOf(token.protocolId, token.expires);
      writeRequest(bytes, 0, associated, token.nonce, token.privateToken);
      expect(toHex(bytes)).toBe(p.bytes);
    }
  });

  test('requests are answered by the server that their token lists, except where the timeout is 0', () => {
    for (const p of packets.filter((p) => p.type === PACKET_REQUEST)) {
      const record = connect_tokens[p.connect_token!]!;
      const created = Number(record.create_timestamp);
      // The token without a lifetime has expired whenever one looks; look a second before.
      const seconds = record.create_timestamp === record.expire_timestamp ? created - 1 : created;
      const world = new World();
      const station = new ServerStation(
        {
          protocolId: BigInt(record.protocol_id),
          privateKeys: [hex(record.private_key)],
          publicAddresses: [at('192.0.2.200', 1), ...record.private_addresses.slice(-1).map((text) => addressOf(text))],
          tokenLifetimeMaxSeconds: Number.POSITIVE_INFINITY,
          spentTokens: FOREVER,
        },
        seededRng(1),
        START,
        seconds,
      );
      station.receive([{ from: CLIENT, to: station.address, bytes: hex(p.bytes), sentAt: 0 }], world.now, seconds);
      const answers = station.turn(world.now);
      if (record.timeout_seconds === 0) {
        expect(answers).toEqual([]);
        expect(station.server.drops.requestMalformed).toBe(1);
      } else {
        expect(answers.map((d) => d.bytes[0]! & 15)).toEqual([2]);
        expect(answers[0]!.bytes.length).toBeLessThanOrEqual(p.bytes.length / 2);
      }
    }
  });

  test('invalid packets and requests are ignored, counted once, and not answered', () => {
    const worlds = new Map<string, ReturnType<typeof sessionWith>[]>();
    for (const record of invalid_packets) {
      if (record.receiver === 'server' && record.private_key !== undefined) expectIgnoredRequest(record);
      else {
        const keyText = record.key ?? '11'.repeat(32);
        const name = `${keyText} ${record.protocol_id}`;
        const states = [CLIENT_SENDING_REQUEST, CLIENT_SENDING_RESPONSE, CLIENT_CONNECTED];
        const sessions =
          worlds.get(name) ?? states.map((state) => sessionWith(hex(keyText), BigInt(record.protocol_id), state));
        worlds.set(name, sessions);
        for (const session of sessions) expectIgnored(session, record);
      }
    }
  });

  test('unusual packets that the reference takes are taken, except for packet numbers from 2^53 on', () => {
    for (const p of unusual_accepted_packets) {
      const state = p.type === 2 ? CLIENT_SENDING_REQUEST : CLIENT_CONNECTED;
      const { server, client, world } = sessionWith(hex(p.key), BigInt(p.protocol_id), state);
      const [station, endpoint, from] =
        p.receiver === 'server' ? [server, server.server, CLIENT] : [client, client.client, SERVER];
      const takenBefore = endpoint.accepted;
      const dropsBefore = endpoint.drops.sequenceTooLarge;
      // The recorded number may have been used up by our own handshake; that is no difference to the reference.
      const replayedBefore = endpoint.drops.replayed;
      offer(station, from, hex(p.bytes), world);
      const tooLarge = p.type >= 4 && BigInt(p.sequence) >= 1n << 53n;
      expect(endpoint.drops.sequenceTooLarge - dropsBefore, p.name).toBe(tooLarge ? 1 : 0);
      const replayed = endpoint.drops.replayed - replayedBefore;
      expect(endpoint.accepted - takenBefore + replayed, p.name).toBe(tooLarge ? 0 : 1);
    }
  });
});

function addressOf(text: string): Uint8Array {
  const match = /^\[?([^\]]+?)\]?:(\d+)$/.exec(text)!;
  return at(match[1]!, Number(match[2]));
}

function expectIgnored(session: ReturnType<typeof sessionWith>, record: InvalidRecord): void {
  const { server, client, world } = session;
  const toServer = record.receiver === 'server';
  const endpoint = toServer ? server.server : client.client;
  const before = dropsTotal(endpoint.drops);
  const taken = endpoint.accepted;
  const stranger = at('10.9.9.9', 9);
  const from = record.key === null ? stranger : toServer ? CLIENT : SERVER;
  const { state } = client.client;
  offer(toServer ? server : client, from, hex(record.bytes), world);
  expect(dropsTotal(endpoint.drops) - before, `${record.name}: ${record.reason}`).toBe(1);
  expect(endpoint.accepted).toBe(taken);
  expect(client.client.state).toBe(state);
  expect(server.ended).toEqual([]);
  expect(server.payloads.length + client.payloads.length).toBe(0);
}

function expectIgnoredRequest(record: InvalidRecord): void {
  const seconds = Number(record.current_timestamp);
  const station = new ServerStation(
    {
      protocolId: BigInt(record.protocol_id),
      privateKeys: [hex(record.private_key!)],
      tokenLifetimeMaxSeconds: Number.POSITIVE_INFINITY,
      spentTokens: FOREVER,
      publicAddresses: [at('127.0.0.1', 40000)],
    },
    seededRng(1),
    START,
    seconds,
  );
  station.receive([{ from: CLIENT, to: station.address, bytes: hex(record.bytes), sentAt: 0 }], START, seconds);
  expect(dropsTotal(station.server.drops), `${record.name}: ${record.reason}`).toBe(1);
  expect(station.turn(START)).toEqual([]);
}

describe('PacketHeader', () => {
  const parse = (bytes: number[], takes: number) =>
    new PacketHeader().parse(Uint8Array.from(bytes), 0, bytes.length, takes);
  const zeros = (n: number) => new Array<number>(n).fill(0);

  test.each([
    ['17 bytes', [0x14, ...zeros(16)], SERVER_TAKES, DROP_TOO_SHORT],
    ['a request with a sequence', [0x10, ...zeros(17)], SERVER_TAKES, DROP_TYPE],
    ['type 10', [0x1a, ...zeros(17)], SERVER_TAKES, DROP_TYPE],
    ['type 15', [0x1f, ...zeros(40)], CLIENT_TAKES, DROP_TYPE],
    ['a payload with an id at a client', [0x19, ...zeros(40)], CLIENT_TAKES, DROP_NOT_ALLOWED],
    ['less than sequence, id and tag', [0x19, ...zeros(24)], SERVER_TAKES, DROP_TOO_SHORT],
    ['an empty payload with an id', [0x19, ...zeros(25)], SERVER_TAKES, DROP_SIZE],
    ['a payload with an id of 1,201 bytes', [0x19, ...zeros(25 + 1201)], SERVER_TAKES, DROP_SIZE],
    ['a path packet of 8 bytes', [0x18, ...zeros(25 + 8)], SERVER_TAKES, DROP_SIZE],
    ['a path packet of 25 bytes', [0x18, ...zeros(25 + 25)], SERVER_TAKES, DROP_SIZE],
    ['a challenge at a server', [0x12, ...zeros(400)], SERVER_TAKES, DROP_NOT_ALLOWED],
    ['a response at a client', [0x13, ...zeros(400)], CLIENT_TAKES, DROP_NOT_ALLOWED],
    ['no sequence', [0x06, ...zeros(17)], SERVER_TAKES, DROP_SEQUENCE_BYTES],
    ['a sequence of 9 bytes', [0x96, ...zeros(30)], SERVER_TAKES, DROP_SEQUENCE_BYTES],
    ['less than sequence and tag', [0x86, ...zeros(20)], SERVER_TAKES, DROP_TOO_SHORT],
    ['an empty payload', [0x15, ...zeros(17)], SERVER_TAKES, DROP_SIZE],
    ['a payload of 1,201 bytes', [0x15, ...zeros(17 + 1201)], SERVER_TAKES, DROP_SIZE],
    ['a keep-alive of 7 bytes', [0x14, ...zeros(17 + 7)], SERVER_TAKES, DROP_SIZE],
    ['a reason of 257 bytes', [0x17, ...zeros(17 + 257)], SERVER_TAKES, DROP_SIZE],
    ['number 2^53', [0x76, 0, 0, 0, 0, 0, 0, 0x20, ...zeros(16)], SERVER_TAKES, DROP_SEQUENCE_TOO_LARGE],
  ] as const)('drops %s before any decryption', (_, bytes, takes, code) => {
    expect(parse([...bytes], takes)).toBe(code);
  });

  test('takes number 2^53 - 1', () => {
    expect(parse([0x76, 255, 255, 255, 255, 255, 255, 0x1f, ...zeros(16)], SERVER_TAKES)).toBe(ACCEPTED);
  });

  test('writes the shortest sequence for every length, and reads the same number', () => {
    for (let bits = 0; bits < 64; bits++) {
      for (const delta of [-1n, 0n, 1n]) {
        const number = BigInt.asUintN(64, (1n << BigInt(bits)) + delta);
        const [lo, hi] = [low(number.toString()), high(number.toString())];
        const shortest = Math.max(1, Math.ceil(number.toString(16).length / 2));
        expect(sequenceBytesOf(lo, hi)).toBe(shortest);
        const bytes = new Uint8Array(60);
        const headerBytes = writeHeaderBefore(bytes, 20, prefixOf(1, lo, hi), lo, hi);
        expect(headerBytes).toBe(shortest + 1);
        const header = new PacketHeader();
        expect(header.parse(bytes, 20 - headerBytes, headerBytes + 16, CLIENT_TAKES)).toBe(ACCEPTED);
        expect([header.sequenceLow, header.sequenceHigh]).toEqual([lo, hi]);
      }
    }
  });
});

test('every reason to drop has a number and a name, in one order', () => {
  const numbers = Object.entries(drops).filter(([name]) => name.startsWith('DROP_') && name !== 'DROP_NAMES');
  expect(numbers.length).toBe(DROP_NAMES.length - 1);
  for (const [name, number] of numbers) {
    const words = name.slice('DROP_'.length).toLowerCase().split('_');
    const camel = words.map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('');
    expect(DROP_NAMES[number as number]).toBe(camel);
  }
});
