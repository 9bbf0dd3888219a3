// Words in the reader's language. The type of fr demands every key of en, and t() takes no other key: a missing one fails the build.
import { age, value, when } from '../format'
import { prefs } from '../prefs.svelte'
import { en, type Key } from './en'
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
  if (number === undefined) return command
  if (state === 'own control') return t('command.own')
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

/** Why a command was held, refused or failed: "hold: 15 s" in words, and errors as the device's driver says them. */
export function detailWords(detail: string): string {
  const hold = /^hold: (\d+(?:\.\d+)?) s$/.exec(detail)
  return hold ? t('outcome.held.text', { age: age(prefs.lang, Number(hold[1])) }) : detail
}

/** The key of a reason such as "cheap: 0.1579 EUR/kWh", in words. */
export const reasonWords = (reason: string) => term('reason.', reason.split(/[ :]/)[0] ?? '')

/** The numbers of a reason, in the reader's format. */
export function reasonNumbers(reason: string): string {
  return [...reason.matchAll(/(-?\d+(?:\.\d+)?) (kW|kWh|EUR\/kWh|gCO2e\/kWh|degC)\b/g)].filter((m) => Number(m[1]) !== 0).map((m) => value(prefs.lang, Number(m[1]), m[2]!)).join(', ')
}
