import { expect, it } from 'vitest'
import type { Flows } from './api'
import { bandWidth, nodes } from './flow'

const flows = { sun_kw: 120, grid_kw: -20, storage_kw: 30, buildings_kw: 50, heat_kw: 0.01, cars_kw: null } as Flows

it('power moves where its sign says', () => {
  const way = Object.fromEntries(nodes(flows, false).map((n) => [n.name, n.way]))
  expect(way).toEqual({ sun: 'in', grid: 'out', storage: 'out', buildings: 'out', heat: 'none', cars: 'none' })
  expect(nodes({ ...flows, grid_kw: 5, storage_kw: -3 } as Flows, true).filter((n) => n.way === 'in').map((n) => n.name)).toEqual(['sun', 'grid', 'storage'])
})

it('a band is wider with more power and never invisible', () => {
  expect(bandWidth(null, 100)).toBeGreaterThan(0)
  expect(bandWidth(1, 100)).toBeLessThan(bandWidth(50, 100))
  expect(bandWidth(500, 100)).toBe(bandWidth(100, 100))
})
