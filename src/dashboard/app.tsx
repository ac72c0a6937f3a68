/** The frame of the page: who is looking, where they are, how fresh the picture is, and what the keys do. */
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import { FloorWatch } from './feed/floor-watch.js'
import { NotSignedIn, type Refusal, Session } from './feed/session.js'
import { TranscriptSearch } from './feed/transcript-search.js'
import { useKeys } from './keys.js'
import type { Need } from './model/attention.js'
import { firstQuery, listOf } from './model/call-list.js'
import type { CallRecord } from './model/call-record.js'
import { useDrawnOrder, useHold } from './parts/hold.js'
import { useMedia } from './parts/hooks.js'
import { chooseNextTheme } from './parts/theme.js'
import { callHash, type Place, placeHash, type Route, routeOf } from './route.js'
import { CallPanel } from './views/call-panel.js'
import { CallsView } from './views/calls-view.js'
import { Figures } from './views/figures.js'
import { FloorView } from './views/floor-view.js'
import { FreshnessBanner } from './views/freshness.js'
import { Header } from './views/header.js'
import { Help } from './views/help.js'
import { type NeedsFilter, NeedsView, shownNeeds } from './views/needs-view.js'
import { SignIn } from './views/sign-in.js'

/** Ages go on when nothing comes, and a tab that slept must notice that its picture is old. */
const tickMs = 500

type Access = 'asking' | 'needed' | 'granted' | { readonly refused: Refusal }

export function App() {
  const [access, setAccess] = useState<Access>('asking')
  const session = useMemo(() => {
    const made: Session = new Session((refused) => setAccess(made.hasToken ? { refused } : 'needed'))
    return made
  }, [])
  const ask = useCallback(() => {
    setAccess('asking')
    session.read('v1/floor').then(
      () => setAccess('granted'),
      (error: unknown) => {
        // Not to be reached is not the same as refused: the page shows what is wrong and tries again by itself.
        if (!(error instanceof NotSignedIn)) setAccess('granted')
      },
    )
  }, [session])
  useEffect(ask, [ask])

  if (access === 'asking') return <p class="starting">Asking the service…</p>
  if (access !== 'granted')
    return (
      <SignIn
        refused={access === 'needed' ? null : access.refused}
        signIn={(token, isKept) => {
          session.signIn(token, isKept)
          ask()
        }}
      />
    )
  const signOut = () => {
    session.signOut()
    ask()
  }
  return <Floor session={session} signOut={session.hasToken ? signOut : null} />
}

function useFloor(session: Session): FloorWatch {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const frame = useRef(0)
  const watch = useMemo(() => {
    // However many messages come, the page is drawn once a frame.
    const changed = () => {
      if (frame.current !== 0) return
      frame.current = requestAnimationFrame(() => {
        frame.current = 0
        redraw(0)
      })
    }
    return new FloorWatch(session, storage(), changed)
  }, [session])
  useEffect(() => {
    watch.start()
    const timer = setInterval(() => redraw(0), tickMs)
    const woken = () => {
      redraw(0)
      if (document.visibilityState === 'visible') watch.retryNow()
    }
    document.addEventListener('visibilitychange', woken)
    addEventListener('online', woken)
    return () => {
      watch.stop()
      clearInterval(timer)
      document.removeEventListener('visibilitychange', woken)
      removeEventListener('online', woken)
    }
  }, [watch])
  return watch
}

function useTranscriptSearch(session: Session, words: string): TranscriptSearch {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const search = useMemo(
    () =>
      new TranscriptSearch(
        (path) => session.read(path),
        () => redraw(0),
      ),
    [session],
  )
  useEffect(() => search.ask(words), [search, words])
  useEffect(() => () => search.stop(), [search])
  return search
}

function storage(): Storage | null {
  try {
    return localStorage
  } catch {
    // Forbidden by the browser.
    return null
  }
}

function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash, 'needs'))
  useEffect(() => {
    const listener = () => setRoute((before) => routeOf(location.hash, before.place))
    addEventListener('hashchange', listener)
    return () => removeEventListener('hashchange', listener)
  }, [])
  return route
}

const idOfCall = ({ id }: CallRecord) => id
const idOfNeed = ({ call }: Need) => call.id
const focusSearch = () => document.querySelector<HTMLInputElement>('#search')?.focus()
const goTo = (hash: string) => {
  location.hash = hash
}

