// What surrounds every page: the stream, the keyboard, language and theme.
import { expect, settled, step, url } from '../walk.mjs'

export default async function ({ main }) {
  await step('a stream that is lost is said and comes back', async () => {
    await main.page.goto(url + '/overview')
    await main.page.waitForSelector('.chip.good .pulse.on')
    await main.page.route('**/api/stream*', (r) => r.abort('connectionrefused'))
    await main.page.reload()
    await main.page.waitForSelector('.banner.bad')
    await main.page.unroute('**/api/stream*')
    await main.page.waitForSelector('.chip.good .pulse.on')
  })

  await step('the keyboard reaches the content and the menu', async () => {
    await main.page.goto(url + '/overview')
    await settled(main.page)
    await main.page.keyboard.press('Tab')
    expect((await main.page.evaluate(() => document.activeElement?.className)).includes('skip'), 'the first stop is not the way to the content')
    await main.page.keyboard.press('Enter')
    expect((await main.page.evaluate(() => document.activeElement?.id)) === 'content', 'the skip link does not lead to the content')
    await main.page.focus('summary')
    await main.page.keyboard.press('Enter')
    await main.page.waitForSelector('.panel select')
    await main.page.keyboard.press('Escape')
  })

  await step('language and theme change at once and stay', async () => {
    await main.page.goto(url + '/settings')
    await settled(main.page)
    const kept = main.page.waitForResponse((r) => r.url().endsWith('/api/session/language') && r.ok())
    await main.page.selectOption('#content select >> nth=0', 'fr')
    await main.page.waitForSelector('h1:has-text("Réglages")')
    await kept
    await main.page.selectOption('#content select >> nth=1', 'dark')
    expect((await main.page.getAttribute('html', 'data-theme')) === 'dark', 'the theme did not change')
    await main.page.reload()
    await main.page.waitForSelector('h1:has-text("Réglages")')
    expect((await main.page.getAttribute('html', 'data-theme')) === 'dark', 'the theme did not stay')
    expect((await main.page.getAttribute('html', 'lang')) === 'fr', 'the language did not stay')
    await main.page.selectOption('#content select >> nth=1', 'auto')
  })
}
