// The day's chart: what was measured left of now, what is planned right of it, the plan of midnight behind, price and carbon as ribbons below.
import type { ECBasicOption } from 'echarts/types/dist/shared'
import type { DayView } from '../api'
import { carbonIntensity, clock, dayName, number, power, price } from '../format'
import { range, type ForeseenSeries } from '../foreseen'
import { t } from '../i18n'
import type { Lang } from '../prefs.svelte'
import { band } from './band'
import { between, tooltipLook, tooltipRows, type Colours } from './theme'

export type DayKey = 'other' | 'heat' | 'cars' | 'sun' | 'grid' | 'storage' | 'net'
const always: DayKey[] = ['sun', 'grid', 'storage', 'other', 'heat', 'cars']
const stacked: DayKey[] = ['other', 'heat', 'cars']
const lines: DayKey[] = ['sun', 'grid', 'storage', 'net']
// what a plan foresees of what is drawn here, and of the ribbons below
const foreseen: Partial<Record<DayKey | 'price' | 'carbon', ForeseenSeries['quantity']>> = { other: 'load', sun: 'sun', net: 'net', price: 'price', carbon: 'carbon' }
type Values = (number | null)[]
type Point = [number, number | null]

export const dayColour = (c: Colours, key: DayKey) => ({ other: c.use, heat: c.heat, cars: c.cars, sun: c.sun, grid: c.grid, storage: c.storage, net: c.ink })[key]
export const dayLabel = (key: DayKey) =>
  ({ other: t('flow.buildings'), heat: t('flow.heat'), cars: t('flow.cars'), sun: t('flow.sun'), grid: t('flow.grid'), storage: t('flow.storage'), net: t('expected.q.net') })[key]

/** What is drawn and listed: consumption less sun only where a plan foresees it. */
export const dayKeys = (v: DayView): DayKey[] => (v.latest?.foreseen.some((f) => f.quantity === 'net') ? [...always, 'net'] : always)

type Powers = DayView['measured']
/** The values of what is drawn; of consumption less sun, what the two leave. */
export const valuesOf = (p: Powers, key: DayKey): Values => (key === 'net' ? p.other.map((x, i) => (x === null || p.sun[i] === null || p.sun[i] === undefined ? null : x - p.sun[i])) : p[key])

/** What a plan foresees of what is drawn under a name. */
export const foreseenOf = (plan: DayView['latest'], key: DayKey | 'price' | 'carbon') => plan?.foreseen.find((f) => f.quantity === foreseen[key])

/** The band of a slot beside its value: " (9 to 16)", empty without one. */
export function bandWords(lang: Lang, f: ForeseenSeries | undefined, i: number, unit: string): string {
  const text = f ? range(lang, f.low[i], f.high[i], unit) : ''
  return text && f!.low[i] !== f!.high[i] ? ` (${text})` : ''
}

/** The slot that holds now: before it things are measured, from it on they are planned. */
export function nowSlot(v: DayView): number {
  const step = v.step_minutes * 60_000
  return Math.max(0, Math.min(v.slots, Math.floor((Date.parse(v.now) - Date.parse(v.start)) / step)))
}

