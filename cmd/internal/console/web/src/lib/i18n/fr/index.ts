import alarms from '../alarms.json'
import type { Key } from '../en'
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

export const fr: Record<Key, string> = {
  ...alarms.fr,
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
