// What a form for orders knows of their kinds, and of local times.
import type { DeviceInfo, OrderInfo } from './api'
import { stamp, value, when } from './format'
import { t } from './i18n'
import type { Lang } from './prefs.svelte'

export type OrderKind = OrderInfo['kind']

interface Shape {
  target: 'device' | 'site' | 'place' // place: a site or the district
  devices?: string[] // kinds of devices; absent: all under control
  unit?: string
  range?: true // a second value
  hours?: true // daily hours
  endless?: true // may stay until somebody ends it
}

export const shapes: Record<OrderKind, Shape> = {
  power: { target: 'device', unit: 'kW' },
  own_control: { target: 'device' },
  comfort_range: { target: 'device', devices: ['heat_pump', 'water_heater'], unit: '°C', range: true },
  comfort: { target: 'site', unit: 'K' },
  away: { target: 'site', unit: 'K' },
  ready_by: { target: 'device', devices: ['ev_charger'], unit: 'kWh' },
  quiet_hours: { target: 'device', devices: ['heat_pump', 'water_heater', 'ev_charger'], unit: 'kW', hours: true, endless: true },
  import_limit: { target: 'place', unit: 'kW' },
  export_limit: { target: 'place', unit: 'kW' },
  lock_out: { target: 'device', endless: true },
}

export const kinds = Object.keys(shapes) as OrderKind[]

/** The days of the week as the API names them, from Monday on. */
export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

/** The short name of a day of the week; 2024-01-01 was a Monday. */
export const weekday = (lang: Lang, day: string) => when(lang, Date.UTC(2024, 0, 1 + weekdays.findIndex((d) => d === day), 12), 'UTC', { weekday: 'short' })

/** The devices that an order of a kind can be for. */
export const targets = (kind: OrderKind, devices: DeviceInfo[]) =>
  devices.filter((d) => d.controllable && (shapes[kind].devices === undefined || shapes[kind].devices.includes(d.kind)))

/** An instant as the local time of a zone that an input of type datetime-local takes: 2026-01-14T18:00. */
export function toLocal(t: number, zone: string): string {
  const part = (o: Intl.DateTimeFormatOptions) => when('en', t, zone, o)
  const two = (s: string) => s.padStart(2, '0')
  return `${part({ year: 'numeric' })}-${two(part({ month: 'numeric' }))}-${two(part({ day: 'numeric' }))}T${two(part({ hour: '2-digit', hourCycle: 'h23' }))}:${two(part({ minute: '2-digit' }))}`
}

/** The instant of a local time of a zone. Of a time that comes twice it is the first; one that is left out is an hour later. */
export function fromLocal(local: string, zone: string): Date | undefined {
  const asUTC = Date.parse(local + ':00Z')
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(local) || Number.isNaN(asUTC)) return undefined
  const offset = (t: number) => Date.parse(toLocal(t, zone) + ':00Z') - t
  const before = asUTC - offset(asUTC - 12 * 3_600_000)
  const after = asUTC - offset(asUTC + 12 * 3_600_000)
  return new Date(toLocal(before, zone) === local ? before : toLocal(after, zone) === local ? after : before)
}

/** What an order is for, by its names. */
export const placeOf = (o: OrderInfo) => (o.device ? `${o.site_name} · ${o.device_name}` : o.site_name)

/** How much an order asks for; empty where its kind has no amount. */
export function amountOf(lang: Lang, o: OrderInfo): string {
  if (o.unit === '') return ''
  if (o.high !== 0) return `${value(lang, o.value, o.unit)} – ${value(lang, o.high, o.unit)}`
  if (o.unit === 'kW' && o.value === 0 && o.kind !== 'import_limit' && o.kind !== 'export_limit') return t('orders.off')
  return (o.kind === 'comfort' && o.value > 0 ? '+' : '') + value(lang, o.value, o.unit)
}

/** When an order that has not ended does. */
export const endOf = (lang: Lang, o: OrderInfo, zone: string) =>
  o.end ? stamp(lang, o.end, zone) : t(o.source === 'configuration' ? 'orders.standing' : o.source === 'building_system' && o.kind !== 'lock_out' ? 'orders.repeated' : 'orders.open')
