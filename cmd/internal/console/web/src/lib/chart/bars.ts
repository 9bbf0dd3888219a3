// Bars of energy: where it came from above the axis, where it went below; or one stack alone.
import type { ECBasicOption } from 'echarts/types/dist/shared'
import { energy, number } from '../format'
import type { Lang } from '../prefs.svelte'
import { tooltipLook, tooltipRows, type Colours } from './theme'

export interface Bar {
  name: string
  colour: string
  values: (number | null)[]
  down?: boolean
}

export function barsOption(labels: string[], titles: string[], bars: Bar[], c: Colours, lang: Lang, width: number): ECBasicOption {
  const big = Math.max(0, ...labels.map((_, i) => bars.reduce((a, b) => a + (b.values[i] ?? 0), 0))) >= 4000
  const scale = big ? 1000 : 1
  return {
    animation: false,
    textStyle: { fontFamily: 'inherit' },
    grid: { left: width < 560 ? 42 : 56, right: 8, top: 24, bottom: 26 },
    xAxis: { type: 'category', data: labels, axisLine: { onZero: true, lineStyle: { color: c.ink3 } }, axisTick: { show: false }, axisLabel: { color: c.ink3, fontSize: 12, hideOverlap: true }, position: 'bottom', axisPointer: { type: 'shadow', shadowStyle: { color: c.sunken, opacity: 0.6 } } },
    yAxis: { type: 'value', name: big ? 'MWh' : 'kWh', nameTextStyle: { color: c.ink3, align: 'right', padding: [0, 6, 0, 0] }, nameGap: 10, axisLabel: { color: c.ink3, fontSize: 12, formatter: (x: number) => number(lang, Math.abs(x)) }, splitLine: { lineStyle: { color: c.line } } },
    series: bars.map((b) => ({ type: 'bar', name: b.name, stack: 'all', barMaxWidth: 34, barCategoryGap: '28%', itemStyle: { color: b.colour }, emphasis: { disabled: true }, data: b.values.map((v) => (v === null ? null : ((b.down ? -1 : 1) * v) / scale)) })),
    tooltip: {
      trigger: 'axis',
      ...tooltipLook(c),
      formatter: (params: { dataIndex: number }[]) => {
        const i = params[0]?.dataIndex ?? 0
        return tooltipRows(titles[i] ?? '', bars.map((b) => ({ colour: b.colour, name: b.name, values: [energy(lang, b.values[i])] })))
      },
    },
  }
}
