/** The part of `doctor` about the ways to the network: each of them, the choice, the interfaces. */

import type { BackendReports } from '../../sys/backend-report.ts';
import type { InterfaceReport } from '../../sys/xdp/interface-report.ts';
import { GREEN, mark, YELLOW } from './doctor-mark.ts';

/** Under the texts: behind the mark and its two spaces. */
const INDENT_COLUMNS = 9;

/**
 * Lines of text.
 *
 * @param asked what TICKWIRE_SYS names; '' where it is not set
 */
export function backendLines({ backends, auto, interfaces }: BackendReports, asked: string, colour: boolean): string[] {
  const width = Math.max(...backends.map(({ backend }) => backend.length));
  const lines = ['', 'ways to the network (the option `sys`):'];
  for (const { backend, ok, found, remedy } of backends) {
    const chosen = backend === auto.backend ? '  <- auto' : '';
    lines.push(
      `${mark(ok ? 'ok' : 'missing', ok ? GREEN : YELLOW, colour)}  ${backend.padEnd(width)}  ${found}${chosen}`,
    );
    if (remedy !== '') lines.push(`${' '.repeat(INDENT_COLUMNS + width + 2)}remedy: ${remedy}`);
  }
  lines.push(`auto takes ${auto.backend}: ${auto.why}`);
  if (asked !== '') lines.push(`TICKWIRE_SYS asks for ${asked}, wherever no option does`);
  if (interfaces.length > 0) lines.push('', 'interfaces, for packet and xdp:', ...interfaceLines(interfaces));
  return [...lines, ''];
}

function interfaceLines(interfaces: readonly InterfaceReport[]): string[] {
  const width = Math.max(...interfaces.map(({ name }) => name.length));
  return interfaces.map((at) => `${at.name.padEnd(width)}  ${at.unfit === '' ? describe(at) : at.unfit}`);
}

function describe({ addresses, mtuBytes, queues, mode, zeroCopy, isDefault, attached }: InterfaceReport): string {
  const words = [
    `${queues} ${queues === 1 ? 'queue' : 'queues'}`,
    `MTU ${mtuBytes}`,
    MODES[mode],
    zeroCopy === null ? '' : zeroCopy ? 'zero-copy' : 'frames are copied',
    attached ? 'HAS AN XDP PROGRAM ALREADY' : '',
    addresses.length === 0 ? 'no address' : addresses.join(' '),
  ];
  return words.filter(Boolean).join(', ') + (isDefault ? '  <- for a server bound to all addresses' : '');
}

const MODES: Readonly<Record<InterfaceReport['mode'], string>> = {
  native: 'xdp native (in the driver)',
  generic: 'xdp generic (the driver has none)',
  untold: 'xdp native or generic, this kernel does not tell (6.3 does)',
};
