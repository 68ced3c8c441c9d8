/** A server and a client over the node:dgram floor, no koffi needed. Runs under Wine too. */

import { describeEngineOver } from './over-backend.ts';

describeEngineOver('dgram', 'dgram');
