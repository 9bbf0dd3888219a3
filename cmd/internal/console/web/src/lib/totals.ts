// What stands beside the figures of a day, month or year.
import type { Totals } from './api'
import { energy, percent } from './format'
import { t } from './i18n'
import type { Lang } from './prefs.svelte'

/** What self-sufficiency means, or why there is none yet. */
export function sufficiencyWords(lang: Lang, x: Totals): string {
  if (x.self_sufficiency !== null) return t('tile.selfsufficiency.text')
  return x.consumption_kwh > 0 ? t('tile.selfsufficiency.notyet', { kwh: energy(lang, x.charge_kwh - x.discharge_kwh) }) : ''
}

/** The share with its name, or why there is none yet. */
export const sufficiency = (lang: Lang, x: Totals) => (x.self_sufficiency === null ? sufficiencyWords(lang, x) : `${percent(lang, x.self_sufficiency)} ${t('tile.selfsufficiency').toLowerCase()}`)

/** What the batteries hold more or less than at the start, which cost, carbon and saving do not value; empty where that is nothing. */
export function storedWords(lang: Lang, x: Totals): string {
  if (x.stored_kwh === null || Math.abs(x.stored_kwh) < 1) return ''
  return t(x.stored_kwh > 0 ? 'tile.stored.more' : 'tile.stored.less', { kwh: energy(lang, Math.abs(x.stored_kwh)) })
}
