// How the kinds of devices look: the same icon and colour everywhere.
import type { IconName } from '../components/Icon.svelte'

const icons: Record<string, IconName> = {
  substation: 'grid', grid_meter: 'meter', load_meter: 'meter', pv: 'sun', battery: 'storage', heat_pump: 'heat', water_heater: 'heat', ev_charger: 'cars', heat_meter: 'heat', gas_meter: 'heat', weather: 'weather',
}
const colours: Record<string, string> = {
  substation: 'var(--grid)', grid_meter: 'var(--grid)', load_meter: 'var(--use)', pv: 'var(--sun)', battery: 'var(--storage)', heat_pump: 'var(--heat)', water_heater: 'var(--heat)',
  ev_charger: 'var(--cars)', heat_meter: 'var(--heat)', gas_meter: 'var(--heat)', weather: 'var(--ink-3)',
}

export const kindIcon = (kind: string): IconName => icons[kind] ?? 'dot'
export const kindColour = (kind: string): string => colours[kind] ?? 'var(--ink-3)'