export function dayOption(v: DayView, c: Colours, lang: Lang, zone: string, hidden: Set<DayKey>, width: number): ECBasicOption {
  const start = Date.parse(v.start)
  const step = v.step_minutes * 60_000
  const end = Date.parse(v.end)
  const now = Date.parse(v.now)
  const split = nowSlot(v)
  const inside = now > start && now < end
  // A slot's mean is drawn over its whole width: a point at its start and, with step lines, held to its end.
  const points = (values: Values, from: number, to: number): Point[] => {
    const out: Point[] = []
    for (let i = from; i < to; i++) out.push([start + i * step, values[i] ?? null])
    const last = to > from ? (values[to - 1] ?? null) : null
    if (last !== null) out.push([start + to * step, last])
    return out
  }
  const series: object[] = []
  const add = (key: DayKey, kind: 'm' | 'p' | 'f', data: Point[]) => {
    if (!data.some((d) => d[1] !== null)) return
    const colour = dayColour(c, key)
    const isStacked = stacked.includes(key)
    series.push({
      type: 'line',
      name: key + kind,
      data,
      step: 'end',
      symbol: 'none',
      silent: true,
      animation: false,
      connectNulls: false,
      stack: isStacked && kind !== 'f' ? 'use' + kind : undefined,
      lineStyle: { color: colour, width: kind === 'f' ? 1.2 : isStacked ? 0.8 : key === 'net' ? 1.3 : 2, type: kind === 'm' ? 'solid' : kind === 'p' ? [5, 4] : [1.5, 3], opacity: kind === 'f' ? 0.75 : isStacked && kind === 'p' ? 0.6 : 1 },
      areaStyle: kind === 'f' ? undefined : isStacked ? { color: colour, opacity: kind === 'm' ? 0.5 : 0.22 } : key === 'sun' ? { color: colour, opacity: kind === 'm' ? 0.16 : 0.07 } : undefined,
      z: isStacked ? 2 : key === 'sun' ? 3 : 4,
    })
  }
  const shown = (key: DayKey) => !hidden.has(key) && dayKeys(v).includes(key)
  for (const key of [...stacked, ...lines]) {
    if (!shown(key)) continue
    const colour = dayColour(c, key)
    const [before, after] = [foreseenOf(v.first, key), foreseenOf(v.latest, key)]
    // what midnight's plan expected lies under what came; of the consumption stacked on others the band would be elsewhere, and what is at the bottom of the stack has it in its place
    const bands = [before && band(key + 'fb', start, step, before.low, before.high, 0, inside ? split : v.slots, colour, 0.12), after && inside && band(key + 'pb', start, step, after.low, after.high, split, v.slots, colour, key === 'net' ? 0.13 : 0.24)]
    series.push(...bands.filter((b): b is object => !!b))
    add(key, 'm', points(valuesOf(v.measured, key), 0, inside ? split : v.slots))
    if (v.latest && inside) add(key, 'p', points(valuesOf(v.latest.power, key), split, v.slots))
    if (v.first && lines.includes(key) && key !== 'net') add(key, 'f', points(valuesOf(v.first.power, key), 0, v.slots))
  }
  const drawn = series.find((x) => (x as { type: string }).type === 'line')
  if (drawn && inside)
    Object.assign(drawn, {
      markLine: { silent: true, symbol: 'none', animation: false, lineStyle: { color: c.ink2, width: 1.2, type: 'solid' }, label: { formatter: t('common.now'), color: c.ink2, fontSize: 12, position: 'end', distance: 4 }, data: [{ xAxis: now }] },
      markArea: { silent: true, itemStyle: { color: c.sunken, opacity: 0.55 }, data: [[{ xAxis: now }, { xAxis: end }]] },
    })
  const ribbon = (values: Values, axis: number, from: [number, number, number], to: [number, number, number]) => {
    const known = values.filter((x): x is number => x !== null)
    const lo = Math.min(...known)
    const hi = Math.max(...known)
    return {
      type: 'custom',
      xAxisIndex: axis,
      yAxisIndex: axis,
      silent: true,
      animation: false,
      data: values.map((x, i) => [start + i * step, x]).filter((d) => d[1] !== null),
      renderItem: (_: unknown, api: { value(i: number): number; coord(p: number[]): number[]; size(p: number[]): number[] }) => {
        const [x, y] = api.coord([api.value(0), 1]) as [number, number]
        const [w, h] = api.size([step, 1]) as [number, number]
        return { type: 'rect', shape: { x, y, width: w + 0.6, height: h }, style: { fill: between(from, to, hi > lo ? (api.value(1) - lo) / (hi - lo) : 0.3) } }
      },
    }
  }
  const narrow = width < 560
  const left = narrow ? 40 : 54
  const grids = [
    { left, right: 12, top: 22, bottom: 84 },
    { left, right: 12, height: 11, bottom: 44 },
    { left, right: 12, height: 11, bottom: 26 },
  ]
  // Labels at round local hours: midnight carries the day.
  const hours = (end - start) / 3_600_000
  const every = (narrow ? 6 : hours > 30 ? 4 : 3) * 3_600_000
  const time = (x: number) => (clock(lang, x, zone) === '00:00' && x !== start ? dayName(lang, x, zone).split(' ')[0]! : clock(lang, x, zone))
  const ticks: number[] = []
  for (let x = start; x <= end; x += every) ticks.push(x)
  const xAxis = (gridIndex: number, show: boolean) => ({
    type: 'time',
    gridIndex,
    min: start,
    max: end,
    axisLine: { show: gridIndex === 0, lineStyle: { color: c.line } },
    axisTick: { show: false },
    splitLine: { show: gridIndex === 0, lineStyle: { color: c.line, opacity: 0.6 } },
    axisLabel: { show, color: c.ink3, fontSize: 12, formatter: time, customValues: ticks, hideOverlap: true },
    axisPointer: { show: true, label: { show: false }, lineStyle: { color: c.ink3, type: 'solid', width: 1 } },
  })
  const ribbonAxis = (gridIndex: number, name: string) => ({ type: 'value', gridIndex, min: 0, max: 1, show: true, axisLine: { show: false }, axisTick: { show: false }, splitLine: { show: false },
    axisLabel: { show: true, color: c.ink3, fontSize: 11, customValues: [0.5], formatter: () => name } })
  const dark = document.documentElement.dataset.theme === 'dark'
  const pale: [number, number, number] = dark ? [38, 47, 58] : [233, 237, 242]
  return {
    animation: false,
    textStyle: { fontFamily: 'inherit' },
    grid: grids,
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    xAxis: [xAxis(0, true), xAxis(1, false), xAxis(2, false)],
    yAxis: [
      { type: 'value', gridIndex: 0, axisLabel: { color: c.ink3, fontSize: 12, formatter: (x: number) => number(lang, x) }, splitLine: { lineStyle: { color: c.line } }, name: 'kW', nameTextStyle: { color: c.ink3, align: 'right', padding: [0, 6, 0, 0] }, nameGap: 8 },
      ribbonAxis(1, t('chart.price')),
      ribbonAxis(2, t('chart.carbon')),
    ],
    series: [...series, ribbon(v.import_price, 1, pale, dark ? [106, 161, 255] : [37, 99, 235]), ribbon(v.carbon_g_per_kwh, 2, pale, dark ? [190, 200, 212] : [71, 85, 105])],
    tooltip: {
      trigger: 'axis',
      ...tooltipLook(c),
      formatter: (params: { axisValue: number }[]) => {
        const x = params[0]?.axisValue ?? start
        const i = Math.max(0, Math.min(v.slots - 1, Math.floor((x - start) / step)))
        const past = !inside || i < split
        const title = `${dayName(lang, start + i * step, zone)} ${clock(lang, start + i * step, zone)}–${clock(lang, start + (i + 1) * step, zone)}`
        const ahead = (key: DayKey | 'price' | 'carbon', unit: string) => (past ? '' : bandWords(lang, foreseenOf(v.latest, key), i, unit))
        const rows = dayKeys(v).filter(shown).map((key) => ({
          colour: dayColour(c, key),
          name: dayLabel(key),
          values: [power(lang, past ? valuesOf(v.measured, key)[i] : v.latest && valuesOf(v.latest.power, key)[i]) + ahead(key, 'kW'),
            ...(v.first ? [power(lang, valuesOf(v.first.power, key)[i]) + (past ? bandWords(lang, foreseenOf(v.first, key), i, 'kW') : '')] : [])],
        }))
        const signals = [
          { name: t('chart.price'), values: [price(lang, v.import_price[i]) + ahead('price', 'EUR/kWh')] },
          { name: t('chart.carbon'), values: [carbonIntensity(lang, v.carbon_g_per_kwh[i]) + ahead('carbon', 'gCO2e/kWh')] },
        ]
        const heads = [past ? t('chart.measured') + (v.substituted[i] ? ' *' : '') : t('chart.planned'), ...(v.first ? [t('chart.first')] : [])]
        const all = [...rows, ...signals]
        return tooltipRows(title, all, heads, all.some((r) => r.values.some((x) => x.includes('('))) ? t('expected.brackets') : '')
      },
    },
  }
}

