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

it.each([
  ['en', en, import.meta.glob<Record<string, Record<string, string>>>(['./en/*.ts', '!**/index.ts'], { eager: true })],
  ['fr', fr, import.meta.glob<Record<string, Record<string, string>>>(['./fr/*.ts', '!**/index.ts'], { eager: true })],
] as const)('every file of texts is in the catalogue %s, and no two share a prefix', (_, catalogue, files) => {
  const parts = Object.values(files).flatMap((file) => Object.values(file))
  expect(catalogue).toMatchObject(Object.assign({}, ...parts))
  const prefixes = parts.flatMap((part) => [...new Set(Object.keys(part).map((key) => key.split('.')[0]))])
  expect(prefixes.length).toBeGreaterThan(0)
  expect(prefixes).toEqual([...new Set(prefixes)])
})
