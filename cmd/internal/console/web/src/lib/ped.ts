// What is said and drawn of the positive-energy balance by a calculation profile.
import type { Schemas } from './api'
import { energy, percent } from './format'
import { t } from './i18n'
import type { Lang } from './prefs.svelte'

type PED = Schemas['PED']
type Result = Schemas['Result']
type Profile = Schemas['Profile']

export const profileName = (lang: Lang, p: Profile) => (lang === 'fr' ? p.name_fr : p.name_en)

/** A number of kWh with its sign. */
export const signed = (lang: Lang, kwh: number) => (kwh > 0 ? '+' : '') + energy(lang, kwh)

export const result = (p: PED, period: string): Result | undefined => p.balances?.find((b) => b.period === period)

/** The result of which something may be said: the last twelve full months. */
export const main = (p: PED): Result | undefined => result(p, 'rolling_12_months')

/** What may be said: positive or not never without the profile's name, and of twelve months with coverage alone. */
export function saying(lang: Lang, name: string, p: PED, r: Result, day: (time: string) => string): string {
  const profile = profileName(lang, p.profile)
  const date = day(new Date(new Date(r.end).getTime() - 12 * 3600_000).toISOString())
  if (r.verdict === 'open') return r.coverage === 0 ? t('ped.open.none', { profile }) : t('ped.open.coverage', { profile, date, p: percent(lang, r.coverage, 1), q: percent(lang, p.profile.min_coverage) })
  return t(`ped.say.${r.verdict}`, { name, profile, date, net: energy(lang, Math.abs(r.balance_kwh)) })
}

/** The largest balance of all profiles and ends of intervals, to which bars are drawn. */
export function bounds(list: PED[]): number {
  const all = list.flatMap((p) => [...(p.balances ?? []).filter((b) => b.period !== 'span' && b.period !== 'year').map((b) => b.balance_kwh), p.projection?.low_kwh ?? 0, p.projection?.high_kwh ?? 0])
  return Math.max(1, ...all.map(Math.abs))
}

export interface PedBar {
  key: 'rolling_12_months' | 'year_to_date' | 'projection'
  value: number
  left: number // per cent of the width
  width: number
  interval?: { low: number; high: number; left: number; width: number }
}

/** The bars of a profile: nought is in the middle. */
export function bars(p: PED, most: number): PedBar[] {
  const at = (kwh: number) => 50 + (48 * kwh) / most
  const bar = (key: PedBar['key'], value: number): PedBar => ({ key, value, left: Math.min(50, at(value)), width: Math.abs(at(value) - 50) })
  const out: PedBar[] = []
  for (const key of ['rolling_12_months', 'year_to_date'] as const) {
    const r = result(p, key)
    if (r && r.coverage > 0) out.push(bar(key, r.balance_kwh))
  }
  const j = p.projection
  if (j) out.push({ ...bar('projection', j.balance_kwh), interval: { low: j.low_kwh, high: j.high_kwh, left: at(j.low_kwh), width: at(j.high_kwh) - at(j.low_kwh) } })
  return out
}
