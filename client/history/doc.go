// Package history is what planned runs came to: for each module of a schedule, and each
// thing that is done for it, an outcome. Whoever runs something records it ([Recorder]),
// also that it was not run: missed or skipped. Where Redis is away the record waits in a
// file of the node until the next one.
//
// A node's user writes below its own keys alone, so that the history of a module lies with
// the node that ran it: a capped stream for each schedule and module, and a hash with the
// last run of each kind and the last one that succeeded, which no number of later runs
// pushes out. [Read] and [Latest] put the nodes together.
package history
