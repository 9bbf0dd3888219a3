// What a plan expects of a series, in words: a value, and the band that holds four of five cases.
import type { Schemas } from './api'
import type { Colours } from './chart/theme'
import { nbsp, number, value } from './format'
import { t } from './i18n'
import type { Lang } from './prefs.svelte'

export type Expectation = Schemas['Expectation']
export type ForeseenInfo = Schemas['ForeseenInfo']
export type ForeseenSeries = Schemas['ForeseenSeries']
export type ForeseenView = Schemas['ForeseenView']
type Quantity = ForeseenInfo['quantity']

/** The lower and the upper end of a band without their unit, as they stand beside a value: 9 to 16. Empty without a band; a value without anything left open is settled. */
export function range(lang: Lang, low: number | null | undefined, high: number | null | undefined, unit: string): string {
  if (low === null || low === undefined || high === null || high === undefined) return ''
  const [a, b] = ends(lang, low, high, unit)
  return low === high ? t('expected.fixed') : t('expected.range', { low: a, high: b })
}

// without the unit, where both have the same: 16 kW is 16, and 900 kW to 1.1 MW stays so
function ends(lang: Lang, low: number, high: number, unit: string): [string, string] {
  const [a, b] = [value(lang, low, unit), value(lang, high, unit)]
  const cut = (s: string) => s.slice(0, s.lastIndexOf(nbsp))
  const same = a.slice(a.lastIndexOf(nbsp)) === b.slice(b.lastIndexOf(nbsp))
  return same ? [cut(a), cut(b)] : [a, b]
}

/** "12 kW, between 9 and 16 in four of five cases"; without a band the value alone, and where nothing is left open that it is settled. */
export function expected(lang: Lang, e: { mean: number | null | undefined; low: number | null | undefined; high: number | null | undefined }, unit: string): string {
  const mean = value(lang, e.mean, unit)
  if (e.mean === null || e.mean === undefined || e.low === null || e.low === undefined || e.high === null || e.high === undefined) return mean
  const [low, high] = ends(lang, e.low, e.high, unit)
  return low === high ? t('expected.settled', { mean }) : t('expected.between', { mean, low, high })
}

export const colourOf = (c: Colours, q: Quantity): string =>
  ({ load: c.ink2, sun: c.sun, net: c.grid, heat: c.heat, hot_water: c.heat, car: c.cars, outdoor: c.export, price: c.export, carbon: c.ink2 })[q]

/** The series as a key of its own. */
export const keyOf = (f: { site: string; device: string; quantity: string }) => [f.site, f.device, f.quantity].join('/')

export const axisUnit = (unit: string) => (unit === 'degC' ? '°C' : unit === 'EUR/kWh' ? 'ct/kWh' : unit === 'gCO2e/kWh' ? 'g/kWh' : unit)
export const axisNumber = (lang: Lang, v: number, unit: string) => number(lang, unit === 'EUR/kWh' ? v * 100 : v)
