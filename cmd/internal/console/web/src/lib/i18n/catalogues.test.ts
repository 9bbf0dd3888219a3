import { expect, it } from 'vitest'
import { en } from './en'
import { fr } from './fr'

const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()

it('both languages fill in the same values', () => {
  for (const key of Object.keys(en) as (keyof typeof en)[]) expect([key, names(fr[key])]).toEqual([key, names(en[key])])
})

it('no text is empty', () => {
  for (const [key, text] of [...Object.entries(en), ...Object.entries(fr)]) expect(text.trim(), key).not.toBe('')
})
