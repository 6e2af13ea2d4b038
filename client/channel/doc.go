// Package channel sends messages: by mail, to a webhook, to ntfy, and as pings to a
// dead-man's switch.
//
// A channel has one try and half a minute for it; who calls tries again. Secrets are read
// from their files each time, are in no argument of a program, and neither they nor an
// address, which often is a secret too, are in an error.
package channel
