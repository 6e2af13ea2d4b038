// Package host is what a command may touch of the world around it: streams, the
// agent's environment and task, the person at the terminal, Redis, and the gateway's
// address. Nothing here knows of backups, restores or any single command.
package host
