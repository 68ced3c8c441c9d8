import { expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { DatagramBatch, type Micros, parseAddress, type Rng } from '../../../sys/api.ts';
import { associatedDataOf, PACKET_REQUEST, PacketHeader, SERVER_TAKES } from '../../../transport/netcode/packets.ts';
import { Sessions } from '../../../transport/netcode/sessions.ts';
import { mintConnectToken } from '../../../transport/netcode/token.ts';
import { type HandshakePacket, type HandshakeRecord, hex, overRecordings, toHex } from './recordings.ts';
import { at, ClientStation, type Datagram, ServerStation, START, seededRng } from './world.ts';

const TICK_MICROS = 15_625;
const micros = (seconds: number): Micros => START + Math.round(seconds * 1_000_000);

/** Zeros, but the challenge key is the recorded one: then handshake packets get the recorded numbers too. */
function recordedRng(challengeKey: string | null): Rng {
  let first = true;
  return {
    u32: () => 0,
    fill: (bytes) => {
      bytes.fill(0);
      if (first && challengeKey !== null) bytes.set(hex(challengeKey));
      first = false;
    },
  };
}

const datagram = (record: HandshakeRecord, p: HandshakePacket): Datagram => ({
  from: parseAddress(p.source)!,
  to: parseAddress(p.destination === record.server_seen_as ? record.server_address : p.destination)!,
  bytes: hex(p.bytes),
  sentAt: 0,
});

/** Plays what one side sent to a station of ours, turn by turn; returns what ours sent. */
function play(record: HandshakeRecord, side: 'client' | 'server', station: ServerStation | ClientStation): Datagram[] {
  const heard = record.packets.filter((p) => p.from === side && p.delivered_at !== null);
  const end = Math.max(...record.packets.map((p) => p.delivered_at ?? p.time)) + 0.1;
  const sent: Datagram[] = [];
  for (let now = START; now <= micros(end); now += TICK_MICROS) {
    const due = heard.filter((p) => micros(p.delivered_at!) > now - TICK_MICROS && micros(p.delivered_at!) <= now);
    station.receive(
      due.map((p) => datagram(record, p)),
      now,
      Number(record.wall_clock_seconds),
    );
    sent.push(...station.turn(now));
  }
  return sent;
}

/** Fills a server with other clients, as before the recording. */
function occupy(station: ServerStation, record: HandshakeRecord, count: number): void {
  const seconds = Number(record.wall_clock_seconds);
  for (let i = 0; i < count; i++) {
    const client = new ClientStation(at('198.51.100.200', 1000 + i));
    const token = mintConnectToken(
      {
        protocolId: BigInt(record.token.protocol_id),
        privateKey: hex(record.token.private_key),
        clientId: 1_000_000n + BigInt(i),
        serverAddresses: [station.address],
      },
      chooseAead(1, 2048),
      seededRng(i),
      seconds,
    );
    client.client.connect(token, START);
    for (let turn = 0; turn < 4; turn++) {
      station.receive(client.turn(START + turn), START + turn, seconds);
      client.receive(
        station.turn(START + turn).filter((d) => toHex(d.to) === toHex(client.address)),
        START + turn,
        seconds,
      );
    }
  }
}

overRecordings('recorded handshakes', ({ handshakes }) => {
  test.each(handshakes)('our server decides as the recorded one: $name', (record) => {
    const isFull = record.client_connected_as.length === 0;
    const server = new ServerStation(
      {
        protocolId: BigInt(record.token.protocol_id),
        privateKeys: [hex(record.token.private_key)],
        publicAddresses: [parseAddress(record.server_address)!],
        maxClients: record.max_clients,
      },
      recordedRng(record.challenge_key),
      START,
      Number(record.wall_clock_seconds),
    );
    if (isFull) occupy(server, record, record.max_clients);
    let userData = new Uint8Array(0); // as the game may read it when it is asked to admit
    server.onAdmit = (connection, now) => {
      userData = server.server.userDataOf(connection).slice();
      server.server.accept(connection, now);
    };
    const connectedBefore = server.connected.length;
    const sent = play(record, 'client', server).filter(
      (d) => toHex(d.to) === toHex(parseAddress(record.client_address)!),
    );
    expect(server.connected.length - connectedBefore).toBe(isFull ? 0 : 1);

    const recorded = record.packets.filter((p) => p.from === 'server');
    const types = sent.map((d) => d.bytes[0]! & 15);
    if (isFull) {
      expect(types).toEqual([7, 1]);
      // Numbers had been used for the clients that were there before, so the tags differ.
      expect(sent[1]!.bytes.length).toBe(recorded[0]!.bytes.length / 2);
      return;
    }
    const challenges = recorded.filter((p) => p.type === 2).map((p) => p.bytes);
    expect(sent.filter((d) => (d.bytes[0]! & 15) === 2).map((d) => toHex(d.bytes))).toEqual(challenges);
    const first = recorded.find((p) => p.type === 4)!;
    expect(toHex(sent.find((d) => (d.bytes[0]! & 15) === 4)!.bytes)).toBe(first.bytes);
    expect(server.server.clientIdOf(0).toString()).toBe(record.token.client_id);
    expect(toHex(userData)).toBe(record.token.user_data);

    // The client's payloads that arrived, each once, in the order of arrival.
    const arrived = record.application.filter((a) => a.who === 'server' && a.action === 'received');
    expect(server.payloads.map((p) => toHex(p.bytes))).toEqual(arrived.map((a) => a.payload));
    const clientLeft = record.packets.some((p) => p.from === 'client' && p.type === 6 && p.delivered_at !== null);
    expect(server.ended.map((e) => e.reason.side)).toEqual(clientLeft ? ['remote'] : []);
  });

  test.each(handshakes)('our client goes through the recorded states: $name', (record) => {
    const client = new ClientStation(parseAddress(record.client_address)!);
    const states: number[] = [];
    const turn = client.turn.bind(client);
    let connectAt = record.state_changes.find((change) => change.who === 'client')!.time;
    const receive = client.receive.bind(client);
    const note = () => {
      const state = client.client.state * 100 + client.client.serverIndex;
      if (connectAt < 0 && states.at(-1) !== state) states.push(state);
    };
    client.receive = (datagrams, now, seconds) => {
      if (connectAt >= 0 && now >= micros(connectAt)) {
        client.client.connect(hex(record.token.public), now);
        connectAt = -1;
        note();
      }
      receive(datagrams, now, seconds);
      note();
    };
    client.turn = (now) => {
      const sent = turn(now);
      note();
      return sent;
    };
    const sent = playToClient(record, client);
    const expected: number[] = [];
    let server = 0;
    for (const change of record.state_changes.filter((c) => c.who === 'client')) {
      if (change.to_state === 1 && expected.length > 0) server++;
      expected.push(change.to_state! * 100 + server);
    }
    const clientLeaves = record.application.some((a) => a.who === 'client' && a.action === 'disconnect');
    expect(states).toEqual(clientLeaves ? expected.slice(0, -1) : expected);

    const requests = sent.filter((d) => d.bytes[0] === PACKET_REQUEST).map((d) => toHex(d.bytes));
    const recordedRequest = record.packets.find((p) => p.type === PACKET_REQUEST)!.bytes;
    expect(new Set(requests)).toEqual(new Set([recordedRequest]));
    expect(client.connected.map((c) => [c.index, c.maxClients])).toEqual(
      record.client_connected_as.map((c) => [c.client_index, c.max_clients]),
    );
    const arrived = record.application.filter((a) => a.who === 'client' && a.action === 'received');
    expect(client.payloads.map((p) => toHex(p.bytes))).toEqual(arrived.map((a) => a.payload));

    // Our response says what the recorded one said, whatever number it has.
    const responses = record.packets.filter((p) => p.type === 3).map((p) => dataOf(record, hex(p.bytes)));
    for (const d of sent.filter((d) => (d.bytes[0]! & 15) === 3)) expect(dataOf(record, d.bytes)).toBe(responses[0]);
  });
});

/** What the recorded server sent comes from where the client reaches it. */
function playToClient(record: HandshakeRecord, client: ClientStation): Datagram[] {
  const seen = record.packets.map((p) => (p.from === 'server' ? { ...p, source: record.server_seen_as } : p));
  return play({ ...record, packets: seen }, 'server', client);
}

/** The decrypted data of a packet from the client. */
function dataOf(record: HandshakeRecord, bytes: Uint8Array): string {
  const aead = chooseAead(1, 2048);
  const sessions = new Sessions(1, 1, 256, aead);
  const keyBytes = hex(record.token.client_to_server_key);
  sessions.setKeys(0, keyBytes, keyBytes, associatedDataOf(BigInt(record.token.protocol_id)));
  const batch = DatagramBatch.allocate(1, 2048);
  batch.arena.set(bytes, batch.home(0));
  batch.length[0] = bytes.length;
  const header = new PacketHeader();
  header.parse(batch.arena, batch.home(0), bytes.length, SERVER_TAKES);
  expect(sessions.openPacket(batch, 0, header, 0)).toBe(0);
  return toHex(aead.plaintext.subarray(0, header.dataBytes));
}
