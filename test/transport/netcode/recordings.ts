/**
 * The recorded test vectors of netcode 1.02: a selection lives in test/vectors, all of them beside the project when it is
 * developed where they are shared.
 */

import { existsSync, readFileSync } from 'node:fs';
import { describe } from 'vitest';

/** Bytes are hex, 64-bit numbers decimal strings, small numbers plain. */
export interface TokenRecord {
  readonly name: string;
  readonly private_key: string;
  readonly protocol_id: string;
  readonly client_id: string;
  readonly timeout_seconds: number;
  readonly create_timestamp: string;
  readonly expire_timestamp: string;
  readonly nonce: string;
  readonly public_addresses: readonly string[];
  readonly private_addresses: readonly string[];
  readonly client_to_server_key: string;
  readonly server_to_client_key: string;
  readonly user_data: string;
  readonly private_plaintext?: string;
  readonly public: string;
}

export interface ChallengeRecord {
  readonly key: string;
  readonly sequence: string;
  readonly client_id: string;
  readonly user_data: string;
  readonly encrypted: string;
}

export interface PacketRecord {
  readonly type: number;
  readonly type_name: string;
  readonly sequence: string | null;
  readonly protocol_id: string;
  readonly key: string;
  readonly per_packet_data: string;
  readonly bytes: string;
  /** For a request. */
  readonly connect_token?: number;
}

export interface InvalidRecord {
  readonly group: string;
  readonly name: string;
  readonly reason: string;
  readonly receiver: 'server' | 'client';
  readonly protocol_id: string;
  readonly key: string | null;
  readonly private_key?: string;
  readonly current_timestamp?: string;
  readonly bytes: string;
}

export interface UnusualRecord {
  readonly name: string;
  readonly receiver: 'server' | 'client';
  readonly type: number;
  readonly sequence: string;
  readonly protocol_id: string;
  readonly key: string;
  readonly per_packet_data: string;
  readonly bytes: string;
}

export interface ReplayStep {
  readonly sequence?: string;
  readonly accept?: boolean;
  readonly advance?: false;
  readonly reset?: true;
}

export interface ReplayRecord {
  readonly name: string;
  readonly steps: readonly ReplayStep[];
  readonly most_recent_sequence_after: string;
}

export interface HandshakePacket {
  readonly time: number;
  readonly from: 'client' | 'server';
  readonly source: string;
  readonly destination: string;
  readonly delivered_at: number | null;
  readonly type: number;
  readonly sequence: string | null;
  readonly bytes: string;
}

export interface HandshakeRecord {
  readonly name: string;
  readonly wall_clock_seconds: string;
  readonly client_address: string;
  readonly server_address: string;
  readonly server_seen_as: string;
  readonly max_clients: number;
  readonly challenge_key: string | null;
  readonly token: Omit<TokenRecord, 'name'>;
  readonly packets: readonly HandshakePacket[];
  readonly state_changes: readonly {
    readonly time: number;
    readonly who: 'client' | 'server';
    readonly to_state?: number;
    readonly connected?: boolean;
  }[];
  readonly client_connected_as: readonly { readonly client_index: number; readonly max_clients: number }[];
  readonly application: readonly { readonly who: string; readonly action: string; readonly payload?: string }[];
}

export interface Recordings {
  readonly connect_tokens: readonly TokenRecord[];
  readonly challenge_tokens: readonly ChallengeRecord[];
  readonly packets: readonly PacketRecord[];
  readonly invalid_packets: readonly InvalidRecord[];
  readonly unusual_accepted_packets: readonly UnusualRecord[];
  readonly replay_window: { readonly window_size: number; readonly cases: readonly ReplayRecord[] };
  readonly handshakes: readonly HandshakeRecord[];
}

const SELECTION = new URL('../../vectors/netcode-1.02.selection.json', import.meta.url);
const ALL = new URL('../../../../shared/vectors/netcode-1.02.json', import.meta.url);

/** Runs `suite` over the selection, and over all recordings where they are. */
export function overRecordings(title: string, suite: (recordings: Recordings) => void): void {
  describe(`${title} (selection)`, () => suite(JSON.parse(readFileSync(SELECTION, 'utf8')) as Recordings));
  if (existsSync(ALL)) describe(`${title} (all)`, () => suite(JSON.parse(readFileSync(ALL, 'utf8')) as Recordings));
  else describe.skip(`${title} (all): skipped, the full recordings are not beside this clone`, () => {});
}

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
/** The halves of a 64-bit number as signed 32-bit integers. */
export const low = (sequence: string): number => Number(BigInt.asIntN(32, BigInt(sequence)));
export const high = (sequence: string): number => Number(BigInt.asIntN(32, BigInt(sequence) >> 32n));
