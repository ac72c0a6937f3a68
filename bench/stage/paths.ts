/** Where things are, found from this module: a run depends neither on its working folder nor on where it was compiled. */
import { fileURLToPath } from 'node:url'

/** This module is `build/bench/stage/paths.js` of the package. */
const packageRoot = new URL('../../../', import.meta.url)

export const serviceProgram = fileURLToPath(new URL('dist/main.js', packageRoot))
export const bareProgram = fileURLToPath(new URL('../bare-handler.js', import.meta.url))
export const openLoopProgram = fileURLToPath(new URL('../load/open-loop-process.js', import.meta.url))
export const supervisorProgram = fileURLToPath(new URL('../load/supervisor-process.js', import.meta.url))
export const mediaProgram = fileURLToPath(new URL('../load/media-process.js', import.meta.url))
export const nativeProgram = fileURLToPath(new URL('../load/native-process.js', import.meta.url))
export const readersProgram = fileURLToPath(new URL('../load/readers-process.js', import.meta.url))
export const resultsFolder = fileURLToPath(new URL('bench/results/', packageRoot))
