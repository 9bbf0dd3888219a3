// The order of the members' table.
import type { MemberShare } from './api'

export const memberColumns = ['name', 'site', 'consumption_kwh', 'own_kwh', 'shared_kwh', 'grid_kwh', 'unused_kwh', 'local_share', 'share'] as const
export type MemberColumn = (typeof memberColumns)[number]

/** The column of an address; the name when it says none. */
export const column = (name: string | undefined): MemberColumn => memberColumns.find((c) => c === name) ?? 'name'

function of(m: MemberShare, c: MemberColumn): number | string | null {
  switch (c) {
    case 'name': return m.member.name
    case 'site': return m.member.site_name
    case 'local_share': return m.local_share
    case 'share': return m.share
    case 'unused_kwh': return m.unused_kwh
    default: return m.energy[c]
  }
}

/** The members by a column, upwards or down; those without a value come last either way, and equal ones by name. */
export function ordered(list: MemberShare[], by: MemberColumn, down: boolean, lang: string): MemberShare[] {
  const words = new Intl.Collator(lang, { numeric: true })
  return [...list].sort((a, b) => {
    const [x, y] = [of(a, by), of(b, by)]
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1
    const c = typeof x === 'string' ? words.compare(x, y as string) : x - (y as number)
    return (down ? -c : c) || words.compare(a.member.name, b.member.name)
  })
}