/** Hourly means for the table beside the chart. */
export function dayTable(v: DayView): { start: number; planned: boolean; values: (number | null)[]; bands: ({ low: number; high: number } | undefined)[]; price: number | null; carbon: number | null }[] {
  const per = Math.max(1, Math.round(60 / v.step_minutes))
  const split = nowSlot(v)
  const over = Date.parse(v.now) >= Date.parse(v.end)
  const mean = (values: Values, from: number) => {
    const known = values.slice(from, from + per).filter((x): x is number => x !== null && x !== undefined)
    return known.length > 0 ? known.reduce((a, b) => a + b, 0) / known.length : null
  }
  const out = []
  for (let i = 0; i < v.slots; i += per) {
    const planned = !over && i + per > split
    const source = planned ? v.latest?.power : v.measured
    const bandOf = (k: DayKey) => {
      const f = foreseenOf(planned ? v.latest : v.first, k)
      const [low, high] = [f ? mean(f.low, i) : null, f ? mean(f.high, i) : null]
      return low === null || high === null ? undefined : { low, high }
    }
    out.push({
      start: Date.parse(v.start) + i * v.step_minutes * 60_000,
      planned,
      values: dayKeys(v).map((k) => (source ? mean(valuesOf(source, k), i) : null)),
      bands: dayKeys(v).map(bandOf),
      price: mean(v.import_price, i),
      carbon: mean(v.carbon_g_per_kwh, i),
    })
  }
  return out
}
