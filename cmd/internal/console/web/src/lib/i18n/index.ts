// Words in the reader's language. The type of fr demands every key of en, and t() takes no other key: a missing one fails the build.
import { age, value, when } from '../format'
import { prefs } from '../prefs.svelte'
import { en, type Key } from './en'
import { faultKey } from './faults'
import { fr } from './fr'

export type { Key }
// French puts a narrow no-break space before these signs.
const french = Object.fromEntries(Object.entries(fr).map(([k, v]) => [k, v.replace(/ ([;:?!])/g, '\u202f$1')])) as Record<Key, string>
const catalogues: Record<'en' | 'fr', Record<Key, string>> = { en, fr: french }

/** The text of a key with its {names} filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return catalogues[prefs.lang][key].replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all))
}

/** The text of a key made at run time, such as that of a device's kind; what has none is shown as it is. */
export function term(prefix: string, name: string): string {
  const key = prefix + name
  if (key in en) return t(key as Key)
  const plain = prefix === 'q.' ? name.replace(/_(kw|kwh|c|v|a|hz|kvar|kva)$/, '') : name
  return plain.replaceAll('_', ' ').replaceAll('-', ' ')
}

/** What a device was told, such as "limit_a 16 A", where it is no power, which stands beside it anyway. */
export function commandWords(command: string): string {
  const [, name = '', number, unit = '', state = ''] = /^(\w+) (on|off|-?\d+(?:\.\d+)?)(?: (kW|A|%))?(?: \((.+)\))?$/.exec(command) ?? []
  if (state === 'own control' || command.endsWith(' (own control)')) return t('command.own')
  if (number === undefined) return command
  if (number === 'on' || number === 'off') return t(`command.${number}`)
  if (unit === 'kW') return ''
  if (unit === '%') return value(prefs.lang, Number(number) / 100, 'share')
  if (unit === 'A') return value(prefs.lang, Number(number), 'A')
  return `${term('q.', name)} ${number}` + (state ? ` (${term('command.', state.replaceAll(' ', '-'))})` : '')
}

/** A limit that binds, "min_kwh of ecole/battery at 2026-01-31 10:15: 0.1200 EUR/kWh", in words; name gives an object's name. */
export function bindingWords(text: string, name: (object: string) => string): string {
  const [, limit, object = '', day, time, eur, unit] = /^(\w+) of (\S+|the district) at (\d{4}-\d\d-\d\d) (\d\d:\d\d): (-?[\d.]+) EUR\/(\w+)$/.exec(text) ?? []
  if (limit === undefined) return text
  const eurText = new Intl.NumberFormat(prefs.lang, { maximumFractionDigits: 2, minimumFractionDigits: 2 }).format(Number(eur) * 100)
  return t('plan.binding.line', { limit: term('limit.', limit), object: object === 'the district' ? t('common.wholeDistrict') : name(object), time: when(prefs.lang, `${day}T${time}:00Z`, 'UTC', { weekday: 'short', hour: '2-digit', minute: '2-digit' }), eur: `${eurText}\u202fct/${unit}` })
}

/** A limit that would have to give way, "grid.import_limit_kw of the district from 2026-01-31 10:15 to 2026-01-31 11:00 lacks 3.200 kW", in words. */
export function conflictWords(text: string, name: (object: string) => string): string {
  const [, limit, object = '', day, from, day2, to, amount, unit = ''] = /^(?:grid\.)?(\w+) of (\S+|the district) from (\d{4}-\d\d-\d\d) (\d\d:\d\d) to (\d{4}-\d\d-\d\d) (\d\d:\d\d) lacks ([\d.]+) (kWh?)$/.exec(text) ?? []
  if (limit === undefined) return text
  const at = (d: string | undefined, c: string | undefined, day: boolean) => when(prefs.lang, `${d}T${c}:00Z`, 'UTC', { ...(day && { weekday: 'short' }), hour: '2-digit', minute: '2-digit' })
  return t('plan.conflict.line', { limit: term('limit.', limit), object: object === 'the district' ? t('common.wholeDistrict') : name(object), from: at(day, from, true), to: at(day2, to, day !== day2), amount: value(prefs.lang, Number(amount), unit) })
}

/** What a detail means in the reader's words, with its own words where they say more than that. */
export interface Said {
  text: string
  raw: string
}

/** Why a device, a database or a disk does not do its part: what it means, and its own words. */
export function faultWords(detail: string): Said {
  const key = faultKey(detail)
  return key ? { text: t(key), raw: detail } : { text: detail, raw: '' }
}

