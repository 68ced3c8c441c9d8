/**
 * Reads one question of a filter: `udp`, `src port 40000`, `ip proto 17`, `net 10.0.0.0/8`, `less 100`.
 *
 * A question is qualified by a protocol, a direction and a kind, all of which may be left out, and asks for a value. The
 * qualifiers are kept: `port 1 or 2` asks for both ports.
 */

import { parseMac } from '../wire/ethernet.ts';
import { ETHERTYPE_MIN } from '../wire/numbers.ts';
import type { Direction, ProtocolName, Question } from './expression.ts';
import { FilterError, type Place } from './filter-error.ts';
import type { Token } from './lexer.ts';
import { nearestWord } from './nearest-word.ts';
import { hostOf, netOf, numberOf, portsOf, strayBits } from './value.ts';

/** Words before a value. */
export interface Qualifiers {
  readonly protocol: ProtocolName | 'ether' | 'any';
  readonly direction: Direction;
  readonly kind: 'host' | 'net' | 'port' | 'portrange' | 'proto';
}

const PROTOCOLS: readonly string[] = ['ip', 'ip6', 'arp', 'rarp', 'tcp', 'udp', 'sctp', 'icmp', 'icmp6', 'igmp'];
const KINDS: readonly string[] = ['host', 'net', 'port', 'portrange', 'proto'];
const DIRECTIONS: Readonly<Record<string, Direction>> = { src: 'source', dst: 'destination' };
const CASTS: readonly string[] = ['broadcast', 'multicast'];
const WORDS = [
  ...PROTOCOLS,
  ...KINDS,
  ...Object.keys(DIRECTIONS),
  ...CASTS,
  'ether',
  'vlan',
  'less',
  'greater',
  'mask',
  'and',
  'or',
  'not',
];
/** Numbers of protocols that `proto` takes by name. */
const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmp6: 58, sctp: 132 };
const ETHERTYPES: Readonly<Record<string, number>> = { ip: 0x800, arp: 0x806, rarp: 0x8035, ip6: 0x86dd };

const VLAN_ID_MAX = 4095;
const HOST_REMEDY = 'write an address such as 10.0.0.1 or fe80::1 (names are not looked up), or net for a part of one';

/** What was read: a question, or (null) qualifiers whose values follow. */
export interface ReadQuestion {
  readonly question: Question | null;
  readonly qualifiers: Qualifiers | null;
  /** Token after it. */
  readonly next: number;
}

export class QuestionReader {
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /**
   * Reads the question at token `at`, which is a word.
   *
   * @param last qualifiers of the question before, which a value alone takes over
   * @throws FilterError
   */
  read(tokens: readonly Token[], at: number, last: Qualifiers | null): ReadQuestion {
    const first = tokens[at]!;
    const second = tokens[at + 1]!;
    const whole = (question: Question, next: number): ReadQuestion => ({ question, qualifiers: null, next });
    if (first.text === 'less' || first.text === 'greater') {
      const limit = this.number(second, 0xffff_ffff, `a length in bytes follows '${first.text}'`);
      const range = first.text === 'less' ? { first: 0, last: limit } : { first: limit, last: 0xffff_ffff };
      return whole({ kind: 'length', ...range }, at + 2);
    }
    if (first.text === 'vlan') {
      if (numberOf(second.text) === null) return whole({ kind: 'vlan', id: null }, at + 1);
      return whole({ kind: 'vlan', id: this.number(second, VLAN_ID_MAX, 'a VLAN has a number') }, at + 2);
    }
    if (isCast(first.text)) return whole({ kind: 'group', of: 'ether', cast: first.text }, at + 1);

    const named = PROTOCOLS.includes(first.text) || first.text === 'ether';
    const protocol = named ? (first.text as ProtocolName | 'ether') : 'any';
    if (named && isCast(second.text)) return whole(this.group(protocol, second.text, first, second), at + 2);
    const [direction, afterDirection] = this.direction(tokens, named ? at + 1 : at);
    const kindToken = tokens[afterDirection]!;
    const kind = KINDS.includes(kindToken.text) ? (kindToken.text as Qualifiers['kind']) : null;
    if (kind !== null || direction !== null) {
      const qualifiers: Qualifiers = { protocol, direction: direction ?? 'either', kind: kind ?? 'host' };
      const next = kind === null ? afterDirection : afterDirection + 1;
      const last = tokens[next - 1]!;
      this.checkQualifiers(qualifiers, direction !== null, { at: first.at, length: last.at + last.length - first.at });
      return { question: null, qualifiers, next };
    }
    if (named) {
      if (protocol === 'ether')
        throw this.error(
          first,
          "'ether' asks nothing yet",
          "write 'ether host 02:00:00:00:00:01' or 'ether proto 0x800'",
        );
      return whole({ kind: 'protocol', name: protocol as ProtocolName }, at + 1);
    }
    if (last !== null && isValue(first.text)) return { question: null, qualifiers: last, next: at };
    throw this.unknown(first);
  }

