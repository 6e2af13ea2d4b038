// Package restic runs restic, in a container or from PATH, and parses its output.
//
// [Invocation] does no I/O: it computes the arguments and the environment of a run, with
// secrets only in the environment. [Invocation.Run] runs it, and gives restic time to drop
// its lock when the run is cancelled. [ParseEvent] parses lines of --json, [Failure]
// classifies failures of all versions of restic since 0.14.
package restic
