/**
 * A Wireshark dissector in Lua, generated from the table of frames: for captures of the simulator (both of their interfaces)
 * and for those of a real network, where packets show their headers and no more, since nobody else has the keys.
 */

import { FRAMES, type FrameField, type FrameRow } from '../../transport/wire/frame-table.ts';
import { FRAGMENT_BYTES } from '../../transport/wire/frame-types.ts';
import { SERVER_PORT } from '../scenario/scenario.ts';
import { DISSECTOR_CORE } from './dissector-core.ts';
import { PACKET_KINDS } from './packet-opener.ts';
import { OPENED_HEADER_BYTES, OPENED_HEADER_VERSION } from './pcap-sink.ts';

/** The script: `wireshark -X lua_script:tickwire.lua`, or a file in its folder of plugins. */
export function dissectorText(): string {
  const kinds = PACKET_KINDS.map((kind, number) => `[${number}] = ${quoted(kind)}`).join(', ');
  return [
    '-- Wireshark dissector for tickwire, printed by `sim dissector`. Generated: change transport/wire/frame-table.ts instead.',
    '--   wireshark -X lua_script:tickwire.lua out.pcapng',
    '--   tshark -r out.pcapng -X lua_script:tickwire.lua -Y tickwire.messages',
    '',
    `local KINDS = { ${kinds} }`,
    `local FRAGMENT_BYTES = ${FRAGMENT_BYTES}`,
    `local HEADER_BYTES, HEADER_VERSION = ${OPENED_HEADER_BYTES}, ${OPENED_HEADER_VERSION}`,
    `local PORT = ${SERVER_PORT}`,
    'local FRAMES = {',
    ...FRAMES.map(rowText),
    '}',
    DISSECTOR_CORE.trim(),
    '',
  ].join('\n');
}

function rowText({ name, first, last, meaning, fields, items }: FrameRow): string {
  const count = items?.count;
  const itemsText =
    items === undefined || count === undefined
      ? ''
      : `, items = { name = ${quoted(items.name)}, ${'field' in count ? `field = ${quoted(count.field)}` : `more = ${count.more}`}, ` +
        `fields = ${fieldsText(items.fields)} }`;
  return (
    `  { name = ${quoted(name)}, first = ${first}, last = ${last}, meaning = ${quoted(meaning)},\n` +
    `    fields = ${fieldsText(fields)}${itemsText} },`
  );
}

function fieldsText(fields: readonly FrameField[]): string {
  const each = fields.map(
    ({ name, form, meaning }) => `{ name = ${quoted(name)}, form = ${quoted(form)}, meaning = ${quoted(meaning)} }`,
  );
  return each.length === 0 ? '{}' : `{ ${each.join(', ')} }`;
}

/** What JSON makes of plain text, Lua reads as the same text. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
