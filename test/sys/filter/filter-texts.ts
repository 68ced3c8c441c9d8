/** Texts of filters, as anybody might write them: made of every question, joined in every way. */

import * as fc from 'fast-check';

const port = fc.integer({ min: 40_000, max: 40_010 }).map(String);
const host4 = fc
  .tuple(fc.constantFrom('10.0.0', '10.7.1', '192.168.3', '172.16.255'), fc.integer({ min: 1, max: 5 }))
  .map((p) => p.join('.'));
const host6 = fc
  .tuple(fc.constantFrom('fe80::', '2001:db8::1:', 'fd00:1:2:3:4:5:6:'), fc.integer({ min: 1, max: 5 }))
  .map((p) => p.join(''));
const net4 = fc.constantFrom(
  '10.0.0.0/8',
  '10.0.0.0/30',
  '192.168',
  '172',
  '0.0.0.0/0',
  '10.0.0.0 mask 255.0.255.0',
  '10.7.1.2',
);
const net6 = fc.constantFrom(
  'fe80::/10',
  '2001:db8::/32',
  'fd00:1:2:3::/64',
  'fd00:1:2:3:4:5:6:0/113',
  '2001:db8::1:4/127',
);
const range = fc.tuple(port, port).map((p) => p.join('-'));
const mac = fc.constantFrom('02:00:00:00:00:01', '02:7a:eb:04:ee:c5', 'ff:ff:ff:ff:ff:ff');
const direction = fc.constantFrom('', '', 'src ', 'dst ', 'src or dst ', 'src and dst ');
const joined = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> => fc.tuple(...parts).map((p) => p.join(''));
const of = (...words: string[]): fc.Arbitrary<string> => fc.constantFrom(...words);

/** A question that has values, and the values that it can take: a value may stand alone after it. */
const valued: fc.Arbitrary<readonly [string, fc.Arbitrary<string>]> = fc.oneof(
  joined(of('', '', 'ip ', 'arp '), direction, of('host ')).map((text) => [text, host4] as const),
  joined(of('', 'ip6 '), direction, of('host ')).map((text) => [text, host6] as const),
  joined(of('', 'ip '), direction, of('net ')).map((text) => [text, net4] as const),
  joined(of('', 'ip6 '), direction, of('net ')).map((text) => [text, net6] as const),
  joined(of('', '', 'udp ', 'tcp ', 'sctp '), direction, of('port ')).map((text) => [text, port] as const),
  joined(of('', 'udp '), direction, of('portrange ')).map((text) => [text, range] as const),
  joined(of('ether '), direction, of('host ')).map((text) => [text, mac] as const),
  joined(of('', 'ip ', 'ip6 '), of('proto ')).map((text) => [text, of('17', '6', '58', '1', '0x11')] as const),
  fc.constant(['ether proto ', of('0x800', '0x86dd', '2054', '0x8100')] as const),
);
const plain = fc.oneof(
  of(
    'ip',
    'ip6',
    'arp',
    'rarp',
    'tcp',
    'udp',
    'sctp',
    'icmp',
    'icmp6',
    'igmp',
    'broadcast',
    'multicast',
    'ip multicast',
    'ip6 multicast',
  ),
  joined(of('less ', 'greater '), fc.integer({ min: 40, max: 140 }).map(String)),
);
const link = of(' and ', ' or ', ' && ', ' || ');

const question: fc.Arbitrary<string> = fc.oneof(
  plain,
  valued.chain(([text, values]) =>
    fc.oneof(
      { weight: 4, arbitrary: values.map((value) => text + value) },
      fc.tuple(values, link, of('', 'not '), values).map(([a, join, no, b]) => `${text}${a}${join}${no}${b}`),
      fc.tuple(values, link, values).map(([a, join, b]) => `${text}(${a}${join}${b})`),
    ),
  ),
);

/** Expressions in which a tag may be asked for anywhere, since it moves what follows. */
export const filterText: fc.Arbitrary<string> = fc.letrec<{ expression: string; term: string }>((tie) => ({
  expression: fc.oneof({ maxDepth: 3 }, tie('term'), {
    weight: 3,
    arbitrary: fc.tuple(tie('expression'), link, tie('term')).map((p) => p.join('')),
  }),
  term: fc.oneof(
    { weight: 6, arbitrary: question },
    of('vlan', 'vlan 5'),
    { weight: 2, arbitrary: fc.tuple(of('not ', '! ', ''), tie('expression')).map(([no, text]) => `${no}(${text})`) },
    question.map((text) => `not ${text}`),
  ),
})).expression;
