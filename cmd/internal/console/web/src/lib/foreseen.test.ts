import { expect, it, vi } from 'vitest'
import type { DayView } from './api'
import { band } from './chart/band'
import { dayKeys, dayTable, valuesOf } from './chart/day'
import { expected, range } from './foreseen'
import { prefs } from './prefs.svelte'

vi.mock('./prefs.svelte', () => ({ prefs: { lang: 'en' } })) // the real one asks the browser

it('a band is said beside its value, in one unit or in two', () => {
  expect(range('en', 9, 16, 'kW')).toBe('9 to 16')
  expect(range('en', 900, 1100, 'kW')).toMatch(/^900\s?kW to 1\.1\s?MW$/)
  expect(range('en', -3.2, -1, 'degC')).toBe('-3.2 to -1')
  expect(range('en', 0.1579, 0.1579, 'EUR/kWh')).toBe('settled')
  expect(range('en', null, 4, 'kW')).toBe('')
  expect(expected('en', { mean: 12, low: 9, high: 16 }, 'kW')).toMatch(/^12\s?kW, between 9 and 16 in four of five cases$/)
  expect(expected('en', { mean: 12, low: null, high: null }, 'kW')).toMatch(/^12\s?kW$/)
  prefs.lang = 'fr'
  expect(expected('fr', { mean: 0.2, low: 0.15, high: 0.25 }, 'EUR/kWh')).toMatch(/^20,00\s?ct\/kWh, entre 15,00 et 25,00 dans quatre cas sur cinq$/)
  prefs.lang = 'en'
})

it('a band is drawn in the slots alone that have one with a width', () => {
  const b = band('x', 1000, 10, [1, null, 3, 4], [2, 5, 3, 6], 0, 4, 'red', 0.2) as { data: number[][] }
  expect(b.data).toEqual([[1000, 1, 2, 1010], [1030, 4, 6, 1040]])
  expect(band('x', 0, 10, [null, 2], [1, 2], 0, 2, 'red', 0.2)).toBeUndefined()
})

it('consumption less sun stands in chart and table only where the plan foresees it, and over the past lies the band of midnight', () => {
  const powers = (other: number, sun: number) => ({ sun: [sun, sun], grid: [0, 0], storage: [0, 0], heat: [0, 0], cars: [0, 0], other: [other, other], residual: [0, 0] })
  const net = (low: number, high: number) => ({ quantity: 'net' as const, mean: [1, 1], low: [low, low], high: [high, high], stepped_back: false, created_at: '' })
  const v = { start: '2026-01-14T10:00:00Z', end: '2026-01-14T12:00:00Z', now: '2026-01-14T11:00:00Z', step_minutes: 60, slots: 2, measured: powers(5, 2), import_price: [0.2, 0.2], carbon_g_per_kwh: [50, 50],
    first: { power: powers(4, 1), foreseen: [net(0, 9)] }, latest: { power: powers(6, 4), foreseen: [net(1, 3)] } } as unknown as DayView
  expect(dayKeys(v).at(-1)).toBe('net')
  expect(valuesOf(v.measured, 'net')).toEqual([3, 3])
  const [past, planned] = dayTable(v)
  expect([past!.values.at(-1), past!.bands.at(-1)]).toEqual([3, { low: 0, high: 9 }])
  expect([planned!.values.at(-1), planned!.bands.at(-1)]).toEqual([2, { low: 1, high: 3 }])
  expect(past!.bands[0]).toBeUndefined()
  const old = { ...v, latest: { ...v.latest!, foreseen: [] } }
  expect(dayKeys(old)).not.toContain('net')
  expect(dayTable(old)[1]!.values).toHaveLength(6)
})
