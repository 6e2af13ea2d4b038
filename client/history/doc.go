// Package history records the outcomes of planned runs: one for each module of a schedule
// and each kind of task. Whoever runs a task records its outcome with a [Recorder], also if
// it was missed or skipped. While Redis is down, records wait in files of the node.
//
// A node's user may write only below its own keys. So the history of a module is kept by
// the node that ran it, in two forms: a capped stream per schedule and module, and a hash
// with the last run and the last success of each kind, which outlives the stream. [Read]
// and [Latest] merge the nodes.
package history
