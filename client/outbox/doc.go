// Package outbox keeps messages on the disk until each channel has taken them.
//
// A message is a file that lists the channels it waits for. It is rewritten after each
// channel that has accepted it, before the next one is tried, so that nothing is sent
// twice. Only if the machine stops between a channel's acceptance and that write does the
// channel get the message again, with the same ID.
//
// A new message is tried at once. After a failure it is retried after a minute, then after
// twice as long each time, up to an hour. Messages older than a week are dropped, and the
// oldest ones if there are too many.
package outbox
