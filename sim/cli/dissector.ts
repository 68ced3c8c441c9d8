/** `sim dissector`: the Wireshark dissector, for whoever opens a capture. */

import { Command } from 'commander';
import { dissectorText } from '../capture/dissector.ts';
import { SIM, SIM_SILENT } from './spoken.ts';

export const dissectorCommand: Command = new Command('dissector')
  .description('print a Wireshark dissector in Lua, for captures of `sim run --pcap` and of real networks')
  .addHelpText(
    'after',
    '\nExample:\n' +
      `  ${SIM_SILENT} dissector > tickwire.lua\n` +
      `  ${SIM} run --loss 5 --seconds 10 --pcap out.pcapng\n` +
      '  wireshark -X lua_script:tickwire.lua out.pcapng',
  )
  .action(() => void process.stdout.write(dissectorText()));
