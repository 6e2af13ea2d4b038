// Package restic runs restic, in a container or from PATH, and understands what
// it says.
//
// [Invocation] is pure: what is to be run becomes an argument list and an
// environment, and no secret is in the arguments. [Invocation.Run] runs it so
// that restic gets the time to drop its lock when the run is cancelled.
// [ParseEvent] reads the lines of --json, [Failure] tells failures apart in all
// versions of restic since 0.14.
package restic