  /**
   * Reads the value at token `at` for its qualifiers.
   *
   * @throws FilterError
   */
  readValue(
    tokens: readonly Token[],
    at: number,
    { protocol, direction, kind }: Qualifiers,
  ): { question: Question; next: number } {
    const token = tokens[at]!;
    const { text } = token;
    const complain = (remedy: string): FilterError =>
      this.error(token, token.kind === 'word' ? `'${text}' is no ${kind}` : `a ${kind} is missing`, remedy);
    if (token.kind !== 'word') throw complain(`write a value after '${kind}'`);
    if (kind === 'proto') return { question: this.protocolNumber(token, protocol), next: at + 1 };
    if (kind === 'port' || kind === 'portrange') {
      const range = portsOf(text);
      if (range === null)
        throw complain('write a number from 0 to 65535, or two of them joined by - (names are not looked up)');
      if (kind === 'port' && text.includes('-')) throw complain(`write 'portrange ${text}'`);
      const of = protocol as 'any' | 'tcp' | 'udp' | 'sctp';
      return { question: { kind: 'ports', of, direction, first: range[0], last: range[1] }, next: at + 1 };
    }
    const mac = parseMac(text);
    if (protocol === 'ether') {
      if (mac === null) throw complain("'ether' wants an address such as 02:00:00:00:00:01");
      return { question: { kind: 'mac', direction, mac }, next: at + 1 };
    }
    if (mac !== null && hostOf(text) === null) throw complain(`write 'ether host ${text}'`);
    const masked = kind === 'net' && tokens[at + 1]!.text === 'mask';
    const address = kind === 'host' ? hostOf(text) : netOf(text, masked ? tokens[at + 2]!.text : null);
    if (address === null)
      throw complain(
        kind === 'host'
          ? netOf(text, null) === null
            ? HOST_REMEDY
            : `write 'net ${text}'`
          : 'write 10.0.0.0/8, 10.1, fe80::/10, or 10.0.0.0 mask 255.0.0.0',
      );
    const stray = strayBits(address);
    if (stray !== null)
      throw complain(
        `bits outside its mask are set; the net is ${stray.length === 4 ? stray.join('.') : text.replace(/.*\//, 'that of /')}`,
      );
    const version = address.bytes.length === 4 ? 4 : 6;
    if (protocol !== 'any' && (protocol === 'ip6') !== (version === 6))
      throw this.error(
        token,
        `'${text}' is an IPv${version} address, which '${protocol}' has none of`,
        `take '${protocol}' away`,
      );
    const of = protocol as 'any' | 'ip' | 'ip6' | 'arp' | 'rarp';
    return { question: { kind: 'address', of, direction, address }, next: masked ? at + 3 : at + 1 };
  }

  /** `src`, `dst`, `src or dst`, `src and dst` at token `at`, and the token after it. */
  private direction(tokens: readonly Token[], at: number): [Direction | null, number] {
    const found = DIRECTIONS[tokens[at]!.text] ?? null;
    if (found === null) return [null, at];
    const link = tokens[at + 1]!.kind;
    const other = DIRECTIONS[tokens[at + 2]?.text ?? ''];
    if ((link !== 'and' && link !== 'or') || other === undefined || other === found) return [found, at + 1];
    // `src or dst 10.0.0.1` is one question; in `src 10.0.0.1 or dst 10.0.0.2` a value stands between.
    return [link === 'or' ? 'either' : 'both', at + 3];
  }

