// Who is signed in, which districts there are, and which one is looked at.
import { api, ApiError, setCsrf, whenSignedOut, type DistrictInfo, type Me } from './api'
import { live } from './live.svelte'
import { prefs } from './prefs.svelte'
import { route, type Page } from './router.svelte'

const ranks = { resident: 0, viewer: 1, operator: 2, administrator: 3 }

class App {
  me = $state.raw<Me | undefined>(undefined)
  ready = $state(false)
  failed = $state.raw<ApiError | undefined>(undefined)
  districts = $state.raw<DistrictInfo[]>([])

  /** The district in the link, "all", or the first one. */
  district = $derived.by(() => {
    const d = route.params.d
    if (d === 'all' && this.districts.length > 1) return 'all'
    return this.districts.find((x) => x.id === d)?.id ?? this.districts[0]?.id ?? ''
  })
  /** A district to show where "all" makes no sense. */
  one = $derived(this.district === 'all' ? (this.districts[0]?.id ?? '') : this.district)
  info = $derived(this.districts.find((x) => x.id === this.one))
  zone = $derived(this.info?.time_zone ?? 'UTC')

  constructor() {
    whenSignedOut(() => this.#out())
  }

  can(role: keyof typeof ranks): boolean {
    return this.me !== undefined && ranks[this.me.role] >= ranks[role]
  }

  get resident(): boolean {
    return this.me?.role === 'resident'
  }

  pages = $derived.by((): Page[] => {
    if (!this.me) return []
    if (this.me.role === 'resident') return ['energy', 'settings']
    const pages: Page[] = ['overview', 'plan', 'devices', 'orders', 'balance']
    if (ranks[this.me.role] >= ranks.operator) pages.push('members')
    return [...pages, 'data', 'settings']
  })

  async start(): Promise<void> {
    try {
      await this.#in(await api.get<Me>('/api/session'))
      this.failed = undefined
    } catch (e) {
      if (!(e instanceof ApiError) || e.status !== 401) this.failed = e instanceof ApiError ? e : new ApiError(-1, String(e))
      else this.failed = undefined
    }
    this.ready = true
  }

  async signIn(name: string, password: string): Promise<void> {
    await this.#in(await api.post<Me>('/api/session', { name, password }))
  }

  async signOut(): Promise<void> {
    await api.del('/api/session')
    this.#out()
    route.go('/')
  }

  renew(me: Me): void {
    setCsrf(me.csrf)
    this.me = me
  }

  async #in(me: Me): Promise<void> {
    setCsrf(me.csrf)
    this.districts = await api.get<DistrictInfo[]>('/api/districts')
    this.me = me
    prefs.setLang(me.language)
  }

  #out(): void {
    live.close()
    setCsrf('')
    this.me = undefined
    this.districts = []
  }
}

export const app = new App()
