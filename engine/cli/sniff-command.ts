/** The options of `tickwire sniff`. */

import { type Command, InvalidArgumentError } from 'commander';
import type { SniffOptions } from './sniff.ts';
import type { Terminal } from './terminal.ts';

/** A day. */
const SECONDS_MAX = 86_400;
/** A terminal has fewer lines. */
const ROWS_MAX = 1000;

interface Commands {
  sniff(options: SniffOptions, terminal: Terminal): Promise<number>;
}

export function addSniff(program: Command, terminal: Terminal, commands: Commands, exit: (code: number) => void): void {
  program
    .command('sniff')
    .description('watch the packets of an interface, or of a pcapng file: flows, loss, what is out of the ordinary')
    .option('--interface <name>', 'watch this interface (Ethernet or loopback; needs the right CAP_NET_RAW)')
    .option('--read <file>', 'read this pcapng file instead')
    .option('--filter <text>', "watch only what passes, in tcpdump's language", '')
    .option('--write <file>', 'write what was watched to this pcapng file')
    .option('--seconds <n>', 'stop after so many seconds; 0: run until SIGINT', whole(0, SECONDS_MAX), 0)
    .option('--rows <n>', 'flows to show, the busiest first', whole(1, ROWS_MAX), 20)
    .option('--promiscuous', 'take frames for other machines too', false)
    .option('--json', 'print nothing but one object at the end, with every flow', false)
    .addHelpText(
      'after',
      `
On a terminal a table is redrawn each second, elsewhere a line a second is printed; a summary with what the kernel had to
drop ends both. Packets of netcode are encrypted: what is seen of them is their types and numbers (so loss, by the
gaps), the handshake's round trips, and bytes answered before a client proved its address. On loopback each
packet passes twice, leaving and arriving: the one that arrives is watched.

Exit codes: 0 ok, 1 the interface went down, the disk is full or the file is broken (what was seen is told, what was
written is whole), 2 the command line or the filter is wrong, 3 a right or a system call is missing.

Examples:
  $ sudo npx tickwire sniff --interface lo --filter "udp port 40000" --write play.pcapng
  $ npx tickwire sniff --read play.pcapng --json | jq '.flows[] | {from, to, loss: .back.numbers.lossShare}'`,
    )
    .action(async (options: SniffOptions) => {
      exit(await commands.sniff(options, terminal));
    });
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`give a whole number from ${min} to ${max}.`);
    return value;
  };
}
