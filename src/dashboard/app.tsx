/** The frame of the page: who is looking, where they are, how fresh the picture is, and what the keys do. */
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks'
import { goTo, useCursor } from './cursor.js'
import { acknowledgeAlert } from './feed/acknowledge-alert.js'
import { FloorWatch } from './feed/floor-watch.js'
import { NotSignedIn, type Refusal, Session } from './feed/session.js'
import { TranscriptSearch } from './feed/transcript-search.js'
import { useKeys } from './keys.js'
import type { Need } from './model/attention.js'
import { listOf } from './model/call-list.js'
import type { CallRecord } from './model/call-record.js'
import { firstNeedsQuery, shownNeeds } from './model/needs-query.js'
import { callsParams, callsQueryOf, needsParams, needsQueryOf } from './model/view-address.js'
import { useDrawnOrder, useHold } from './parts/hold.js'
import { useMedia, useTitle } from './parts/hooks.js'
import { chooseNextTheme } from './parts/theme.js'
import { type Place, placeHash, type Route, routeOf, titleOf, viewHash } from './route.js'
import { CallPanel } from './views/call-panel.js'
import { CallsView } from './views/calls-view.js'
import { Figures } from './views/figures.js'
import { FloorView } from './views/floor-view.js'
import { FreshnessBanner } from './views/freshness.js'
import { Header } from './views/header.js'
import { Help } from './views/help.js'
import { type Asked, askedFor, nothingAsked } from './views/history-view.js'
import { NeedsView } from './views/needs-view.js'
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

