// What the API says of orders, in the reader's words.
import { t, term, type Key } from '.'
import { stamp, value } from '../format'
import { prefs } from '../prefs.svelte'

const amount = (n: string, unit: string) => value(prefs.lang, Number(n), unit === '°C' ? 'degC' : unit)

/** A fault of an order, "value: 5000 kW is outside -80 to 80 kW", in words; one that is not known stays as it is. */
export function orderFault(fault: string, zone: string): string {
  const number = '(-?[\\d.]+(?:e[+-]?\\d+)?)'
  const time = '(\\d{4}-\\d\\d-\\d\\dT[\\d:.]+(?:Z|[+-]\\d\\d:\\d\\d))'
  const at = (instant: string) => stamp(prefs.lang, instant, zone)
  const kinds: [pattern: string, key: Key, words: (m: string[]) => Record<string, string>][] = [
    [`value: ${number} (\\S+) is outside ${number} to ${number} \\S+`, 'orders.fault.range', ([v, unit, low, high]) => ({ value: amount(v!, unit!), low: amount(low!, unit!), high: amount(high!, unit!) })],
    [`high: ${number} (\\S+) is not between ${number} and ${number} \\S+`, 'orders.fault.range', ([v, unit, low, high]) => ({ value: amount(v!, unit!), low: amount(low!, unit!), high: amount(high!, unit!) })],
    ['value: missing: .+', 'orders.fault.value', () => ({})],
    [`end: ${time} is not after the start ${time}`, 'orders.fault.order', ([end, start]) => ({ end: at(end!), start: at(start!) })],
    [`end: ${time} is over`, 'orders.fault.over', ([end]) => ({ end: at(end!) })],
    [`end: ${time} is more than (\\d+) days away`, 'orders.fault.far', ([end, n]) => ({ end: at(end!), n: n! })],
    ['end: missing: .+', 'orders.fault.end', () => ({})],
    ['reason: (?:missing: .+|expected length >= 3)', 'orders.fault.reason', () => ({})],
    ['(?:from|to): "(.*)" is no local time such as 22:00', 'orders.fault.clock', ([text]) => ({ text: text! })],
    ['device: a (\\w+) takes no (\\w+)', 'orders.fault.kind', ([device, kind]) => ({ device: term('kind.', device!), kind: term('orders.kind.', kind!) })],
    ['device: \\S+ is not under control', 'orders.fault.control', () => ({})],
  ]
  for (const [pattern, key, words] of kinds) {
    const m = new RegExp(`^${pattern}$`).exec(fault)
    if (m) return t(key, words(m.slice(1)))
  }
  return fault
}

/** Why an order was given; what building systems and Quartier itself give as theirs is said in words. */
export function orderReason(source: string, reason: string): string {
  if (source === 'building_system') return t('orders.bysystem')
  const [, who, kw] = /^the signal of (.+) fell silent at (-?[\d.]+) kW$/.exec(source === 'silence' ? reason : '') ?? []
  return who === undefined ? reason : t('orders.bysilence', { who, value: amount(kw!, 'kW') })
}
