/** Frames for tests of what the sniffer counts. */

import { addressOf, portOf } from '../../../sys/api.ts';
import { IPv4Header } from '../../../sys/wire/ipv4.ts';
import { UdpHeader } from '../../../sys/wire/udp.ts';

/** An Ethernet frame of UDP over IPv4 between two `host:port`. */
export function udpFrame(from: string, to: string, payload: Uint8Array): Uint8Array {
  const address = (text: string): Uint8Array => addressOf(text.split(':')[0]!, Number(text.split(':')[1]))!;
  const [source, destination] = [address(from), address(to)];
  const frame = new Uint8Array(42 + payload.length);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
  frame.set(payload, 42);
  const ip = new IPv4Header().wrap(frame, 14, frame.length).clear();
  ip.totalBytes = frame.length - 14;
  ip.ttl = 64;
  ip.protocol = 17;
  ip.writeSource(source);
  ip.writeDestination(destination);
  ip.fillChecksum();
  const udp = new UdpHeader().wrap(frame, 34, frame.length);
  udp.sourcePort = portOf(source);
  udp.destinationPort = portOf(destination);
  udp.totalBytes = 8 + payload.length;
  return frame;
}
