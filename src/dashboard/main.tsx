/** The page: what it is made of, and where it is put. */
import { render } from 'preact'
import { App } from './app.js'
import { applyTheme } from './parts/theme.js'

applyTheme()
const place = document.querySelector('#page')
if (place !== null) render(<App />, place)
