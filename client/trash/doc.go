// Package trash is "gatewayctl trash": what was deleted from repositories, and how it
// comes back. The gateway does the work; this asks it.
package trash
