// Package hook runs an administrator's programs before and after the runs of schedules, and
// after a failure.
//
// The programs are files in three directories of the node. They run one after another,
// ordered by name. Their environment holds facts about the run and nothing of this
// process's environment: no password. Redis provides values, never a program.
package hook