  private checkQualifiers({ protocol, kind }: Qualifiers, directed: boolean, place: Place): void {
    const allowed = {
      host: ['any', 'ether', 'ip', 'ip6', 'arp', 'rarp'],
      net: ['any', 'ip', 'ip6', 'arp', 'rarp'],
      port: ['any', 'tcp', 'udp', 'sctp'],
      portrange: ['any', 'tcp', 'udp', 'sctp'],
      proto: ['any', 'ether', 'ip', 'ip6'],
    }[kind];
    if (!allowed.includes(protocol))
      throw this.error(
        place,
        `'${protocol}' has no ${kind}`,
        kind === 'host' || kind === 'net'
          ? `write '${protocol} and ${kind} ...'`
          : `write ${kind} alone or after ${allowed.slice(1).join(', ')}`,
      );
    if (kind === 'proto' && directed) throw this.error(place, "'proto' has no direction", "take 'src' or 'dst' away");
  }

  private protocolNumber(token: Token, protocol: Qualifiers['protocol']): Question {
    const of = protocol as 'ether' | 'ip' | 'ip6' | 'any';
    const number = (of === 'ether' ? ETHERTYPES : PROTOCOL_NUMBERS)[token.text] ?? numberOf(token.text);
    const [low, high] = of === 'ether' ? [ETHERTYPE_MIN, 0xffff] : [0, 0xff];
    if (number === null || number < low || number > high)
      throw this.error(
        token,
        `'${token.text}' is no protocol of '${of === 'any' ? 'proto' : of}'`,
        `write a number from ${low} to ${high}`,
      );
    return { kind: 'number', of, number };
  }

  private group(
    protocol: Qualifiers['protocol'],
    cast: 'broadcast' | 'multicast',
    first: Token,
    second: Token,
  ): Question {
    const place = { at: first.at, length: second.at + second.length - first.at };
    if (protocol !== 'ether' && (cast === 'broadcast' || (protocol !== 'ip' && protocol !== 'ip6')))
      throw this.error(
        place,
        `'${protocol} ${cast}' cannot be told`,
        "write 'ether broadcast', 'ip multicast' or 'ip6 multicast'",
      );
    return { kind: 'group', of: protocol as 'ether' | 'ip' | 'ip6', cast };
  }

  private number(token: Token, most: number, rule: string): number {
    const value = numberOf(token.text);
    if (value === null || value > most)
      throw this.error(
        token,
        token.kind === 'end' ? 'a number is missing' : `'${token.text}' does not fit`,
        `${rule}, from 0 to ${most}`,
      );
    return value;
  }

  private unknown(token: Token): FilterError {
    if (isValue(token.text)) {
      const kind =
        hostOf(token.text) !== null
          ? 'host'
          : netOf(token.text, null) !== null && /[./]/.test(token.text)
            ? 'net'
            : parseMac(token.text) !== null
              ? 'ether host'
              : 'port';
      return this.error(
        token,
        `'${token.text}' is a value without a question`,
        `say what it is: '${kind} ${token.text}'`,
      );
    }
    const near = nearestWord(token.text, WORDS);
    const remedy = near === null ? `words are: ${WORDS.join(', ')}` : `did you mean '${near}'?`;
    return this.error(token, `'${token.text}' is not known`, remedy);
  }

  private error(place: Place, complaint: string, remedy: string): FilterError {
    return new FilterError(this.text, place, complaint, remedy);
  }
}

function isCast(word: string): word is 'broadcast' | 'multicast' {
  return CASTS.includes(word);
}

/** Whether a word looks like a number, a range, an address or a net. */
function isValue(word: string): boolean {
  return /^\d/.test(word) || (word.includes(':') && /^[\da-f:./]+$/.test(word));
}
