// The geometry of the flow diagram: nodes around a hub, bands whose width follows the power.
import type { Flows } from './api'

export type NodeName = 'sun' | 'grid' | 'storage' | 'buildings' | 'heat' | 'cars'
export interface FlowNode {
  name: NodeName
  x: number
  y: number
  kw: number | null
  /** towards the hub, away from it, or neither */
  way: 'in' | 'out' | 'none'
}

const quiet = 0.05 // kW below which nothing moves

/** The nodes of a wide or narrow diagram. */
export function nodes(f: Flows, narrow: boolean): FlowNode[] {
  const at: Record<NodeName, [number, number]> = narrow
    ? { sun: [64, 58], grid: [296, 58], storage: [180, 58], buildings: [64, 330], heat: [180, 330], cars: [296, 330] }
    : { sun: [96, 62], grid: [96, 178], storage: [96, 294], buildings: [664, 62], heat: [664, 178], cars: [664, 294] }
  const node = (name: NodeName, kw: number | null, into: boolean): FlowNode => ({
    name,
    x: at[name][0],
    y: at[name][1],
    kw,
    way: kw === null || Math.abs(kw) < quiet ? 'none' : into === kw > 0 ? 'in' : 'out',
  })
  return [
    node('sun', f.sun_kw, true),
    node('grid', f.grid_kw, true),
    node('storage', f.storage_kw, false),
    node('buildings', f.buildings_kw, false),
    node('heat', f.heat_kw, false),
    node('cars', f.cars_kw, false),
  ]
}

/** Width of a band in px: by the square root, so that small flows stay visible beside large ones. */
export function bandWidth(kw: number | null, largest: number): number {
  if (kw === null || Math.abs(kw) < quiet || largest <= 0) return 1.5
  return 3 + 23 * Math.sqrt(Math.min(1, Math.abs(kw) / largest))
}

/** The curve from a node to the hub. */
export function curve(n: FlowNode, hub: { x: number; y: number }, narrow: boolean): string {
  if (narrow) {
    const my = (n.y + hub.y) / 2
    return `M${n.x} ${n.y} C${n.x} ${my} ${hub.x} ${my} ${hub.x} ${hub.y}`
  }
  const mx = (n.x + hub.x) / 2
  return `M${n.x} ${n.y} C${mx} ${n.y} ${mx} ${hub.y} ${hub.x} ${hub.y}`
}

/** Seconds for a dash to run its length: faster with more power. */
export function dashSeconds(kw: number | null, largest: number): number {
  if (kw === null || largest <= 0) return 2
  return 2.4 - 1.6 * Math.sqrt(Math.min(1, Math.abs(kw) / largest))
}
