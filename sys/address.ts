/**
 * Socket addresses as 24 canonical bytes: what passes between the kernel, the protocol and the game.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 16 | IPv6 address in network order; IPv4 as `::ffff:a.b.c.d` |
 * | 16 | 2 | port, little-endian |
 * | 18 | 2 | flags, 0 for now |
 * | 20 | 4 | scope id (interface of a link-local address), little-endian |
 *
 * Equal addresses have equal bytes, so they may be compared, hashed and masked without being understood.
 */

/** Bytes of one canonical address. */
export const ADDRESS_BYTES = 24;
const PORT_OFFSET = 16;
const SCOPE_OFFSET = 20;
const IPV4_OFFSET = 12;

/** Whether the address at `offset` is an IPv4 one (mapped). */
export function isIPv4(bytes: Uint8Array, offset = 0): boolean {
  for (let i = 0; i < 10; i++) if (bytes[offset + i] !== 0) return false;
  return bytes[offset + 10] === 0xff && bytes[offset + 11] === 0xff;
}

/** The port of the address at `offset`. */
export function portOf(bytes: Uint8Array, offset = 0): number {
  return bytes[offset + PORT_OFFSET]! | (bytes[offset + PORT_OFFSET + 1]! << 8);
}

/** Whether two addresses are the same, byte for byte. */
export function sameAddress(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  for (let i = 0; i < ADDRESS_BYTES; i++) if (a[aOffset + i] !== b[bOffset + i]) return false;
  return true;
}

/**
 * The canonical bytes of a numeric address: `127.0.0.1`, `::1`, `fe80::1%2`. No names are looked up.
 *
 * Returns null when `host` is not a numeric address or `port` is outside 0 .. 65535.
 */
export function addressOf(host: string, port: number): Uint8Array | null {
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) return null;
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const [numeric, scope] = splitScope(host);
  if (numeric === null) return null;
  if (!(numeric.includes(':') ? writeIPv6(bytes, numeric) : scope === 0 && writeIPv4Mapped(bytes, numeric)))
    return null;
  bytes[PORT_OFFSET] = port & 0xff;
  bytes[PORT_OFFSET + 1] = port >>> 8;
  new DataView(bytes.buffer).setUint32(SCOPE_OFFSET, scope, true);
  return bytes;
}

/** The canonical bytes of `a.b.c.d:port` or `[ipv6]:port`; null when the text is neither. */
export function parseAddress(text: string): Uint8Array | null {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  return addressOf(match[1] ?? match[2]!, Number(match[3]));
}

/** The host part as text: `a.b.c.d`, or the shortest form of an IPv6 address (RFC 5952), with `%scope` if it has one. */
export function formatHost(bytes: Uint8Array, offset = 0): string {
  if (isIPv4(bytes, offset)) return bytes.slice(offset + IPV4_OFFSET, offset + PORT_OFFSET).join('.');
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push((bytes[offset + i * 2]! << 8) | bytes[offset + i * 2 + 1]!);
  let bestStart = -1;
  let bestLength = 1; // a single zero group is not shortened (RFC 5952 4.2.2)
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((g) => g.toString(16))
      .join(':');
  const text = bestStart < 0 ? hex(0, 8) : `${hex(0, bestStart)}::${hex(bestStart + bestLength, 8)}`;
  const scope = new DataView(bytes.buffer, bytes.byteOffset + offset, ADDRESS_BYTES).getUint32(SCOPE_OFFSET, true);
  return scope === 0 ? text : `${text}%${scope}`;
}

/** The address as text: `a.b.c.d:port` or `[ipv6]:port`. */
export function formatAddress(bytes: Uint8Array, offset = 0): string {
  const host = formatHost(bytes, offset);
  return isIPv4(bytes, offset) ? `${host}:${portOf(bytes, offset)}` : `[${host}]:${portOf(bytes, offset)}`;
}

function splitScope(host: string): [string | null, number] {
  const percent = host.indexOf('%');
  if (percent < 0) return [host, 0];
  const scope = host.slice(percent + 1);
  if (!/^\d{1,10}$/.test(scope) || Number(scope) > 0xffff_ffff) return [null, 0];
  return [host.slice(0, percent), Number(scope)];
}

function writeIPv4Mapped(bytes: Uint8Array, text: string): boolean {
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  return writeIPv4(bytes, IPV4_OFFSET, text);
}

function writeIPv4(bytes: Uint8Array, offset: number, text: string): boolean {
  const parts = text.split('.');
  if (parts.length !== 4) return false;
  for (let i = 0; i < 4; i++) {
    const part = parts[i]!;
    // No leading zeros: some systems read them as octal, and then two programs dial two hosts (RFC 6943 3.1.1).
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return false;
    bytes[offset + i] = Number(part);
  }
  return true;
}

function writeIPv6(bytes: Uint8Array, text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const head = groupsOf(halves[0]!);
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (head === null || tail === null) return false;
  const given = head.length + tail.length;
  if (halves.length === 2 ? given > 7 : given !== 8) return false;
  const groups = [...head, ...new Array<number>(8 - given).fill(0), ...tail];
  for (let i = 0; i < 8; i++) {
    bytes[i * 2] = groups[i]! >>> 8;
    bytes[i * 2 + 1] = groups[i]! & 0xff;
  }
  return true;
}

/** The 16-bit groups of one side of `::`; a dotted IPv4 tail counts as two. Null when it is not that. */
function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.') && index === parts.length - 1) {
      const four = new Uint8Array(4);
      if (!writeIPv4(four, 0, part)) return null;
      groups.push((four[0]! << 8) | four[1]!, (four[2]! << 8) | four[3]!);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}
