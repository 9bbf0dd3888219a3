// Colours of charts, from the same variables as everything else.
export interface Colours {
  ink: string
  ink2: string
  ink3: string
  line: string
  card: string
  sunken: string
  sun: string
  grid: string
  export: string
  storage: string
  heat: string
  cars: string
  use: string
  brand: string
}

export function colours(): Colours {
  const style = getComputedStyle(document.documentElement)
  const v = (name: string) => style.getPropertyValue('--' + name).trim()
  return {
    ink: v('ink'), ink2: v('ink-2'), ink3: v('ink-3'), line: v('line'), card: v('card'), sunken: v('sunken'), sun: v('sun'), grid: v('grid'), export: v('export'),
    storage: v('storage'), heat: v('heat'), cars: v('cars'), use: v('use'), brand: v('brand'),
  }
}

/** A colour between two, for ribbons; share in 0 to 1. */
export function between(a: [number, number, number], b: [number, number, number], share: number): string {
  const s = Math.max(0, Math.min(1, share))
  return `rgb(${a.map((x, i) => Math.round(x + (b[i]! - x) * s)).join(' ')})`
}

/** The look of the tooltip box, which the charts fill with elements of their own. */
export function tooltipLook(c: Colours) {
  return { backgroundColor: c.card, borderColor: c.line, borderWidth: 1, padding: [8, 12], textStyle: { color: c.ink, fontSize: 13, fontFamily: 'inherit' }, confine: true, transitionDuration: 0 }
}

/** Rows of a tooltip as elements: the content security policy allows no inline styles. */
export function tooltipRows(title: string, rows: { colour?: string; name: string; values: string[] }[], heads: string[] = [], note = ''): HTMLElement {
  const box = document.createElement('div')
  box.className = 'tip'
  const head = document.createElement('strong')
  head.textContent = title
  box.append(head)
  const table = document.createElement('table')
  if (heads.length > 0) {
    const tr = table.createTHead().insertRow()
    for (const h of ['', ...heads]) tr.append(Object.assign(document.createElement('th'), { textContent: h }))
  }
  const body = table.createTBody()
  for (const r of rows) {
    const tr = body.insertRow()
    const name = tr.insertCell()
    if (r.colour) {
      const dot = document.createElement('i')
      dot.style.background = r.colour
      name.append(dot)
    }
    name.append(r.name)
    for (const v of r.values) tr.insertCell().textContent = v
  }
  box.append(table)
  if (note) box.append(Object.assign(document.createElement('small'), { textContent: note }))
  return box
}
