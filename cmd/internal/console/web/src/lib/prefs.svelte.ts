export type Theme = 'auto' | 'light' | 'dark'
export type Lang = 'fr' | 'en'

function stored(key: string): string | null {
  try {
    return localStorage.getItem('quartier.' + key)
  } catch {
    return null
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem('quartier.' + key, value)
  } catch {
    // closed storage: the choice holds for this page
  }
}

const system = matchMedia('(prefers-color-scheme: dark)')

class Prefs {
  theme = $state<Theme>((stored('theme') as Theme | null) ?? 'auto')
  lang = $state<Lang>((stored('lang') as Lang | null) ?? (navigator.language.startsWith('fr') ? 'fr' : 'en'))
  dark = $state(document.documentElement.dataset.theme === 'dark')

  constructor() {
    system.addEventListener('change', () => this.#apply())
    document.documentElement.lang = this.lang
  }

  setTheme(theme: Theme): void {
    this.theme = theme
    keep('theme', theme)
    this.#apply()
  }

  setLang(lang: Lang): void {
    this.lang = lang
    keep('lang', lang)
    document.documentElement.lang = lang
  }

  #apply(): void {
    this.dark = this.theme === 'dark' || (this.theme === 'auto' && system.matches)
    document.documentElement.dataset.theme = this.dark ? 'dark' : 'light'
  }
}

export const prefs = new Prefs()
