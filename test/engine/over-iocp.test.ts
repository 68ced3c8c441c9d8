/** A server and a client over completion ports. Runs under Wine. */

import { describe } from 'vitest';
import { library } from '../../sys/ffi/library.ts';
import { describeEngineOver } from './over-backend.ts';

if (process.platform === 'win32' && library() !== null) describeEngineOver('udp', 'iocp');
else describe.skip('the engine over iocp (needs koffi on Windows)', () => {});
