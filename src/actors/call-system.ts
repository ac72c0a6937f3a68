/**
 * The actor system of all calls: one root actor, whose children they are. It starts and stops them, and an error in one
 * of them is an invariant that broke: the root fails with it, and XState throws it out of the next turn.
 */
import { type ActorLogic, type ActorRefFrom, type AnyActorRef, createActor, type Snapshot } from 'xstate'

type RootSnapshot = Snapshot<undefined>
type RootMessage =
  | { readonly type: 'stop'; readonly child: AnyActorRef }
  | { readonly type: `xstate.error.actor.${string}`; readonly error: unknown }
type RootLogic = ActorLogic<RootSnapshot, RootMessage>

const active: RootSnapshot = { status: 'active', output: undefined, error: undefined }

const rootLogic: RootLogic = {
  getInitialSnapshot: () => active,
  getPersistedSnapshot: (state) => state,
  transition(state, message, { stopChild }) {
    if (message.type === 'stop') stopChild(message.child)
    else if (message.type.startsWith('xstate.error.')) throw message.error
    return state
  },
}

export class CallSystem {
  readonly root: ActorRefFrom<RootLogic> = createActor(rootLogic, { id: 'calls' }).start()

  stop(child: AnyActorRef): void {
    this.root.send({ type: 'stop', child })
  }
}
