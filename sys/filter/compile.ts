/**
 * Filters: `udp and port 40000 and host 10.0.0.1` becomes a program that the kernel runs on each packet.
 *
 * The language is tcpdump's (pcap-filter(7)), for what a UDP engine looks at:
 *
 * | Question | Holds for |
 * |---|---|
 * | `ip` `ip6` `arp` `rarp` `tcp` `udp` `sctp` `icmp` `icmp6` `igmp` | that protocol |
 * | `[src\|dst] host 10.0.0.1` | that address; also `src 10.0.0.1`, `ip`, `ip6` or `arp` before it, `src or dst`, `src and dst` |
 * | `[src\|dst] net 10.0.0.0/8` | that net; also `10.1`, `10.0.0.0 mask 255.0.0.0`, `fe80::/10` |
 * | `[tcp\|udp\|sctp] [src\|dst] port 40000`, `portrange 1-1023` | that port |
 * | `ether [src\|dst] host 02:00:00:00:00:01` | that link address |
 * | `proto 17`, `ip proto 17`, `ip6 proto 58`, `ether proto 0x800` | that number |
 * | `vlan [5]` | a VLAN tag; what follows is about the packet behind it |
 * | `broadcast` `multicast` `ip multicast` `ip6 multicast` | packets to many |
 * | `less 100`, `greater 1000` | lengths up to, or from, that many bytes |
 *
 * Questions are joined by `and`, `or`, `not` (`&&`, `||`, `!`) and parentheses. `and` and `or` bind equally, from the left;
 * `not` binds tighter. `port 1 or 2` and `port (1 or 2)` repeat the question.
 *
 * Where tcpdump has more or does otherwise:
 *
 * - Left out: names of hosts, nets and ports (nothing is looked up), arithmetic on bytes (`ip[8] < 5`), `protochain`,
 *   `gateway`, `ip broadcast` (wants the net's mask), `inbound`, `outbound`, MPLS, PPPoE, Geneve, link layers other than
 *   Ethernet, IEEE 802.3 (types below 1,536).
 * - `host 10.1` is an error here; tcpdump takes it for a net. `ip proto udp` is fine here; tcpdump wants `\udp`.
 * - Of frames that are cut off: a program drops those which end before a byte that it looks at. This compiler looks at
 *   bytes in the order of the text, as `tcpdump -O` does, and not at those that a mask leaves out; tcpdump's optimiser
 *   changes the order in places.
 * - `vlan` looks at the bytes of the frame. On a live Linux interface the kernel takes tags off before sockets see the
 *   frame, and libpcap asks for what it noted beside it; `vlan` is for files and for rings that put the tag back.
 */

import { assemble } from './assembler.ts';
import { ethernetCondition } from './ethernet-tests.ts';
import type { Expression } from './expression.ts';
import { FilterError } from './filter-error.ts';
import type { Condition } from './packet-test.ts';
import { parseFilter } from './parser.ts';
import { type FilterProgram, INSTRUCTIONS_MAX } from './program.ts';
import { graphOf, TESTS_MAX } from './test-graph.ts';
import { udpSocketCondition } from './udp-socket-tests.ts';

/** Where the program's offset 0 is: at the Ethernet header (packet sockets, files), or at the UDP header (UDP sockets). */
export type FilterTarget = 'ethernet' | 'udp-socket';

/** What an accepting program keeps of a packet: all of it, however long. tcpdump's default, too. */
export const KEEP_ALL_BYTES = 262_144;

/**
 * Compiles the text of a filter; the empty one accepts every packet.
 *
 * @param keepBytes of an accepted packet, the rest is cut off; from 1
 * @throws FilterError where the text is wrong, or its program longer than the kernel takes
 */
export function compileFilter(
  text: string,
  target: FilterTarget = 'ethernet',
  keepBytes: number = KEEP_ALL_BYTES,
): FilterProgram {
  const condition: Condition =
    text.trim() === '' ? { kind: 'always', value: true } : conditionOf(parseFilter(text), text, target);
  const program = programOf(condition, keepBytes);
  if (typeof program !== 'string') return program;
  throw new FilterError(text, { at: 0, length: text.length }, program, 'ask for nets in place of hosts, or for fewer');
}

/**
 * Compiles a condition that was put together by hand (`packet-test.ts`), for what the language has no words for: ICMP, or a raw
 * socket, whose packets start at the IPv4 header, or behind the IPv6 one.
 *
 * @throws RangeError where its program is longer than the kernel takes
 */
export function compileCondition(condition: Condition, keepBytes: number = KEEP_ALL_BYTES): FilterProgram {
  const program = programOf(condition, keepBytes);
  if (typeof program === 'string') throw new RangeError(program);
  return program;
}

/** The program, or a sentence that says how it is too long. */
function programOf(condition: Condition, keepBytes: number): FilterProgram | string {
  const graph = graphOf(condition);
  const program = graph === null ? null : assemble(graph, keepBytes);
  if (program !== null && program.length <= INSTRUCTIONS_MAX) return program;
  const size = program === null ? `more than ${TESTS_MAX} tests` : `${program.length} instructions`;
  return `the filter takes ${size}, the kernel takes ${INSTRUCTIONS_MAX} instructions`;
}

function conditionOf(expression: Expression, text: string, target: FilterTarget): Condition {
  switch (expression.kind) {
    case 'not':
      return { kind: 'not', of: conditionOf(expression.of, text, target) };
    case 'question': {
      const { question, vlans, place } = expression;
      const found = target === 'ethernet' ? ethernetCondition(question, vlans) : udpSocketCondition(question);
      if (found !== null) return found;
      throw new FilterError(
        text,
        place,
        'a UDP socket sees no Ethernet header',
        'take this away, or open a packet socket',
      );
    }
    default: {
      // A chain leans to the left and may be thousands long.
      const links: { kind: 'and' | 'or'; right: Condition }[] = [];
      let at: Expression = expression;
      for (; at.kind === 'and' || at.kind === 'or'; at = at.left)
        links.push({ kind: at.kind, right: conditionOf(at.right, text, target) });
      let condition = conditionOf(at, text, target);
      for (const { kind, right } of links.reverse()) condition = { kind, left: condition, right };
      return condition;
    }
  }
}
