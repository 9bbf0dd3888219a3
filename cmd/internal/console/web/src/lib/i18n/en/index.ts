// The texts of a language, a file for each page; the prefix of a key, up to its first dot, says which.
import alarms from '../alarms.json'
import { balance } from './balance'
import { data } from './data'
import { devices } from './devices'
import { expected } from './expected'
import { members } from './members'
import { orders } from './orders'
import { overview } from './overview'
import { plan } from './plan'
import { settings } from './settings'
import { shell } from './shell'

export const en = {
  ...alarms.en,
  ...shell,
  ...overview,
  ...plan,
  ...expected,
  ...devices,
  ...orders,
  ...balance,
  ...members,
  ...data,
  ...settings,
}

export type Key = keyof typeof en
