// What a panel of the inspection room asks the server, with its problems shown where the page shows them.
import type { Studio } from '../../studio.svelte'

/** Run a task, and show the problem that it has. */
export async function attempt(studio: Studio, act: () => Promise<void>): Promise<void> {
  try {
    await act()
    studio.problem = ''
  } catch (error) {
    studio.problem = error instanceof Error ? error.message : String(error)
  }
}
