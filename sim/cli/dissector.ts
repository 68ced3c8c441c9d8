/** `sim dissector`: the Wireshark dissector, for whoever opens a capture. */

import { Command } from 'commander';
import { dissectorText } from '../capture/dissector.ts';

export const dissectorCommand: Command = new Command('dissector')
  .description('print a Wireshark dissector in Lua, for captures of `sim run --pcap` and of real networks')
  .addHelpText(
    'after',
    '\nExample:\n' +
      '  npm run --silent sim -- dissector > tickwire.lua\n' +
      '  npm run sim -- run --loss 5 --seconds 10 --pcap out.pcapng\n' +
      '  wireshark -X lua_script:tickwire.lua out.pcapng',
  )
  .action(() => void process.stdout.write(dissectorText()));
