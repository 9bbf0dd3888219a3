// Every page in three sizes, both themes and both languages.
import { expect, open, operator, picture, serious, setLanguage, settled, signIn, step, url } from '../walk.mjs'

export default async function () {
  for (const [size, theme, lang] of [['wide', 'light', 'en'], ['phone', 'dark', 'fr'], ['tablet', 'light', 'fr'], ['wide', 'dark', 'en']]) {
    const w = await open({ size, theme, lang })
    await step(`signing in: ${lang}, ${theme}, ${size}`, async () => {
      await signIn(w.page, operator)
      await setLanguage(w.page, lang)
    })
    for (const path of ['/overview', '/overview?d=all', '/plan', '/devices', '/orders', '/balance?period=day', '/balance?period=month', '/members', '/data', '/settings']) {
      await step(`${path} in ${lang}, ${theme}, ${size}: fits, accessible, no complaint`, async () => {
        w.faults.length = 0
        await w.page.goto(url + path)
        await w.page.waitForSelector('#content h1')
        expect(!(await w.page.$('#content > .start')), 'the page is refused')
        await settled(w.page)
        const over = await w.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        expect(over <= 1, `the page is ${over} px wider than the window`)
        await picture(w.page, `${path.replace(/[^a-z]+/g, '-').replace(/^-|-$/g, '')}-${lang}-${theme}-${size}`)
        const bad = await serious(w.page)
        expect(bad.length === 0, bad.join('\n'))
        expect(w.faults.length === 0, w.faults.join('\n'))
      })
    }
    await w.close()
  }
}
