// What a device's power means to people: a roof produces, a battery charges or discharges, a meter draws or feeds.
import { power } from './format'
import { t } from './i18n'
import type { Lang } from './prefs.svelte'

/** The power without its sign, and the word that says its direction. kw is positive into the device. */
export function devicePower(lang: Lang, kind: string, kw: number): { text: string; word: string } {
  const text = power(lang, Math.abs(kw))
  const quiet = Math.abs(kw) < 0.05
  switch (kind) {
    case 'pv':
      return kw > 0.05 ? { text: power(lang, -kw), word: '' } : { text, word: quiet ? '' : t('flow.produced') }
    case 'battery':
      return { text, word: quiet ? t('flow.idle') : t(kw > 0 ? 'flow.charging' : 'flow.discharging') }
    case 'grid_meter':
    case 'substation':
      return { text, word: quiet ? '' : t(kw > 0 ? 'flow.import' : 'flow.export') }
  }
  return { text: power(lang, kw), word: '' }
}
