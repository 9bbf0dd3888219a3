import { describe, expect, it } from 'vitest'
import { age, carbonMass, dayStart, energy, isoDay, money, number, percent, power, price, value } from './format'

const s = '\u202f'

describe('numbers for people', () => {
  it('have three significant digits and their unit', () => {
    expect(power('en', 312.44)).toBe(`312${s}kW`)
    expect(power('en', 3.1244)).toBe(`3.12${s}kW`)
    expect(power('fr', 3.1244)).toBe(`3,12${s}kW`)
    expect(power('en', 1234)).toBe(`1.23${s}MW`)
    expect(energy('en', 51234)).toBe(`51.2${s}MWh`)
    expect(carbonMass('en', 0.4567)).toBe(`0.46${s}kg`)
  })
  it('never show minus zero', () => {
    expect(power('en', -0.01)).toBe(`0${s}kW`)
    expect(power('en', -0)).toBe(`0${s}kW`)
    expect(money('en', -0.001)).toBe('€0.00')
  })
  it('show what is missing as missing', () => {
    for (const f of [power, energy, carbonMass, money, price, percent]) expect(f('en', null)).toBe('–')
    expect(number('en', NaN)).toBe('–')
  })
  it('say prices in cents', () => {
    expect(price('en', 0.1579)).toBe(`15.79${s}ct/kWh`)
    expect(price('en', -0.01)).toBe(`-1.00${s}ct/kWh`)
  })
  it('follow the unit of a series', () => {
    expect(value('en', 0.614, 'share')).toBe('61.4%')
    expect(value('fr', 58.24, 'degC')).toBe(`58,2${s}°C`)
    expect(value('en', 4, 'state')).toBe('4')
  })
})

describe('times for people', () => {
  it('are civil days of the zone', () => {
    expect(isoDay('2026-01-31T23:30:00Z', 'Europe/Paris')).toBe('2026-02-01')
    expect(isoDay('2026-01-31T22:30:00Z', 'Europe/Paris')).toBe('2026-01-31')
  })
  it('begin at midnight of the zone, also beside a change of clocks', () => {
    expect(dayStart('2026-01-31', 'Europe/Paris').toISOString()).toBe('2026-01-30T23:00:00.000Z')
    expect(dayStart('2026-03-29', 'Europe/Paris').toISOString()).toBe('2026-03-28T23:00:00.000Z')
    expect(dayStart('2026-03-30', 'Europe/Paris').toISOString()).toBe('2026-03-29T22:00:00.000Z')
    expect(dayStart('2026-10-26', 'Europe/Paris').toISOString()).toBe('2026-10-25T23:00:00.000Z')
    expect(dayStart('2026-07-14', 'America/New_York').toISOString()).toBe('2026-07-14T04:00:00.000Z')
  })
  it('give an age in its largest unit', () => {
    expect(age('en', 12)).toBe(`12${s}s`)
    expect(age('en', 180)).toBe(`3${s}min`)
    expect(age('fr', 3 * 86400)).toBe(`3${s}j`)
  })
})
