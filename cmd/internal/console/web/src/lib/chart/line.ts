// One quantity of a device over time, with what is planned behind it.
import type { ECBasicOption } from 'echarts/types/dist/shared'
import { clock, dayName, number, value } from '../format'
import { t } from '../i18n'
import type { Lang } from '../prefs.svelte'
import { tooltipLook, tooltipRows, type Colours } from './theme'

export interface Line {
  start: number
  step: number
  values: (number | null)[]
}

export function lineOption(measured: Line, planned: Line | null, unit: string, colour: string, c: Colours, lang: Lang, zone: string, now: number): ECBasicOption {
  const points = (l: Line) => l.values.map((v, i) => [l.start + i * l.step, v])
  const look = (l: Line, i: number) => l.values[i] ?? null
  const end = planned ? planned.start + planned.values.length * planned.step : measured.start + measured.values.length * measured.step
  const percent = unit === '1' && measured.values.every((v) => v === null || (v >= 0 && v <= 1.001))
  const shownUnit = percent ? 'share' : unit
  return {
    animation: false,
    textStyle: { fontFamily: 'inherit' },
    grid: { left: 52, right: 12, top: 20, bottom: 26 },
    xAxis: { type: 'time', min: measured.start, max: end, axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, splitLine: { show: false }, axisLabel: { color: c.ink3, fontSize: 12, hideOverlap: true, formatter: (x: number) => clock(lang, x, zone) } },
    yAxis: { type: 'value', scale: unit !== 'kW' && unit !== 'kWh' && !percent, min: percent ? 0 : undefined, max: percent ? 1 : undefined, axisLabel: { color: c.ink3, fontSize: 12, formatter: (x: number) => (percent ? value(lang, x, 'share') : number(lang, x)) }, splitLine: { lineStyle: { color: c.line } }, name: percent ? '' : unit.replace('degC', '°C'), nameTextStyle: { color: c.ink3, align: 'right', padding: [0, 6, 0, 0] }, nameGap: 8 },
    series: [
      { type: 'line', data: points(measured), symbol: 'none', step: unit === 'kW' || unit === 'state' ? 'end' : false, connectNulls: false, lineStyle: { color: colour, width: 2 }, areaStyle: { color: colour, opacity: 0.12 },
        markLine: { silent: true, symbol: 'none', animation: false, lineStyle: { color: c.ink2, type: 'solid' }, label: { formatter: t('common.now'), color: c.ink2 }, data: planned ? [{ xAxis: now }] : [] } },
      ...(planned ? [{ type: 'line', data: points(planned), symbol: 'none', step: unit === 'kW' ? 'end' : false, lineStyle: { color: colour, width: 2, type: [5, 4] }, areaStyle: { color: colour, opacity: 0.05 } }] : []),
    ],
    tooltip: {
      trigger: 'axis',
      ...tooltipLook(c),
      formatter: (params: { axisValue: number }[]) => {
        const x = params[0]?.axisValue ?? measured.start
        const m = look(measured, Math.floor((x - measured.start) / measured.step))
        const rows = []
        if (m !== null && x <= now) rows.push({ colour, name: t('chart.measured'), values: [value(lang, m, shownUnit)] })
        const p = planned && x >= planned.start ? look(planned, Math.floor((x - planned.start) / planned.step)) : null
        if (p !== null) rows.push({ name: t('chart.planned'), values: [value(lang, p, shownUnit)] })
        return tooltipRows(`${dayName(lang, x, zone)} ${clock(lang, x, zone)}`, rows)
      },
    },
  }
}
