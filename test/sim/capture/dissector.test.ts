// The dissector and the table of frames, over golden vectors: what one cannot read, the other cannot.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dissectorText } from '../../../sim/capture/dissector.ts';
import { readPayload } from '../../../sim/capture/frames.ts';
import { withIpHeaders } from '../../../sim/capture/ip-headers.ts';
import { OPENED_HEADER_BYTES } from '../../../sim/capture/pcap-sink.ts';
import { addressOf } from '../../../sys/api.ts';
import {
  enhancedPacket,
  interfaceDescription,
  LINKTYPE_RAW,
  LINKTYPE_USER0,
  sectionHeader,
} from '../../../sys/pcapng/blocks.ts';

const found = spawnSync('tshark', ['--version'], { encoding: 'utf8' });
const missing = found.status === 0 ? '' : ' (skipped: tshark is not installed, `apt-get install tshark`)';

interface Vectors {
  readonly cases: { steps: { hex: string }[] }[];
  readonly acks: { hex: string }[];
}

it.skipIf(missing !== '')(
  `the dissector reads each golden vector as the table does${missing}`,
  () => {
    const vectors = JSON.parse(
      readFileSync(new URL('../../vectors/transport-1.json', import.meta.url), 'utf8'),
    ) as Vectors;
    const payloads = [...vectors.cases.flatMap(({ steps }) => steps), ...vectors.acks].map(({ hex }) =>
      Uint8Array.from(Buffer.from(hex, 'hex')),
    );
    const rows = read(
      payloads.map((payload) => {
        const bytes = new Uint8Array(OPENED_HEADER_BYTES + payload.length);
        bytes.set([1, 0, 5]);
        bytes.set(payload, OPENED_HEADER_BYTES);
        return enhancedPacket(0, 0, 1, bytes, 0, []);
      }),
      LINKTYPE_USER0,
      ['tickwire.malformed', 'tickwire.frame', 'tickwire.keyed.key', 'tickwire.ack.more.run', 'tickwire.ids.id'],
    );
    const expected = payloads.map((payload) => {
      const { frames, whole } = readPayload(payload);
      const items = (row: string, name: string) =>
        frames.filter((frame) => frame.row.name === row).flatMap((frame) => frame.items.map((item) => item[name]!));
      return {
        whole,
        types: frames.map(({ type }) => `0x${type.toString(16).padStart(2, '0')}`),
        keys: items('keyed', 'key').join(),
        runs: items('ack', 'run').join(),
        ids: items('ids', 'id')
          .map((id) => Buffer.from(id as Uint8Array).toString('hex'))
          .join(),
      };
    });
    expect(rows.length).toBe(payloads.length);
    for (const [i, { whole, types, keys, runs, ids }] of expected.entries()) {
      const [malformed, shown, ...values] = rows[i]!;
      expect(malformed === '', Buffer.from(payloads[i]!).toString('hex')).toBe(whole);
      // Of a frame that is cut off the dissector shows what there is.
      expect(shown!.split(',').slice(0, types.length).join()).toBe(types.join());
      if (whole) expect(values).toEqual([keys, runs, ids]);
    }
  },
  60_000,
);

it.skipIf(missing !== '')(
  `headers of both versions of IP have checksums that are right${missing}`,
  () => {
    const four = [addressOf('10.0.0.1', 40_000)!, addressOf('10.255.3.2', 65_535)!];
    const six = [addressOf('fd00::1', 1)!, addressOf('fd00::1:2', 40_000)!];
    const packets = [four, six].flatMap(([from, to]) =>
      [0, 1, 2, 1_199].map((length) => {
        const datagram = Uint8Array.from({ length }, (_, i) => 255 - (i % 7));
        return enhancedPacket(0, 0, 1_750_000_000, withIpHeaders(datagram, Buffer.concat([from!, to!]), 70_001), 0, []);
      }),
    );
    const rows = read(packets, LINKTYPE_RAW, [
      'ip.checksum.status',
      'udp.checksum.status',
      'udp.length',
      'ipv6.dst',
      'ip.dst',
    ]);
    expect(rows.map(([ip, udp]) => [ip, udp])).toEqual([...Array(4).fill(['1', '1']), ...Array(4).fill(['', '1'])]);
    expect(rows[3]!.slice(2)).toEqual(['1207', '', '10.255.3.2']);
    expect(rows[7]!.slice(2)).toEqual(['1207', 'fd00::1:2', '']);
  },
  60_000,
);

function read(blocks: Uint8Array[], linkType: number, fields: string[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-dissector-'));
  try {
    const file = join(folder, 'out.pcapng');
    const lua = join(folder, 'tickwire.lua');
    writeFileSync(file, Buffer.concat([sectionHeader('test'), interfaceDescription(linkType, 'i', 'd'), ...blocks]));
    writeFileSync(lua, dissectorText());
    const text = execFileSync(
      'tshark',
      [
        ...['-r', file, '-X', `lua_script:${lua}`, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
        ...['-o', 'ip.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'],
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: folder } },
    );
    return text
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => line.split('\t'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
