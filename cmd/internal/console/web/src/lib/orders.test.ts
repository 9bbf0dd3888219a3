import { describe, expect, it } from 'vitest'
import { fromLocal, toLocal, weekday, weekdays } from './orders'

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
