import { describe, expect, it, vi } from 'vitest'
import { orderFault, orderReason } from './i18n/order'
import { prefs } from './prefs.svelte'
import { fromLocal, toLocal, weekday, weekdays } from './orders'

vi.mock('./prefs.svelte', () => ({ prefs: { lang: 'en' } })) // the real one asks the browser

describe('days of the week', () => {
  it('have their names in both languages', () => {
    expect(weekdays.map((d) => weekday('en', d))).toEqual(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])
    expect(weekday('fr', 'sun')).toBe('dim.')
  })
})

describe('local times', () => {
  const zone = 'Europe/Paris'
  it('come back as they were, in winter and in summer', () => {
    for (const [local, utc] of [['2026-01-14T18:00', '2026-01-14T17:00:00.000Z'], ['2026-07-14T00:30', '2026-07-13T22:30:00.000Z']] as const) {
      expect(fromLocal(local, zone)?.toISOString()).toBe(utc)
      expect(toLocal(Date.parse(utc), zone)).toBe(local)
    }
  })
  it('are the first of two in autumn, and an hour later where there is none in spring', () => {
    expect(fromLocal('2026-10-25T02:30', zone)?.toISOString()).toBe('2026-10-25T00:30:00.000Z')
    expect(toLocal(fromLocal('2026-03-29T02:30', zone)!.getTime(), zone)).toBe('2026-03-29T03:30')
  })
  it('that are none are none', () => expect(fromLocal('', zone)).toBeUndefined())
})

describe('what the API says of an order', () => {
  it('is told in the reader’s language', () => {
    const plain = (s: string) => s.replace(/[\u202f\u00a0]/g, ' ')
    const said: [string, string, string][] = [
      ['value: 5000 kW is outside -80 to 80 kW', '5 MW is outside -80 kW to 80 kW.', '5 MW n’est pas entre -80 kW et 80 kW.'],
      ['value: 1e+300 kW is outside 0 to 100000 kW', 'is outside 0 kW to', 'n’est pas entre 0 kW et'],
      ['high: 20 °C is not between 22 and 35 °C', '20 °C is outside 22 °C to 35 °C.', '20 °C n’est pas entre 22 °C et 35 °C.'],
      ['value: missing: import_limit is in kW', 'The value is missing.', 'La valeur manque.'],
      ['end: 2026-01-15T04:38:01Z is over', 'The end, 15 Jan, 05:38, is in the past.', 'La fin, 15 janv., 05:38, est passée.'],
      ['end: 2026-01-15T04:38:01Z is not after the start 2026-01-15T06:40:34Z', '15 Jan, 07:40', '15 janv., 07:40'],
      ['end: missing: only lock_out and quiet_hours may stay until somebody ends them', 'The end is missing', 'La fin manque'],
      ['device: a heat_pump takes no ready_by', 'Heat pump', 'Pompe à chaleur'],
      ['something new', 'something new', 'something new'],
    ]
    for (const [fault, en, fr] of said) {
      prefs.lang = 'en'
      expect(plain(orderFault(fault, 'Europe/Paris'))).toContain(en)
      prefs.lang = 'fr'
      expect(plain(orderFault(fault, 'Europe/Paris'))).toContain(fr)
    }
    expect(plain(orderReason('silence', 'the signal of modbus 10.0.0.7 fell silent at 120 kW'))).toBe('le signal de modbus 10.0.0.7 s’est tu à 120 kW')
    expect(orderReason('console', 'the signal of mine')).toBe('the signal of mine')
  })
})
