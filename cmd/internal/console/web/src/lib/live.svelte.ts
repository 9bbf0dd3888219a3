import type { LiveView, StreamState } from './api'

export type Freshness = 'connecting' | 'live' | 'stale' | 'offline'

// ms without an event
const staleAfter = 5000
const offlineAfter = 12000
const retryAfter = 4000

/** The live stream: the newest flows and states of the districts that are watched. */
class Live {
  views = $state.raw<Record<string, LiveView>>({})
  states = $state.raw<Record<string, StreamState>>({})
  freshness = $state<Freshness>('connecting')
  #source: EventSource | undefined
  #watching: string | undefined
  #last = 0 // when the last event came
  #tried = 0 // when the stream was last asked for
  #timer: ReturnType<typeof setInterval> | undefined
  onEnd: () => void = () => {}

  /** Watches a district, or all with "". */
  watch(district: string): void {
    if (this.#watching === district) return
    this.close()
    this.#watching = district
    this.freshness = 'connecting'
    this.#last = Date.now()
    this.#open()
    this.#timer = setInterval(() => {
      const silent = Date.now() - this.#last
      if (silent > offlineAfter) this.freshness = 'offline'
      else if (silent > staleAfter) this.freshness = 'stale'
      // A source that the server refused does not come back by itself: ask whether the session still holds, and try again.
      if (this.#source?.readyState === EventSource.CLOSED && Date.now() - this.#tried > retryAfter) {
        this.onEnd()
        this.#open()
      }
    }, 1000)
  }

  #open(): void {
    this.#source?.close()
    this.#tried = Date.now()
    const q = this.#watching ? '?district=' + encodeURIComponent(this.#watching) : ''
    const source = new EventSource('/api/stream' + q)
    source.addEventListener('live', (e) => {
      const view = JSON.parse((e as MessageEvent<string>).data) as LiveView
      this.views = { ...this.views, [view.district]: view }
      this.#last = Date.now()
      this.freshness = 'live'
    })
    source.addEventListener('state', (e) => {
      const state = JSON.parse((e as MessageEvent<string>).data) as StreamState
      this.states = { ...this.states, [state.district]: state }
      this.#last = Date.now()
    })
    this.#source = source
  }

  close(): void {
    this.#source?.close()
    this.#source = undefined
    this.#watching = undefined
    clearInterval(this.#timer)
    this.views = {}
    this.states = {}
  }
}

export const live = new Live()
