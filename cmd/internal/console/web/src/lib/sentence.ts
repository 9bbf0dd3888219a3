// The state of a district in words.
import type { LiveView } from './api'
import { percent, power } from './format'
import { t } from './i18n'
import type { Lang } from './prefs.svelte'

export function alarmWords(alarms: number): string {
  return alarms === 0 ? t('sentence.ok') : alarms === 1 ? t('sentence.alarm') : t('sentence.alarms', { n: alarms })
}

export function sentence(lang: Lang, v: LiveView, alarms: number): string {
  const f = v.flows
  if (f.sun_kw === null && f.grid_kw === null) return `${t('sentence.unknown', { name: v.name })} ${alarmWords(alarms)}`
  const parts: string[] = []
  const sun = f.sun_kw ?? 0
  if (sun >= 0.5) {
    const used = Math.max(0, Math.min(1, (sun - Math.max(0, -(f.grid_kw ?? 0))) / sun))
    parts.push(t('sentence.sun', { name: v.name, sun: power(lang, sun), share: percent(lang, used) }))
  } else parts.push(t('sentence.nosun', { name: v.name }))
  const grid = f.grid_kw ?? 0
  let second = grid > 0.5 ? t('sentence.import', { kw: power(lang, grid) }) : grid < -0.5 ? t('sentence.export', { kw: power(lang, -grid) }) : t('sentence.even')
  if (f.stored_kwh !== null && f.capacity_kwh > 0) second += ', ' + t('sentence.storage', { p: percent(lang, f.stored_kwh / f.capacity_kwh) })
  parts.push(second + '.')
  parts.push(alarmWords(alarms))
  return parts.join(' ')
}
