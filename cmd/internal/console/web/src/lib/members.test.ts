import { expect, it } from 'vitest'
import type { MemberShare } from './api'
import { column, ordered } from './members'

const member = (name: string, kwh: number, local: number | null): MemberShare =>
  ({ member: { name, site_name: 'Tilleuls' }, energy: { consumption_kwh: kwh }, local_share: local, share: null, unused_kwh: null }) as MemberShare
const list = [member('Zoé', 10, 0.2), member('élise', 30, null), member('Adam', 20, 0.9), member('Lot 10', 20, 0.1), member('Lot 9', 20, 0.1)]
const names = (by: string, down = false) => ordered(list, column(by), down, 'fr').map((m) => m.member.name)

it('names are in the order of the language, numbers in them by value', () => {
  expect(names('name')).toEqual(['Adam', 'élise', 'Lot 9', 'Lot 10', 'Zoé'])
})

it('numbers are sorted both ways, equal ones by name', () => {
  expect(names('consumption_kwh')).toEqual(['Zoé', 'Adam', 'Lot 9', 'Lot 10', 'élise'])
  expect(names('consumption_kwh', true)).toEqual(['élise', 'Adam', 'Lot 9', 'Lot 10', 'Zoé'])
})

it('members without a value come last either way', () => {
  expect(names('local_share').at(-1)).toBe('élise')
  expect(names('local_share', true).at(-1)).toBe('élise')
})

it('an unknown column is the name', () => expect(column('password')).toBe('name'))
