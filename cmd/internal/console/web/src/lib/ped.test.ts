import { expect, it, vi } from 'vitest'
import type { Schemas } from './api'
import { bars, bounds, main, saying, signed } from './ped'
import { prefs } from './prefs.svelte'

vi.mock('./prefs.svelte', () => ({ prefs: { lang: 'en' } })) // the real one asks the browser

const result = (period: string, verdict: string, balance_kwh: number, coverage = 1) => ({ period, verdict, balance_kwh, coverage, start: '2025-10-31T23:00:00Z', end: '2026-10-31T23:00:00Z' })
const ped = (verdict: string, kwh: number, coverage = 1) =>
  ({ profile: { id: 'p', version: 2, name_en: 'the profile', name_fr: 'le profil', min_coverage: 0.95 }, balances: [result('span', 'open', 99_000_000), result('rolling_12_months', verdict, kwh, coverage), result('year_to_date', 'open', kwh / 2)],
    projection: { balance_kwh: kwh / 4, low_kwh: -kwh, high_kwh: 2 * kwh } }) as unknown as Schemas['PED']
const day = () => 'the day'

it('is called positive by the profile’s name alone, and of twelve months alone', () => {
  const p = ped('positive', 5000)
  expect(saying('en', 'Fontaine', p, main(p)!, day)).toMatch(/Fontaine is positive by the profile.*twelve months to the day.*5\s?MWh/)
  const not = ped('not_positive', -5000)
  expect(saying('en', 'Fontaine', not, main(not)!, day)).toMatch(/not positive by the profile/)
  const open = ped('open', 5000, 0.4)
  expect(saying('en', 'Fontaine', open, main(open)!, day)).toMatch(/the profile.*40\s?%.*95\s?%/)
  expect(saying('en', 'Fontaine', open, main(open)!, day)).not.toMatch(/is positive/)
  prefs.lang = 'fr'
  expect(saying('fr', 'Fontaine', p, main(p)!, day)).toMatch(/positif selon le profil/)
  prefs.lang = 'en'
})

it('draws every bar of every profile inside the same width, nought in the middle', () => {
  const list = [ped('positive', 5000), ped('not_positive', -900)]
  const most = bounds(list)
  expect(most).toBe(10_000)
  for (const p of list)
    for (const b of bars(p, most)) {
      expect(b.left).toBeGreaterThanOrEqual(0)
      expect(b.left + b.width).toBeLessThanOrEqual(100)
      expect(b.value > 0 ? b.left : b.left + b.width).toBeCloseTo(50)
      if (b.interval) expect(b.interval.left + b.interval.width).toBeLessThanOrEqual(100)
    }
  expect(bars(list[0]!, most).map((b) => b.key)).toEqual(['rolling_12_months', 'year_to_date', 'projection'])
})

it('a balance has its sign', () => {
  expect(signed('en', 12)).toMatch(/^\+12/)
  expect(signed('en', -12)).toMatch(/^[-−]12/)
})
