import { ApiError } from './api'

/** A value that is asked for, with all its states. What was there stays while newer data comes. */
export class Loader<T> {
  data = $state.raw<T | undefined>(undefined)
  error = $state.raw<ApiError | undefined>(undefined)
  loading = $state(false)
  #key = ''
  #abort: AbortController | undefined

  /** Asks for the value. A new key drops what was there before. */
  async run(key: string, get: (signal: AbortSignal) => Promise<T>): Promise<void> {
    if (key !== this.#key) {
      this.#key = key
      this.data = undefined
      this.error = undefined
    }
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.loading = true
    try {
      const value = await get(abort.signal)
      if (this.#abort === abort) {
        this.data = value
        this.error = undefined
      }
    } catch (e) {
      if (abort.signal.aborted) return
      this.error = e instanceof ApiError ? e : new ApiError(-1, String(e))
    } finally {
      if (this.#abort === abort) this.loading = false
    }
  }

  stop(): void {
    this.#abort?.abort()
  }
}

/** Calls f now and every so many milliseconds while the page is visible; returns what ends it. For use in an effect. */
export function every(ms: number, f: () => void): () => void {
  f()
  const timer = setInterval(() => {
    if (!document.hidden) f()
  }, ms)
  return () => clearInterval(timer)
}
