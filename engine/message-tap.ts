/** A tap on the messages of a place: for who measures whole runs, as the simulator does. */

/**
 * Told of each message as it is queued for the transport, and as the transport hands it out, before codecs and listeners.
 * Requests and their answers count as messages. Bytes are borrowed for the call; the tap must not send.
 */
export interface MessageTap {
  /** @param clientId whose connection: as the server knows it; null on a client, which has but one */
  queued(clientId: bigint | null, channel: TappedChannel, bytes: Uint8Array, offset: number, length: number): void;
  arrived(clientId: bigint | null, channel: TappedChannel, bytes: Uint8Array, offset: number, length: number): void;
}

/** A channel as a tap sees it. */
export interface TappedChannel {
  /** Its number on the wire. */
  readonly number: number;
  readonly name: string;
  /** `reliable-ordered` and so on. */
  readonly kind: string;
}
