// Package scheduler starts the runs of schedules at their times on hosts without systemd,
// such as containers.
//
// An [Engine] decides, using a clock, a [Store] and a function that starts runs. For each
// schedule it remembers a [State]: the last planned time that was handled. Each time is
// handled once: a scheduler claims it in Redis before it starts the run, so that neither a
// restart nor a second scheduler repeats it. A run that began and did not end, and whose
// scheduler is gone, is started again. After a period without a scheduler, one late run is
// started, and the other missed times are recorded as missed.
//
// While Redis is down the engine continues with what it knows, and updates Redis later.
package scheduler
