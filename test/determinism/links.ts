/** One digest over the worlds of all golden links, as the Node that runs this gives them: for `nodes.ts`. */

import { createHash } from 'node:crypto';
import { GOLDEN_LINKS, runGolden } from '../sim/link/golden-links.ts';

const all = createHash('sha256');
let packetsSent = 0;
for (const { link } of GOLDEN_LINKS) {
  const { digest, stats } = await runGolden(link);
  all.update(digest);
  packetsSent += stats.sent;
}
process.stdout.write(`${JSON.stringify({ digest: all.digest('hex').slice(0, 32), packetsSent })}\n`);