function Floor({ session, signOut }: { readonly session: Session; readonly signOut: (() => void) | null }) {
  const watch = useFloor(session)
  const { place, callId } = useRoute()
  const [query, setQuery] = useState(firstQuery)
  const isInWords = query.searchIn === 'words'
  const search = useTranscriptSearch(session, isInWords ? query.search : '')
  const [needsFilter, setNeedsFilter] = useState<NeedsFilter>('all')
  const [isHelpShown, setHelpShown] = useState(false)
  const [cursorId, setCursorId] = useState<string | null>(null)
  const isNarrow = useMedia('(max-width: 759px)')
  const wantsSearch = useRef(false)
  const hold = useHold()
  const needsOrder = useDrawnOrder(idOfNeed)
  const callsOrder = useDrawnOrder(idOfCall)
  useEffect(() => {
    // The field is there only once the list is.
    if (place === 'calls' && wantsSearch.current) focusSearch()
    wantsSearch.current = false
  }, [place])
  const now = watch.now()
  const freshness = watch.freshness()

  const allNeeds = watch.needs()
  const openNeeds = shownNeeds(allNeeds, watch.acknowledgements, 'all')
  const isHeld = hold.isHeld() && watch.picture.isComplete
  const listedNeeds = place === 'needs' ? shownNeeds(allNeeds, watch.acknowledgements, needsFilter) : []
  const needs = needsOrder.next({ items: listedNeeds, all: allNeeds }, { isHeld, asked: needsFilter })
  const listedCalls = place === 'calls' && !isInWords ? listOf(watch.picture.calls.values(), query) : []
  const calls = callsOrder.next({ items: listedCalls, all: listedCalls }, { isHeld, asked: query })
  const found = place === 'calls' && search.found.kind === 'found' ? search.found.calls : []
  const ids =
    place === 'needs'
      ? needs.items.map(idOfNeed)
      : isInWords
        ? found.map(({ call_id }) => call_id)
        : calls.items.map(idOfCall)
  const cursor = cursorId === null ? -1 : ids.indexOf(cursorId)
  const open = (id: string) => {
    setCursorId(id)
    goTo(callHash(id))
  }
  const close = () => goTo(placeHash(place))
  const move = (by: number) => {
    const next = ids[Math.min(ids.length - 1, Math.max(0, cursor === -1 ? 0 : cursor + by))]
    if (next === undefined) return
    setCursorId(next)
    // With a call open beside the list the list leafs through the calls.
    if (callId !== null) location.replace(callHash(next))
  }
  const acknowledge = (need: Need) => {
    const at = ids.indexOf(need.call.id)
    watch.acknowledgements.add(need)
    setCursorId(ids[at + 1] ?? ids[at - 1] ?? null)
  }
  useKeys({
    move,
    open: () => cursorId !== null && cursor >= 0 && open(cursorId),
    escape: () => (isHelpShown ? setHelpShown(false) : callId !== null && close()),
    go: (to: Place) => goTo(placeHash(to)),
    search: () => {
      if (place === 'calls') return focusSearch()
      wantsSearch.current = true
      goTo(placeHash('calls'))
    },
    acknowledge: () => {
      const need = place === 'needs' ? needs.items[cursor] : undefined
      if (need !== undefined && !watch.acknowledgements.covers(need)) acknowledge(need)
    },
    help: () => setHelpShown((shown) => !shown),
    theme: chooseNextTheme,
  })

  const isOld = freshness.kind === 'stale' || freshness.kind === 'offline'
  return (
    <div class={isOld ? 'frame is-old' : 'frame'}>
      <Header
        place={place}
        freshness={freshness}
        needCount={openNeeds.length}
        urgentCount={openNeeds.filter(({ concerns }) => concerns[0].level === 3).length}
        callCount={watch.picture.count('IN_PROGRESS')}
        showHelp={() => setHelpShown(true)}
        signOut={signOut}
      />
      <FreshnessBanner
        freshness={freshness}
        hasPicture={watch.picture.wasComplete}
        retry={() => watch.retryNow()}
      />
      <div class={callId === null ? 'content' : 'content has-panel'}>
        <main class="main" id="main">
          {place !== 'calls' && <Figures picture={watch.picture} trend={watch.trend} />}
          {place === 'needs' && (
            <NeedsView
              all={allNeeds}
              unacknowledged={openNeeds}
              needs={needs}
              hold={hold}
              isHeld={isHeld}
              acknowledgements={watch.acknowledgements}
              filter={needsFilter}
              setFilter={setNeedsFilter}
              cursor={cursor}
              callCount={watch.picture.calls.size}
              isLoading={!watch.picture.wasComplete}
              now={now}
              isNarrow={isNarrow}
              open={({ call }) => open(call.id)}
              acknowledge={acknowledge}
            />
          )}
          {place === 'calls' && (
            <CallsView
              calls={calls}
              hold={hold}
              isHeld={isHeld}
              search={search}
              picture={watch.picture}
              query={query}
              setQuery={setQuery}
              cursor={cursor}
              now={now}
              isNarrow={isNarrow}
              open={open}
            />
          )}
          {place === 'floor' && <FloorView session={session} picture={watch.picture} />}
        </main>
        {callId !== null && (
          <CallPanel key={callId} callId={callId} session={session} now={now} close={close} />
        )}
      </div>
      {isHelpShown && <Help close={() => setHelpShown(false)} />}
    </div>
  )
}
