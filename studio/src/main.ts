import { mount } from 'svelte'
import App from './App.svelte'
import './style.css'

// The token of the address is a cookie by now: it leaves what the window, its history and a screenshot show.
const address = new URL(location.href)
if (address.searchParams.has('token')) {
  address.searchParams.delete('token')
  history.replaceState(history.state, '', address)
}

mount(App, { target: document.getElementById('app')! })
