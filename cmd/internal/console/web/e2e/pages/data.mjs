// What comes from outside, on the page of data.
import { call, expect, picture, serious, setLanguage, settled, step, url } from '../walk.mjs'

export default async function ({ main }) {
  await step('the sources outside are shown with their age and what stands in', async () => {
    const { body: status } = await call(main.page, '/api/status')
    if (status.feeds.length === 0) return console.log('      no source outside is configured')
    for (const lang of ['fr', 'en']) {
      await setLanguage(main.page, lang)
      await main.page.goto(url + '/data')
      await settled(main.page)
      const text = await main.page.textContent('#content')
      for (const f of status.feeds.filter((f) => f.error)) {
        expect(text.includes(f.error), `the error of ${f.id} is not shown`)
        expect(text.includes(lang === 'fr' ? 'muette' : 'silent') && text.includes(lang === 'fr' ? 'jours semblables' : 'similar days'), `${lang}: what stands in for ${f.id} is not said`)
      }
      const bad = await serious(main.page)
      expect(bad.length === 0, bad.join('\n'))
      await picture(main.page, `feeds-${lang}`)
    }
  })
}
