/** Boots a game module in a worker of a group: as the ordinary boot module does, with a member in its context. */

import { noteDescriptors } from '../../sys/index.ts';
import type { Runtime } from '../executor/runtime.ts';
import type { TaskBody } from '../executor/task.ts';
import type { BootedWorker, WorkerRequest } from '../executor/worker-boot.ts';
import { startGame } from '../executor/worker-game.ts';
import { createHost } from '../host.ts';
import { openContext } from '../open.ts';
import { Member, type Membership } from './member.ts';
import { PULSE_MICROS } from './timing.ts';

/** `args` of a worker of a group. */
export interface GroupArgs {
  readonly membership: Membership;
  /** For the game. */
  readonly args: unknown;
}

/** See `BootModule`. */
export function boot(request: WorkerRequest): BootedWorker {
  const { membership, args } = request.args as GroupArgs;
  noteDescriptors(membership.descriptors);
  const context = openContext(membership.sys);
  const member = new Member(membership, () => context.sys.clock.unixSeconds());
  context.runtime.spawn(beat(context.runtime, member), 'pulse');
  const host = createHost(request.name, { ...context, member });
  return { runtime: context.runtime, started: startGame({ ...request, args }, host) };
}

function* beat(runtime: Runtime, member: Member): TaskBody<void> {
  for (;;) {
    member.beat();
    yield* runtime.sleepUntil(runtime.now + PULSE_MICROS);
  }
}
