import { expect, it, vi } from 'vitest'
import { alarmDetail, commandWords, conflictWords, detailWords, faultWords, reasonNumbers, reasonWords } from '.'
import { prefs } from '../prefs.svelte'

vi.mock('../prefs.svelte', () => ({ prefs: { lang: 'en' } })) // the real one asks the browser
const name = (object: string) => object.toUpperCase()

it('a limit in conflict is said in the reader’s language', () => {
  const line = 'grid.import_limit_kw of the district from 2026-01-31 10:15 to 2026-01-31 11:00 lacks 3.200 kW'
  prefs.lang = 'fr'
  expect(conflictWords(line, name)).toMatch(/^limite de soutirage · .*quartier.* 10:15 à 11:00 · il manque 3,2\s?kW$/)
  expect(conflictWords('final_min_kwh of ecole/battery from 2026-01-31 23:45 to 2026-02-01 00:00 lacks 1.500 kWh', name)).toMatch(/^voulu à la fin · ECOLE\/BATTERY · sam.*23:45 à dim.*00:00 · il manque 1,5\s?kWh$/)
  prefs.lang = 'en'
  expect(conflictWords(line, name)).toMatch(/^import limit · .*10:15 to 11:00 · lacks 3\.2\s?kW$/)
  expect(conflictWords('something new', name)).toBe('something new')
  expect(alarmDetail('plan-infeasible', line + '; ' + line, name)).toHaveLength(2)
  expect(alarmDetail('device-lost', 'over after 48 s', name)[0]!.text).toMatch(/^over after 48\s?s$/)
})

it('a fault is said by what it means, with its own words beside it', () => {
  prefs.lang = 'fr'
  for (const [raw, text] of [
    ['modbus tcp://10.0.4.17:502 unit 3: read holding 40083+2: device unreachable: dial tcp 10.0.4.17:502: connect: connection refused', 'Rien n’écoute à son adresse.'],
    ['pv: read: device unreachable: silent, asked again in 4s: read tcp: i/o timeout', 'Pas de réponse à temps.'],
    ['modbus: device unreachable: request timed out', 'Pas de réponse à temps.'],
    ['b1: write setpoint_kw: device rejected the request: exception illegal data value', 'L’appareil rejette la demande.'],
    ['charge_kw 80 kW outside [-50, 50] kW', 'La valeur est hors de ce que l’appareil accepte.'],
  ] as const) expect(faultWords(raw)).toEqual({ text, raw })
  expect(faultWords('toner low')).toEqual({ text: 'toner low', raw: '' })
  expect(detailWords('hold: 15 s').text).toContain('15')
  prefs.lang = 'en'
})

it('what holds a command back is said in words', () => {
  prefs.lang = 'en'
  expect(detailWords('interval: 600 s').text).toMatch(/spared.*10\s?min/)
  expect(detailWords('hold: 900 s, until 2026-01-14T10:15:00Z', 'Europe/Paris').text).toMatch(/until 11:15: .*15\s?min/)
  expect(detailWords('run: 1200 s, until 2026-01-14T10:15:00Z').text).toMatch(/until 10:15: its compressor runs 20\s?min at least/)
  expect(detailWords('rest: 600 s, until 2026-01-14T10:15:00Z; 3 commands before, 0.00 to 0.00 kW').text).toMatch(/rests 10\s?min at least · 3 commands/)
  expect(detailWords('hold: 15 s, until 2026-01-14T10:15:07Z').text).toContain('10:15:07')
  expect(detailWords('interval: 600 s, 240 s left').text).toMatch(/for 4\s?min more: .*every 10\s?min/)
  expect(detailWords('ramp: 1 /s').text).toContain('spread')
  expect(detailWords("owner's limit: 70 %").text).toMatch(/70\s?%/)
  expect(detailWords('dev: release: limit_a is at 8, and we wrote 16: somebody else commands the device').text).toContain('Another system')
  expect(commandWords('limit_share as before (own control)')).toBe('own control')
})

it('a battery that does other than planned says why in a sentence', () => {
  const reason = 'cover: -5.0 kW planned, 7.0 kW net without storage, 5.0 kW expected, worth 0.2130 EUR/kWh, price 0.4000 EUR/kWh'
  prefs.lang = 'en'
  expect(reasonWords(reason)).toBe('covers more than planned')
  expect(reasonNumbers(reason)).toMatch(/^Planned: discharging at 5\s?kW; without storage the district takes 7\s?kW \(expected: 5\s?kW\)\. .*21\.30?\s?ct.*40(\.00)?\s?ct/)
  expect(detailWords('5 commands before, -9.00 to -7.00 kW').text).toMatch(/^5 commands before, .9\s?kW to .7\s?kW$/)
  expect(detailWords('1 commands before, 17.60 to 17.60 kW').text).toMatch(/^one command before, 17\.6\s?kW$/)
  expect(detailWords('3 commands before, 0.00 to 0.00 kW').text).toMatch(/^3 commands before, 0\s?kW$/)
  expect(reasonNumbers('store: 21.4 kW planned, -258.0 kW net without storage, -296.0 kW expected, worth 0.0671 EUR/kWh, price 0.2145 EUR/kWh')).toMatch(/district feeds 258\s?kW \(expected: 296\s?kW\)/)
  expect(reasonNumbers('store: 21.4 kW planned, -25.0 kW net without storage, 9.0 kW expected, worth 0.0671 EUR/kWh, price 0.2145 EUR/kWh')).toMatch(/district feeds 25\s?kW \(expected: takes 9\s?kW\)/)
  expect(detailWords('hold: 5 s; 2 commands before, 0.00 to 1.50 kW').text).toMatch(/ · 2 commands before/)
  prefs.lang = 'fr'
  expect(reasonWords(reason)).toBe('couvre plus que prévu')
  expect(reasonNumbers(reason)).toMatch(/hors stockage le quartier prend 7\s?kW \(attendu\s: 5\s?kW\)/)
  prefs.lang = 'en'
})
