// Package hook runs an administrator's programs before and after the runs of schedules, and
// when one failed.
//
// They are files in three directories of the node, run one after another in the order of
// their names, with what is known of the run in their environment and nothing else of this
// process's: no password. Redis names values there, and never a program.
package hook
