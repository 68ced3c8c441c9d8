/**
 * Canonical addresses as the texts that node:dgram speaks, and back, each remembered: a game talks to the same peers for
 * minutes, and formatting an address costs as much as sending to it.
 */

import { networkInterfaces } from 'node:os';
import { ADDRESS_BYTES, addressOf, formatHost, isIPv4 } from '../address.ts';

/** Addresses remembered in each direction. Beyond it, the eldest (or whoever hashes alike) is formatted again. */
const REMEMBERED_MAX = 1024; // a power of two
const SCOPE_OFFSET = 20;

/** Translates addresses for all sockets of one `Sys`. */
export class HostTexts {
  private readonly bytesOf = new Map<string, Uint8Array>();
  private readonly known = new Uint8Array(REMEMBERED_MAX * ADDRESS_BYTES);
  private readonly texts: (string | null)[] = new Array<string | null>(REMEMBERED_MAX).fill(null);

  /**
   * Writes the canonical bytes of `host` and `port`, as node:dgram reports a sender, to `into` at `at`.
   * Returns false for a text that is no address, which node:dgram never reports.
   */
  write(into: Uint8Array, at: number, host: string, port: number): boolean {
    let bytes = this.bytesOf.get(host);
    if (bytes === undefined) {
      const parsed = addressOf(withScopeNumber(host), 0);
      if (parsed === null) return false;
      if (this.bytesOf.size >= REMEMBERED_MAX) this.bytesOf.clear();
      bytes = parsed;
      this.bytesOf.set(host, bytes);
    }
    into.set(bytes, at);
    into[at + 16] = port & 0xff;
    into[at + 17] = port >>> 8;
    return true;
  }

  /**
   * The host of the canonical address at `at` for a socket of the family: `::ffff:a.b.c.d` where an IPv6 socket reaches
   * an IPv4 peer. Null where an IPv4 socket is asked to reach IPv6.
   */
  text(bytes: Uint8Array, at: number, ipv6Socket: boolean): string | null {
    const place = slotOf(bytes, at);
    const start = place * ADDRESS_BYTES;
    let text = this.texts[place]!;
    if (text === null || !this.matches(start, bytes, at)) {
      text = formatHost(bytes, at);
      const percent = text.indexOf('%');
      if (percent > 0) text = text.slice(0, percent + 1) + zoneOf(Number(text.slice(percent + 1)));
      this.texts[place] = text;
      for (let i = 0; i < ADDRESS_BYTES; i++) this.known[start + i] = bytes[at + i]!;
    }
    if (!isIPv4(bytes, at)) return ipv6Socket ? text : null;
    return ipv6Socket ? `::ffff:${text}` : text;
  }

  /** Whether the remembered address is this one; ports may differ, the text has none. */
  private matches(start: number, bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < 16; i++) if (this.known[start + i] !== bytes[at + i]) return false;
    for (let i = SCOPE_OFFSET; i < ADDRESS_BYTES; i++) if (this.known[start + i] !== bytes[at + i]) return false;
    return true;
  }
}

/** FNV-1a over the host: who chooses his address to collide gains a formatting, nothing else. */
function slotOf(bytes: Uint8Array, at: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < 16; i++) hash = Math.imul(hash ^ bytes[at + i]!, 0x01000193);
  return (hash ^ (hash >>> 16)) & (REMEMBERED_MAX - 1);
}

/** `fe80::1%eth0` as `fe80::1%2`: POSIX systems report interface names, canonical addresses hold numbers. */
function withScopeNumber(host: string): string {
  const percent = host.indexOf('%');
  if (percent < 0) return host;
  const zone = host.slice(percent + 1);
  if (/^\d+$/.test(zone)) return host;
  const scope = networkInterfaces()[zone]?.find((entry) => entry.family === 'IPv6' && entry.scopeid > 0);
  return scope?.family === 'IPv6' ? `${host.slice(0, percent)}%${scope.scopeid}` : host.slice(0, percent);
}

/** The zone text of an interface number: Windows wants the number, POSIX systems the name. */
function zoneOf(scope: number): string {
  if (process.platform === 'win32') return String(scope);
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    if (entries?.some((entry) => entry.family === 'IPv6' && entry.scopeid === scope)) return name;
  }
  return String(scope);
}