function useStoredSearch(session: Session, { words, filters }: Asked): TranscriptSearch {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const search = useMemo(
    () =>
      new TranscriptSearch(
        (path) => session.read(path),
        () => redraw(0),
      ),
    [session],
  )
  useEffect(() => search.ask(words, filters), [search, words, filters])
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
const noParams = new URLSearchParams()
const focusSearch = () => document.querySelector<HTMLInputElement>('#search')?.focus()
/** Of lists that have not been looked at, too: what is typed in one is still there when the viewer comes back. */
const paramsOfPlace = (place: Place, of: Place, params: URLSearchParams | null) =>
  place === of && params !== null ? params : new URLSearchParams()

/** The view of each list, as the address has it, and the address as the view is. */
function useQueries(route: Route) {
  const { place, callId, params } = route
  const [query, setQuery] = useState(() => callsQueryOf(paramsOfPlace('calls', place, params)))
  const [needsQuery, setNeedsQuery] = useState(() => needsQueryOf(paramsOfPlace('needs', place, params)))
  useEffect(() => {
    if (params === null) return
    if (place === 'calls') setQuery(callsQueryOf(params))
    if (place === 'needs') setNeedsQuery(needsQueryOf(params))
  }, [route])
  useEffect(() => {
    const own =
      place === 'calls' ? callsParams(query) : place === 'needs' ? needsParams(needsQuery) : noParams
    const hash = viewHash({ place, callId }, own)
    // The page may have a base that is another address than its own.
    if (hash !== (location.hash || '#/')) history.replaceState(null, '', `${location.pathname}${hash}`)
  }, [place, callId, query, needsQuery])
  return { query, setQuery, needsQuery, setNeedsQuery }
}

/** What the lists of this place show, and in which order while somebody points at them. */
function useLists(session: Session, watch: FloorWatch, route: Route) {
  const { place } = route
  const { query, setQuery, needsQuery, setNeedsQuery } = useQueries(route)
  const isHistory = place === 'calls' && query.scope === 'history'
  const search = useStoredSearch(session, isHistory ? askedFor(query) : nothingAsked)
  const hold = useHold()
  const needsOrder = useDrawnOrder(idOfNeed)
  const callsOrder = useDrawnOrder(idOfCall)

  const allNeeds = watch.needs()
  const isHeld = hold.isHeld() && watch.picture.isComplete
  const listedNeeds = place === 'needs' ? shownNeeds(allNeeds, watch.acknowledgements, needsQuery) : []
  const needs = needsOrder.next({ items: listedNeeds, all: allNeeds }, { isHeld, asked: needsQuery })
  const listedCalls =
    place === 'calls' && !isHistory ? listOf(watch.picture.calls.values(), query, watch.now()) : []
  const calls = callsOrder.next({ items: listedCalls, all: listedCalls }, { isHeld, asked: query })
  const found = place === 'calls' && search.found.kind === 'found' ? search.found.calls : []
  const idsOfCalls = isHistory ? found.map(({ call_id }) => call_id) : calls.items.map(idOfCall)
  return {
    ...{ query, setQuery, search, needsQuery, setNeedsQuery, hold, isHeld, allNeeds, needs, calls },
    openNeeds: shownNeeds(allNeeds, watch.acknowledgements, firstNeedsQuery),
    ids: place === 'needs' ? needs.items.map(idOfNeed) : idsOfCalls,
  }
}

type Lists = ReturnType<typeof useLists>

type Cursor = ReturnType<typeof useCursor>

/** Goes to the search field of the list; that of the calls where there is none. */
function useSearchField(place: Place): () => void {
  const isWanted = useRef(false)
  useEffect(() => {
    if (place === 'calls' && isWanted.current) focusSearch()
    isWanted.current = false
  }, [place])
  return () => {
    if (place !== 'floor') return focusSearch()
    isWanted.current = true
    goTo(placeHash('calls'))
  }
}

function Floor({ session, signOut }: { readonly session: Session; readonly signOut: (() => void) | null }) {
  const watch = useFloor(session)
  const route = useRoute()
  const { place, callId } = route
  const lists = useLists(session, watch, route)
  const cursor = useCursor(lists.ids, callId)
  const [isHelpShown, setHelpShown] = useState(false)
  const close = () => goTo(placeHash(place))
  const acknowledge = (need: Need) => {
    watch.acknowledgements.add(need)
    acknowledgeAlert(session, need)
    cursor.leave(need.call.id)
  }
  useKeys({
    move: cursor.move,
    open: cursor.openCursor,
    escape: () => (isHelpShown ? setHelpShown(false) : callId !== null && close()),
    go: (to: Place) => goTo(placeHash(to)),
    search: useSearchField(place),
    acknowledge: () => {
      const need = place === 'needs' ? lists.needs.items[cursor.cursor] : undefined
      if (need !== undefined && !watch.acknowledgements.covers(need)) acknowledge(need)
    },
    help: () => setHelpShown((shown) => !shown),
    theme: chooseNextTheme,
  })

  useTitle(titleOf(place, lists.openNeeds.length))
  const freshness = watch.freshness()
  const isOld = freshness.kind === 'stale' || freshness.kind === 'offline'
  return (
    <div class={isOld ? 'frame is-old' : 'frame'}>
      <Header
        place={place}
        freshness={freshness}
        needCount={lists.openNeeds.length}
        urgentCount={lists.openNeeds.filter(({ concerns }) => concerns[0].level === 3).length}
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
          {place === 'floor' ? (
            <FloorView session={session} picture={watch.picture} />
          ) : (
            <List
              place={place}
              session={session}
              watch={watch}
              lists={lists}
              cursor={cursor}
              acknowledge={acknowledge}
            />
          )}
        </main>
        {callId !== null && (
          <CallPanel key={callId} callId={callId} session={session} now={watch.now()} close={close} />
        )}
      </div>
      {isHelpShown && <Help close={() => setHelpShown(false)} />}
    </div>
  )
}

interface ListProps {
  readonly place: Exclude<Place, 'floor'>
  readonly session: Session
  readonly watch: FloorWatch
  readonly lists: Lists
  readonly cursor: Cursor
  readonly acknowledge: (need: Need) => void
}

function List({ place, session, watch, lists, cursor: { cursor, open }, acknowledge }: ListProps) {
  const { hold, isHeld } = lists
  const { picture } = watch
  const shared = { hold, isHeld, cursor, now: watch.now(), isNarrow: useMedia('(max-width: 759px)') }
  return place === 'needs' ? (
    <NeedsView
      {...shared}
      all={lists.allNeeds}
      unacknowledged={lists.openNeeds}
      needs={lists.needs}
      acknowledgements={watch.acknowledgements}
      query={lists.needsQuery}
      setQuery={lists.setNeedsQuery}
      callCount={picture.calls.size}
      isLoading={!picture.wasComplete}
      open={({ call }) => open(call.id)}
      acknowledge={acknowledge}
    />
  ) : (
    <CallsView
      {...shared}
      calls={lists.calls}
      session={session}
      search={lists.search}
      picture={picture}
      query={lists.query}
      setQuery={lists.setQuery}
      open={open}
    />
  )
}
