/**
 * What a question means for a UDP socket: offset 0 is the first byte of the UDP header, and the payload starts at 8.
 *
 * The IP header is reached by the kernel's second way of counting, from the network header (`NETWORK_OFFSET`). What a UDP
 * socket never receives (TCP, ARP) never holds; what only a frame has (Ethernet, VLAN) cannot be asked, and is null.
 * `less` and `greater` count the UDP header and the payload.
 */

import { addressAt, inDirection, lengthWithin, portWithin } from './address-tests.ts';
import type { Question } from './expression.ts';
import { ALWAYS, all, any, atLeast, type Condition, equals, loadAt, loadLength, NEVER_HOLDS } from './packet-test.ts';
import { NETWORK_OFFSET } from './program.ts';

const PROTOCOL_UDP = 17;
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
// Offsets from the network header.
const IPV4_DESTINATION = 16;
const IPV6_DESTINATION = 24;
/** Source and destination. */
const ADDRESSES = { ip: [12, 16], ip6: [8, 24] } as const;

/** Null where the question cannot be asked here. */
export function udpSocketCondition(question: Question): Condition | null {
  switch (question.kind) {
    case 'protocol':
      if (question.name === 'ip') return version(4);
      if (question.name === 'ip6') return version(6);
      return question.name === 'udp' ? ALWAYS : NEVER_HOLDS;
    case 'number':
      if (question.of === 'ether') return null;
      if (question.number !== PROTOCOL_UDP) return NEVER_HOLDS;
      return question.of === 'any' ? any(version(4), version(6)) : version(question.of === 'ip' ? 4 : 6);
    case 'address': {
      const { of, direction, address } = question;
      if (of === 'arp' || of === 'rarp') return NEVER_HOLDS;
      const six = address.bytes.length === 16;
      const [source, destination] = ADDRESSES[six ? 'ip6' : 'ip'];
      return all(
        version(six ? 6 : 4),
        inDirection(
          direction,
          () => addressAt(NETWORK_OFFSET + source, address),
          () => addressAt(NETWORK_OFFSET + destination, address),
        ),
      );
    }
    case 'ports':
      if (question.of === 'tcp' || question.of === 'sctp') return NEVER_HOLDS;
      return inDirection(
        question.direction,
        () => portWithin(loadAt(SOURCE_PORT, 2), question.first, question.last),
        () => portWithin(loadAt(DESTINATION_PORT, 2), question.first, question.last),
      );
    case 'group':
      if (question.of === 'ip') return all(version(4), atLeast(loadAt(NETWORK_OFFSET + IPV4_DESTINATION, 1), 224));
      if (question.of === 'ip6') return all(version(6), equals(loadAt(NETWORK_OFFSET + IPV6_DESTINATION, 1), 0xff));
      return null;
    case 'length':
      return lengthWithin(loadLength(), question.first, question.last);
    case 'mac':
    case 'vlan':
      return null;
  }
}

function version(number: 4 | 6): Condition {
  return equals(loadAt(NETWORK_OFFSET, 1, 0xf0), number << 4);
}
