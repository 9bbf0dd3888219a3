// The names of sites and devices by their ids, for texts that know the ids alone.
import { api, at, type DeviceInfo } from './api'

class Names {
  #by = $state.raw<Record<string, Map<string, string>>>({})
  #asked = new Set<string>()

  /** Asks for the names of a district, once. */
  know(district: string): void {
    if (!district || this.#asked.has(district)) return
    this.#asked.add(district)
    api.get<DeviceInfo[]>(at(district, '/devices')).then(
      (list) => {
        const of = new Map<string, string>()
        for (const d of list) of.set(d.site, d.site_name).set(`${d.site}/${d.id}`, d.site === '_' ? d.name : `${d.site_name} · ${d.name}`)
        this.#by = { ...this.#by, [district]: of }
      },
      () => this.#asked.delete(district), // the ids stand until it is asked again
    )
  }

  /** What names objects such as ecole/battery-1 of the district of an object such as fontaine/ecole; the id where no name is known. */
  in(object: string): (id: string) => string {
    const of = this.#by[object.split('/')[0]!]
    return (id) => of?.get(id) ?? id.replaceAll('/', ' · ')
  }
}

export const names = new Names()
