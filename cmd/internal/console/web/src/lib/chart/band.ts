// A soft area between two series of slots, behind their line.
type Values = (number | null)[]

interface Api {
  value(i: number): number
  coord(p: number[]): number[]
}

/** The series that draws the band of the slots from one to another; undefined where there is none. */
export function band(name: string, start: number, step: number, low: Values, high: Values, from: number, to: number, colour: string, opacity: number): object | undefined {
  const data: [number, number, number, number][] = []
  for (let i = from; i < to; i++) {
    const [a, b] = [low[i], high[i]]
    if (a !== null && a !== undefined && b !== null && b !== undefined && b > a) data.push([start + i * step, a, b, start + (i + 1) * step])
  }
  if (data.length === 0) return undefined
  return {
    type: 'custom', name, data, silent: true, animation: false, clip: true, z: 1,
    encode: { x: [0, 3], y: [1, 2] },
    renderItem: (_: unknown, api: Api) => {
      const [x, bottom] = api.coord([api.value(0), api.value(1)]) as [number, number]
      const [right, top] = api.coord([api.value(3), api.value(2)]) as [number, number]
      const left = Math.round(x) // whole points, so that neighbours leave no seam
      return {
        type: 'group',
        children: [
          { type: 'rect', shape: { x: left, y: top, width: Math.round(right) - left, height: bottom - top }, style: { fill: colour, opacity } },
          // its ends, for eyes that tell the colours apart badly
          { type: 'line', shape: { x1: left, x2: Math.round(right), y1: top, y2: top }, style: { stroke: colour, lineWidth: 0.8, opacity: Math.min(1, 2.2 * opacity) } },
          { type: 'line', shape: { x1: left, x2: Math.round(right), y1: bottom, y2: bottom }, style: { stroke: colour, lineWidth: 0.8, opacity: Math.min(1, 2.2 * opacity) } },
        ],
      }
    },
  }
}
