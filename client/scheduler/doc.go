// Package scheduler starts the runs of schedules at their times, where no systemd does: in
// containers, and on hosts without it.
//
// An [Engine] decides, with a clock, a [Store] and a way to start runs that are given to
// it. For each schedule it remembers one thing, the [State]: the last time that it was
// planned for and that was dealt with. A time is dealt with once: whoever starts it claims
// it first, in Redis, so that neither a restart nor a second scheduler runs it again. What
// was begun and did not end, and whose scheduler is gone, is begun again. What came while
// nobody was there runs once, late; all that it stands for is recorded as missed.
//
// Where Redis is away the engine goes on with what it knows, and tells Redis later.
package scheduler
