// Values by key that survive a reload: in IndexedDB, in this browser alone.

const NAME = 'fadernets'
const STORE = 'session'

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(STORE)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('this browser keeps nothing'))
  })
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open()
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode)
      const request = act(transaction.objectStore(STORE))
      const failed = () => reject(transaction.error ?? request.error ?? new Error('this browser keeps nothing'))
      transaction.oncomplete = () => resolve(request.result) // a request that succeeded may still not be stored
      transaction.onerror = transaction.onabort = failed
    })
  } finally {
    database.close()
  }
}

/** The value under a key; undefined without one, or where the browser stores nothing. */
export async function load<T>(key: string): Promise<T | undefined> {
  try {
    return (await run('readonly', (store) => store.get(key))) as T | undefined
  } catch {
    return undefined
  }
}

/** Store a value. Returns whether the browser did. */
export async function save(key: string, value: unknown): Promise<boolean> {
  try {
    await run('readwrite', (store) => store.put(value, key))
    return true
  } catch {
    return false
  }
}

/** Remove the value under a key. */
export async function remove(key: string): Promise<void> {
  try {
    await run('readwrite', (store) => store.delete(key))
  } catch {
    // the browser stores nothing
  }
}
