// Package runner knows how the modules of this node are run: as which user, with which
// environment, by which command. It says so in a file for each module in a directory of
// the node, never in Redis: whoever may write a command there may run what they like with
// the rights of who runs backups, so files that others may write are refused.
package runner
