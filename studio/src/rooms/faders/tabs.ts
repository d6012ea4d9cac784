// Tabs of one browser that work on the same piece tell each other.
type Message = { kind: 'opened' | 'here' | 'stored'; piece: string; tab: string }

export class Tabs {
  private readonly channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('fadernets') : null
  private readonly tab = Math.random().toString(36).slice(2)

  /** piece: the id of the open one. onOther: whether another tab has it, too. onStored: another tab has stored its work on it. */
  constructor(
    private readonly piece: () => string | null,
    private readonly onOther: (other: boolean) => void,
    onStored: () => void,
  ) {
    this.channel?.addEventListener('message', ({ data }: MessageEvent<Message>) => {
      if (data.tab === this.tab || data.piece !== this.piece()) return
      this.onOther(true)
      if (data.kind === 'opened') this.tell('here')
      else if (data.kind === 'stored') onStored()
    })
  }

  /** This tab has opened a piece. */
  opened(): void {
    this.onOther(false)
    this.tell('opened')
  }

  /** This tab has stored its work on a piece, which may not be the open one any more. */
  stored(piece: string): void {
    this.tell('stored', piece)
  }

  private tell(kind: Message['kind'], piece = this.piece()): void {
    if (piece) this.channel?.postMessage({ kind, piece, tab: this.tab } satisfies Message)
  }
}