/** Why a command was held, refused or failed: "hold: 15 s, until 2026-01-14T10:15:00Z" or "owner's limit: 70 %" in words, times in a zone, and faults as [faultWords] says them. */
export function detailWords(detail: string, zone = 'UTC'): Said {
  const followed = /^(?:(.*); )?(\d+) commands before, (-?\d+\.\d+) to (-?\d+\.\d+) kW$/.exec(detail)
  if (followed) {
    const [, first, n, low, high] = followed
    const said = first ? detailWords(first, zone) : { text: '', raw: '' }
    const range = { n: n!, low: value(prefs.lang, Number(low), 'kW'), high: value(prefs.lang, Number(high), 'kW') }
    return { text: [said.text, t(n === '1' ? 'outcome.followOne.text' : low === high ? 'outcome.followSame.text' : 'outcome.follow.text', range)].filter(Boolean).join(' · '), raw: said.raw }
  }
  const [, keeps, least, until, left] = /^(hold|interval|run|rest): (\d+(?:\.\d+)?) s, (?:until (\S+)|(\d+) s left)$/.exec(detail) ?? []
  if (keeps && until) return { text: t(`outcome.${keeps as 'hold' | 'run' | 'rest'}.until`, { age: age(prefs.lang, Number(least)), time: when(prefs.lang, until, zone, { hour: '2-digit', minute: '2-digit', ...(Number(least) < 120 && { second: '2-digit' }) }) }), raw: '' }
  if (keeps) return { text: t('outcome.interval.left', { age: age(prefs.lang, Number(least)), left: age(prefs.lang, Number(left)) }), raw: '' }
  const [, why, number] = /^(hold|interval|ramp|owner's limit): (\d+(?:\.\d+)?) (?:s|%|\/s)$/.exec(detail) ?? []
  if (why === 'hold') return { text: t('outcome.held.text', { age: age(prefs.lang, Number(number)) }), raw: '' }
  if (why === 'interval') return { text: t('outcome.interval.text', { age: age(prefs.lang, Number(number)) }), raw: '' }
  if (why === 'ramp') return { text: t('outcome.ramp.text'), raw: '' }
  if (why) return { text: t('outcome.owner.text', { limit: value(prefs.lang, Number(number) / 100, 'share') }), raw: '' }
  return faultWords(detail)
}

/** The detail of an alarm: the limits in conflict one by one, its fault, or how long it held. */
export function alarmDetail(key: string, detail: string, name: (object: string) => string): Said[] {
  const [, seconds] = /^over after (\d+) s$/.exec(detail) ?? []
  if (seconds !== undefined) return [{ text: t('alarms.over', { age: age(prefs.lang, Number(seconds)) }), raw: '' }]
  if (key !== 'plan-infeasible') return detail ? [faultWords(detail)] : []
  return detail.split('; ').filter(Boolean).map((c) => {
    const text = conflictWords(c, name)
    return { text, raw: text === c ? '' : c }
  })
}

/** The key of a reason such as "cheap: 0.1579 EUR/kWh", in words. */
export const reasonWords = (reason: string) => term('reason.', reason.split(/[ :]/)[0] ?? '')

/** The numbers of a reason, in the reader's format; of a battery that does other than planned, in a sentence. */
export function reasonNumbers(reason: string): string {
  const n = '(-?\\d+(?:\\.\\d+)?)'
  const followed = new RegExp(`^\\w+: ${n} kW planned, ${n} kW net without storage, ${n} kW expected, worth ${n} EUR/kWh, price ${n} EUR/kWh$`).exec(reason)
  if (followed) {
    const [planned, net, expected, worth, price] = followed.slice(1).map(Number) as [number, number, number, number, number]
    const kw = (x: number) => value(prefs.lang, x, 'kW')
    const taken = (x: number) => t(x < 0 ? 'reason.feeds.text' : 'reason.takes.text', { power: kw(Math.abs(x)) })
    const same = net < 0 === expected < 0
    return t('reason.follow.text', { planned: t(planned > 0 ? 'reason.charge.text' : planned < 0 ? 'reason.discharge.text' : 'reason.rest.text', { power: kw(Math.abs(planned)) }), net: taken(net), expected: same ? kw(Math.abs(expected)) : taken(expected), worth: value(prefs.lang, worth, 'EUR/kWh'), price: value(prefs.lang, price, 'EUR/kWh') })
  }
  return [...reason.matchAll(/(-?\d+(?:\.\d+)?) (kW|kWh|EUR\/kWh|gCO2e\/kWh|degC)\b/g)].filter((m) => Number(m[1]) !== 0).map((m) => value(prefs.lang, Number(m[1]), m[2]!)).join(', ')
}
