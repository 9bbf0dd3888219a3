// Where the energy of a period came from and where it went, by carrier.
import type { ECBasicOption } from 'echarts/types/dist/shared'
import type { Schemas, Totals } from '../api'
import { energy } from '../format'
import { t, term } from '../i18n'
import type { Lang } from '../prefs.svelte'
import { tooltipLook, type Colours } from './theme'

export interface Flow {
  from: string
  to: string
  kwh: number
}

/** A node's own name, which ECharts wants unique: what stands before the bar is the carrier, what stands after it is shown. */
const node = (carrier: string, name: string) => `${carrier}|${name}`

/** The flows of a period: electricity by what uses it, every other carrier by what is metered. What meters do not explain is a flow of its own, on the side on which it lacks. */
export function flows(x: Totals, others: Schemas['Line'][], middle: string): Flow[] {
  const hub = node('electricity', middle)
  const out: Flow[] = []
  const add = (from: string, to: string, kwh: number) => kwh > 0.0005 && out.push({ from, to, kwh })
  const e = (name: string) => node('electricity', name)
  add(e(t('balance.production')), hub, x.production_kwh)
  add(e(t('balance.discharge')), hub, x.discharge_kwh)
  add(e(t('balance.import')), hub, x.import_kwh)
  add(e(t('balance.residual')), hub, x.residual_kwh)
  add(hub, e(t('balance.other')), x.other_kwh)
  add(hub, e(t('balance.heat')), x.heat_kwh)
  add(hub, e(t('balance.cars')), x.cars_kwh)
  add(hub, e(t('balance.charge')), x.charge_kwh)
  add(hub, e(t('balance.export')), x.export_kwh)
  add(hub, e(t('balance.residual') + ' '), -x.residual_kwh)
  for (const l of others) {
    const c = l.carrier
    const own = node(c, term('carrier.', c))
    add(node(c, t('carrier.delivered')), own, l.delivered_wh / 1000)
    add(node(c, t('carrier.generated')), own, l.generated_wh / 1000)
    add(node(c, t('carrier.converted')), own, l.converted_wh / 1000)
    add(node(c, t('carrier.discharge')), own, l.discharge_wh / 1000)
    add(node(c, t('balance.residual')), own, l.residual_wh / 1000)
    add(own, node(c, t('carrier.consumed')), l.consumed_wh / 1000)
    add(own, node(c, t('carrier.exported')), l.exported_wh / 1000)
    add(own, node(c, t('carrier.charge')), l.charge_wh / 1000)
    add(own, node(c, t('balance.residual') + ' '), -l.residual_wh / 1000)
  }
  return out
}

export const shown = (name: string) => name.split('|')[1]!.trim()

export function sankeyOption(list: Flow[], c: Colours, lang: Lang, width: number): ECBasicOption {
  const colour = (name: string): string => {
    const [carrier, label] = [name.split('|')[0], shown(name)]
    if (carrier !== 'electricity') return carrier === 'gas' ? c.ink3 : carrier === 'cold' ? c.export : c.heat
    const of: [string, string][] = [[t('balance.production'), c.sun], [t('balance.discharge'), c.storage], [t('balance.charge'), c.storage], [t('balance.import'), c.grid], [t('balance.export'), c.export], [t('balance.heat'), c.heat], [t('balance.cars'), c.cars]]
    return of.find(([n]) => n === label)?.[1] ?? c.use
  }
  const names = [...new Set(list.flatMap((f) => [f.from, f.to]))]
  const through = (name: string) => Math.max(list.filter((f) => f.to === name).reduce((a, f) => a + f.kwh, 0), list.filter((f) => f.from === name).reduce((a, f) => a + f.kwh, 0))
  const narrow = width < 560
  return {
    animation: false,
    textStyle: { fontFamily: 'inherit' },
    tooltip: {
      ...tooltipLook(c),
      formatter: (p: { dataType: string; name: string; data: { source?: string; target?: string; value?: number } }) =>
        p.dataType === 'edge' ? `${shown(p.data.source!)} → ${shown(p.data.target!)}: ${energy(lang, p.data.value)}` : `${shown(p.name)}: ${energy(lang, through(p.name))}`,
    },
    series: [{
      type: 'sankey',
      left: 4, right: narrow ? 110 : 190, top: 8, bottom: 8,
      nodeWidth: 12, nodeGap: narrow ? 14 : 12, draggable: false, emphasis: { focus: 'adjacency' },
      label: { color: c.ink, fontSize: narrow ? 11 : 12.5, formatter: (p: { name: string }) => (narrow ? shown(p.name) : `${shown(p.name)}  ${energy(lang, through(p.name))}`) },
      lineStyle: { color: 'gradient', opacity: 0.35, curveness: 0.5 },
      data: names.map((name) => ({ name, itemStyle: { color: colour(name), borderWidth: 0 } })),
      links: list.map((f) => ({ source: f.from, target: f.to, value: f.kwh })),
    }],
  }
}
