// One series that a plan rests on: its band and mean right of now; left of it what was measured over the band that midnight's plan had.
import type { ECBasicOption } from 'echarts/types/dist/shared'
import { clock, dayName, value } from '../format'
import { axisNumber, axisUnit, colourOf, expected, type ForeseenView } from '../foreseen'
import { t } from '../i18n'
import type { Lang } from '../prefs.svelte'
import { band } from './band'
import { tooltipLook, tooltipRows, type Colours } from './theme'

type Values = (number | null)[]

export const nowOf = (v: ForeseenView) => Math.max(0, Math.min(v.slots, Math.floor((Date.parse(v.now) - Date.parse(v.start)) / (v.step_minutes * 60_000))))

/** What is known of a slot: measured, expected by the newest plan, expected when the day began. */
export function slotOf(v: ForeseenView, i: number) {
  const of = (s: ForeseenView['latest'] | null) => (s && s.mean[i] !== null && s.mean[i] !== undefined ? { mean: s.mean[i], low: s.low[i] ?? null, high: s.high[i] ?? null } : undefined)
  return { measured: v.measured[i] ?? null, latest: of(v.latest), first: of(v.first ?? null) }
}

/** A slot in a sentence. */
export function slotWords(lang: Lang, v: ForeseenView, i: number, zone: string): string {
  const at = Date.parse(v.start) + i * v.step_minutes * 60_000
  const s = slotOf(v, i)
  const e = s.latest ?? s.first
  const parts = [`${dayName(lang, at, zone)} ${clock(lang, at, zone)}`]
  if (e) parts.push(t(s.latest ? 'expected.at' : 'expected.was', { what: expected(lang, e, v.info.unit) }))
  if (s.measured !== null) parts.push(t('expected.measured', { what: value(lang, s.measured, v.info.unit) }))
  return parts.join(' · ')
}

export function foreseenOption(v: ForeseenView, c: Colours, lang: Lang, zone: string, cursor: number | undefined): ECBasicOption {
  const start = Date.parse(v.start)
  const step = v.step_minutes * 60_000
  const end = start + v.slots * step
  const now = Date.parse(v.now)
  const split = nowOf(v)
  const unit = v.info.unit
  const colour = colourOf(c, v.info.quantity)
  const points = (values: Values, from: number, to: number) => {
    const out: [number, number | null][] = []
    for (let i = from; i < to; i++) out.push([start + i * step, values[i] ?? null])
    const last = to > from ? (values[to - 1] ?? null) : null
    if (last !== null) out.push([start + to * step, last])
    return out
  }
  const line = (values: Values, from: number, to: number, look: object) => ({ type: 'line', data: points(values, from, to), step: 'end', symbol: 'none', silent: true, connectNulls: false, z: 4, lineStyle: look })
  const mark = (x: number, label: string, look: object) => ({ xAxis: x, label: { formatter: label, color: c.ink2, fontSize: 12 }, lineStyle: look })
  const series = [
    v.first && band('first', start, step, v.first.low, v.first.high, 0, split, colour, 0.14),
    v.latest && band('latest', start, step, v.latest.low, v.latest.high, split, v.slots, colour, 0.24),
    v.first && line(v.first.mean, 0, split, { color: colour, width: 1.2, type: [1.5, 3] }),
    v.latest && line(v.latest.mean, split, v.slots, { color: colour, width: 2, type: [5, 4] }),
    {
      ...line(v.measured, 0, split, { color: c.ink, width: 2 }),
      markLine: { silent: true, symbol: 'none', animation: false, data: [mark(now, t('common.now'), { color: c.ink2, type: 'solid', width: 1.2 }), ...(cursor === undefined ? [] : [mark(start + (cursor + 0.5) * step, '', { color: c.brand, type: 'dashed', width: 1.5 })])] },
    },
  ].filter(Boolean)
  return {
    animation: false,
    textStyle: { fontFamily: 'inherit' },
    grid: { left: 52, right: 12, top: 24, bottom: 26 },
    xAxis: { type: 'time', min: start, max: end, axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, splitLine: { show: false }, axisLabel: { color: c.ink3, fontSize: 12, hideOverlap: true, formatter: (x: number) => clock(lang, x, zone) } },
    yAxis: { type: 'value', scale: unit !== 'kW', axisLabel: { color: c.ink3, fontSize: 12, formatter: (x: number) => axisNumber(lang, x, unit) }, splitLine: { lineStyle: { color: c.line } }, name: axisUnit(unit), nameTextStyle: { color: c.ink3, align: 'right', padding: [0, 6, 0, 0] }, nameGap: 8 },
    series,
    tooltip: {
      trigger: 'axis',
      ...tooltipLook(c),
      formatter: (params: { axisValue: number }[]) => {
        const i = Math.max(0, Math.min(v.slots - 1, Math.floor(((params[0]?.axisValue ?? start) - start) / step)))
        const s = slotOf(v, i)
        const rows = []
        if (s.latest) rows.push({ colour, name: t('chart.planned'), values: [expected(lang, s.latest, unit)] })
        if (s.first && i < split) rows.push({ name: t('chart.first'), values: [expected(lang, s.first, unit)] })
        if (s.measured !== null) rows.push({ colour: c.ink, name: t('chart.measured'), values: [value(lang, s.measured, unit)] })
        return tooltipRows(`${dayName(lang, start + i * step, zone)} ${clock(lang, start + i * step, zone)}–${clock(lang, start + (i + 1) * step, zone)}`, rows)
      },
    },
  }
}
