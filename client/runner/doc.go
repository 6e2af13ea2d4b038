// Package runner knows how to run the modules of this node: as which user, in which
// environment, by which command. That is configured by a file per module in a directory of
// the node, never by Redis: whoever can write a command there could run anything with the
// rights of the backup user. Files that others may write are refused.
package runner
