// Sets the theme before the first paint, so that a dark page never flashes white.
;(function () {
  var theme = null
  try {
    theme = localStorage.getItem('quartier.theme')
  } catch (e) {
    /* storage may be closed to us: the system's theme holds */
  }
  var dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
})()
