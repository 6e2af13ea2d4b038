// Package client holds the commands that run with a module's or a node's
// privileges: they back up and restore through the gateway.
//
// The commands are applets of one binary. [Main] picks one by the name it was
// called by, or by its first argument. Each applet has a file of its own with a
// constructor that takes the [system] it may touch: standard streams, the
// agent's environment, Redis, the agent's progress channel. Stdout belongs to
// data; everything said to people goes to stderr.
package client
