/** The page: what it is made of, and where it is put. */
import { render } from 'preact'
import { App } from './app.js'
import { applyTheme } from './parts/theme.js'
import './style/tokens.css'
import './style/page.css'
import './style/rows.css'
import './style/call.css'

applyTheme()
const place = document.querySelector('#page')
if (place !== null) render(<App />, place)
