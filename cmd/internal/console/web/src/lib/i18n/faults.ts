// What devices, databases and disks say of their faults, by what it means. Their own words stand beside it, small, for whoever mends it.
import type { Key } from './en'

/** Phrases of the errors that reach the console, the most telling first: an error names its causes from the outside in. */
export const faults: [phrase: string, key: Key][] = [
  ['the profile declares no control', 'fault.nocontrol'],
  ['somebody else commands the device', 'fault.conflict'],
  ['commanded too often', 'fault.toooften'],
  ['value read back differs', 'fault.readback'],
  ['point is read-only', 'fault.readonly'],
  ['unknown point', 'fault.unknownpoint'],
  ['device rejected the request', 'fault.rejected'],
  ['answer could not be understood', 'fault.garbage'],
  ['the disk is full', 'fault.diskfull'],
  ['the file or its folder may not be written', 'fault.diskreadonly'],
  ['the disk does not answer', 'fault.diskslow'],
  ['connection refused', 'fault.refused'],
  ['no such host', 'fault.nohost'],
  ['no route to host', 'fault.noroute'],
  ['network is unreachable', 'fault.noroute'],
  ['password authentication failed', 'fault.password'],
  ['i/o timeout', 'fault.timeout'],
  ['no answer in', 'fault.timeout'],
  ['timed out', 'fault.timeout'],
  ['deadline exceeded', 'fault.timeout'],
  ['device unreachable', 'fault.unreachable'],
  ['value is stale', 'fault.stale'],
  ['is closed', 'fault.closed'],
]

/** The key of what a fault means; undefined where its words say nothing known. */
export function faultKey(detail: string): Key | undefined {
  if (/ outside \[\S+, \S+\]/.test(detail)) return 'fault.limit'
  return faults.find(([phrase]) => detail.includes(phrase))?.[1]
}
