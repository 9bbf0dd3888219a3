// Numbers and times for people. A number has its unit beside it, three significant digits, and a no-break space between.
import type { Lang } from './prefs.svelte'

const locales: Record<Lang, string> = { fr: 'fr-FR', en: 'en-GB' }
const cache = new Map<string, Intl.NumberFormat>()
const dates = new Map<string, Intl.DateTimeFormat>()
export const nbsp = '\u202f'
export const missing = '–'

function numberFormat(lang: Lang, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = lang + JSON.stringify(options)
  let f = cache.get(key)
  if (!f) cache.set(key, (f = new Intl.NumberFormat(locales[lang], options)))
  return f
}

/** Three significant digits; whole numbers from 100 on; what rounds to nothing is 0 and never -0. */
export function number(lang: Lang, v: number | null | undefined, zero = 0): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return missing
  if (Math.abs(v) <= zero) v = 0
  const a = Math.abs(v)
  const options: Intl.NumberFormatOptions = a >= 100 ? { maximumFractionDigits: 0 } : a >= 1 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: a < 0.1 ? 3 : 2 }
  return numberFormat(lang, { ...options, signDisplay: 'negative' }).format(v)
}

function scaled(lang: Lang, v: number | null | undefined, unit: string, big: string, zero: number): string {
  if (v === null || v === undefined) return missing
  if (Math.abs(v) >= 1000) return number(lang, v / 1000) + nbsp + big
  return number(lang, v, zero) + nbsp + unit
}

export const power = (lang: Lang, kw: number | null | undefined) => scaled(lang, kw, 'kW', 'MW', 0.05)
export const energy = (lang: Lang, kwh: number | null | undefined) => scaled(lang, kwh, 'kWh', 'MWh', 0.005)
export const carbonMass = (lang: Lang, kg: number | null | undefined) => scaled(lang, kg, 'kg', 't', 0.0005)
export const carbonIntensity = (lang: Lang, g: number | null | undefined) => (g === null || g === undefined ? missing : number(lang, g) + nbsp + 'g/kWh')

export function percent(lang: Lang, share: number | null | undefined, digits = 0): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return missing
  return numberFormat(lang, { style: 'percent', maximumFractionDigits: digits }).format(share)
}

export function money(lang: Lang, eur: number | null | undefined, sign = false): string {
  if (eur === null || eur === undefined) return missing
  const digits = Math.abs(eur) >= 1000 ? 0 : 2
  return numberFormat(lang, { style: 'currency', currency: 'EUR', minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: sign ? 'exceptZero' : 'negative' }).format(eur)
}

/** A price per kWh in cents, as French bills say it. */
export function price(lang: Lang, eur: number | null | undefined): string {
  if (eur === null || eur === undefined) return missing
  return numberFormat(lang, { maximumFractionDigits: 2, minimumFractionDigits: 2 }).format(eur * 100) + nbsp + 'ct/kWh'
}

/** A stored value in its unit. */
export function value(lang: Lang, v: number | null | undefined, unit: string): string {
  if (v === null || v === undefined) return missing
  switch (unit) {
    case 'kW':
      return power(lang, v)
    case 'kWh':
      return number(lang, v) + nbsp + 'kWh'
    case 'degC':
      return numberFormat(lang, { maximumFractionDigits: 1 }).format(v) + nbsp + '°C'
    case 'share':
      return percent(lang, v, 1)
    case 'state':
      return String(v)
    case 'EUR/kWh':
      return price(lang, v)
    case 'gCO2e/kWh':
      return carbonIntensity(lang, v)
    case 'deg':
      return number(lang, v) + '°'
    case 'W/m2':
      return number(lang, v) + nbsp + 'W/m²'
    case 'm3/h':
      return number(lang, v) + nbsp + 'm³/h'
    case '1':
      return number(lang, v)
  }
  return number(lang, v) + nbsp + unit
}

/** A date or time in a district's zone. */
export function when(lang: Lang, time: string | number | Date, zone: string, options: Intl.DateTimeFormatOptions): string {
  const key = lang + zone + JSON.stringify(options)
  let f = dates.get(key)
  if (!f) dates.set(key, (f = new Intl.DateTimeFormat(locales[lang], { timeZone: zone, ...options })))
  return f.format(new Date(time))
}

export const clock = (lang: Lang, t: string | number | Date, zone: string) => when(lang, t, zone, { hour: '2-digit', minute: '2-digit' })
export const dayName = (lang: Lang, t: string | number | Date, zone: string) => when(lang, t, zone, { weekday: 'short', day: 'numeric', month: 'short' })
export const fullDay = (lang: Lang, t: string | number | Date, zone: string) => when(lang, t, zone, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
export const stamp = (lang: Lang, t: string | number | Date, zone: string) => when(lang, t, zone, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
export const monthName = (lang: Lang, t: string | number | Date, zone: string) => when(lang, t, zone, { month: 'long', year: 'numeric' })

/** The civil day of a time in a zone, as 2026-01-31. */
export function isoDay(t: string | number | Date, zone: string): string {
  const p = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(t))
  return p
}

/** The instant at which a civil day such as 2026-01-31 begins in a zone. */
export function dayStart(day: string, zone: string): Date {
  const utc = Date.parse(day + 'T00:00:00Z')
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' })
  const offset = (at: number) => {
    const p = Object.fromEntries(clock.formatToParts(at).map((x) => [x.type, Number(x.value)]))
    return Date.UTC(p.year!, p.month! - 1, p.day!, p.hour!, p.minute!, p.second!) - at
  }
  return new Date(utc - offset(utc - offset(utc))) // twice: the offset is that of the instant itself
}

/** An age in its largest unit: 12 s, 3 min, 5 h, 2 d. */
export function age(lang: Lang, seconds: number): string {
  const day = lang === 'fr' ? 'j' : 'd'
  if (seconds < 60) return Math.max(0, Math.round(seconds)) + nbsp + 's'
  if (seconds < 3600) return Math.round(seconds / 60) + nbsp + 'min'
  if (seconds < 172800) return Math.round(seconds / 3600) + nbsp + 'h'
  return Math.round(seconds / 86400) + nbsp + day
}
