// Routes are plain paths with a query, such as /devices?d=fontaine&site=ecole, so that every view has a link.
export type Page = 'overview' | 'plan' | 'devices' | 'orders' | 'balance' | 'members' | 'energy' | 'data' | 'settings'
const pages: Page[] = ['overview', 'plan', 'devices', 'orders', 'balance', 'members', 'energy', 'data', 'settings']

class Route {
  page = $state<Page | ''>('')
  params = $state.raw<Record<string, string>>({})

  constructor() {
    this.#read()
    addEventListener('popstate', () => this.#read())
    document.addEventListener('click', (e) => {
      if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
      const a = (e.target as Element).closest('a')
      if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin || a.pathname.startsWith('/api')) return
      e.preventDefault()
      this.go(a.pathname + a.search)
    })
  }

  #read(): void {
    const name = location.pathname.split('/')[1] as Page
    this.page = pages.includes(name) ? name : ''
    this.params = Object.fromEntries(new URLSearchParams(location.search))
  }

  go(path: string, replace = false): void {
    if (replace) history.replaceState(null, '', path)
    else {
      history.pushState(null, '', path)
      scrollTo(0, 0)
    }
    this.#read()
  }

  /** Changes parameters of the present page; undefined removes one. */
  set(change: Record<string, string | undefined>, replace = false): void {
    this.go(this.link((this.page || 'overview') as Page, { ...this.params, ...change }), replace)
  }

  link(page: Page, params: Record<string, string | undefined>): string {
    const q = new URLSearchParams()
    for (const [k, v] of Object.entries(params)) if (v) q.set(k, v)
    const text = q.toString()
    return '/' + page + (text ? '?' + text : '')
  }
}

export const route = new Route()
