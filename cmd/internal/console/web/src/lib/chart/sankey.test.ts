import { expect, it, vi } from 'vitest'
import type { Schemas, Totals } from '../api'
import { flows, shown } from './sankey'

vi.mock('../prefs.svelte', () => ({ prefs: { lang: 'en' } })) // the real one asks the browser

it('what flows into each middle flows out of it, residuals and other carriers included', () => {
  const x = { production_kwh: 100, discharge_kwh: 10, import_kwh: 20, residual_kwh: -3, other_kwh: 60, heat_kwh: 15, cars_kwh: 12, charge_kwh: 11, export_kwh: 29 } as Totals
  const heat = { carrier: 'heat', delivered_wh: 5000, generated_wh: 300, converted_wh: 1500, discharge_wh: 0, residual_wh: -200, consumed_wh: 6600, exported_wh: 0, charge_wh: 0 } as Schemas['Line']
  const list = flows(x, [heat], 'Fontaine')
  for (const middle of new Set(list.map((f) => f.to).filter((n) => list.some((f) => f.from === n)))) {
    const into = list.filter((f) => f.to === middle).reduce((a, f) => a + f.kwh, 0)
    const out = list.filter((f) => f.from === middle).reduce((a, f) => a + f.kwh, 0)
    expect(into, shown(middle)).toBeCloseTo(out, 6)
  }
  expect(list.every((f) => f.kwh > 0)).toBe(true)
  expect(list.filter((f) => f.from === f.to)).toHaveLength(0)
  const names = new Set(list.flatMap((f) => [f.from, f.to]))
  expect([...names].filter((n) => list.some((f) => f.from === n) && list.some((f) => f.to === n))).toHaveLength(2)
})
