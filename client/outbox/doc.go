// Package outbox keeps messages on the disk until each channel has taken them.
//
// A message is a file. It names the channels that it waits for, and is rewritten each time
// that one has taken it, before the next is asked: what was sent is not sent again. Only
// where the machine stops between a channel's yes and that note does this channel get the
// message twice, with the same ID.
//
// A new message is tried at once, one that failed again after a minute, then after twice as
// long each time, up to an hour. What is a week old is dropped, and so is the oldest where
// there are too many.
package outbox
