import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { EthernetHeader } from '../../../sys/wire/ethernet.ts';
import { WHOLE } from '../../../sys/wire/header.ts';
import { IPv4Header } from '../../../sys/wire/ipv4.ts';
import { IPv6Header } from '../../../sys/wire/ipv6.ts';
import { OptionCursor } from '../../../sys/wire/option-cursor.ts';
import { TcpHeader } from '../../../sys/wire/tcp.ts';
import { UdpHeader } from '../../../sys/wire/udp.ts';
import { heapBytesOfSlices } from '../collect-garbage.ts';
import { buildFrame, packetPlan } from './packet-plan.ts';

const PACKETS = 100_000;
const SLOT_BYTES = 512;

const frames = fc.sample(packetPlan, { seed: 7, numRuns: 64 }).map(buildFrame);
const arena = new Uint8Array(frames.length * SLOT_BYTES);
for (const [i, frame] of frames.entries()) arena.set(frame, i * SLOT_BYTES);

const ethernet = new EthernetHeader();
const ipv4 = new IPv4Header();
const ipv6 = new IPv6Header();
const udp = new UdpHeader();
const tcp = new TcpHeader();
const options = new OptionCursor();
const canonical = new Uint8Array(48);

/** Reads each packet to its ports, addresses and checksums, changes it, and writes the checksums again. */
function pass(count: number): number {
  let seen = 0;
  for (let i = 0; i < count; i++) {
    const slot = i % frames.length;
    const at = slot * SLOT_BYTES;
    const end = at + frames[slot]!.length;
    if (ethernet.wrap(arena, at, end).check() !== WHOLE) continue;
    let from = 0;
    let protocol = 0;
    let sum = 0;
    if (ethernet.payloadType === 0x0800 && ipv4.wrap(arena, ethernet.payloadOffset, end).check() === WHOLE) {
      from = ipv4.payloadOffset;
      protocol = ipv4.isFragment ? -1 : ipv4.protocol;
      sum = ipv4.pseudoSum(protocol, ipv4.payloadEnd - from);
      ipv4.readSource(1, canonical, 0);
      ipv4.writeSource(canonical, 0);
      ipv4.ttl = i;
      ipv4.fillChecksum();
    } else if (ethernet.payloadType === 0x86dd && ipv6.wrap(arena, ethernet.payloadOffset, end).check() === WHOLE) {
      from = ipv6.payloadOffset;
      protocol = ipv6.isFragment ? -1 : ipv6.protocol;
      sum = ipv6.pseudoSum(protocol, ipv6.payloadEnd - from);
      ipv6.readDestination(1, 2, canonical, 24);
      ipv6.flowLabel = i;
    } else continue;
    if (protocol === 17 && udp.wrap(arena, from, end).check() === WHOLE) {
      udp.fillChecksum(sum);
      if (udp.checksumHolds(sum)) seen++;
    } else if (protocol === 6 && tcp.wrap(arena, from, end).check() === WHOLE) {
      tcp.sequence = (tcp.sequence + 0x7fff_ffff) | 0;
      options.wrap(arena, tcp.optionsAt, tcp.payloadOffset);
      while (options.next()) seen += options.kind & 1;
      tcp.fillChecksum(sum);
      if (tcp.checksumHolds(sum)) seen++;
    }
  }
  return seen;
}

it('reading and writing 100,000 packets allocates nothing', { timeout: 60_000 }, () => {
  const seen = pass(PACKETS);
  expect(seen).toBeGreaterThan(PACKETS / 4);
  const bytesAPacket: number[] = [];
  // Ten passes a round: V8 counts its heap in steps that one pass would not average out. A first round may still compile.
  for (let round = 0; round < 4 && !(bytesAPacket.at(-1)! < 0.5); round++) {
    const grown = heapBytesOfSlices(10, () => {
      if (pass(PACKETS) !== seen) throw new Error('a packet was read differently');
    });
    bytesAPacket.push(grown / (10 * PACKETS));
  }
  expect(bytesAPacket.at(-1), `bytes a packet, round by round: ${bytesAPacket}`).toBeLessThan(0.5);
});
