// Package channel sends messages: by mail, to a webhook, to ntfy, and as pings to a
// dead-man's switch.
//
// A channel makes one attempt of up to half a minute; the caller retries. Secrets are read
// from their files each time. They are never in the arguments of a program; neither secrets
// nor addresses, which often are secrets too, appear in errors.
package channel
