// Package client is gatewayctl: the commands that run with a module's or a node's
// privileges, which back up and restore through the gateway.
//
// The commands are applets of one binary. [Main] picks one by the name it was called
// by, or by its first argument. Each applet has a room of its own below this package,
// with a constructor that takes the [host.System] it may touch: standard streams, the
// agent's environment, Redis, the agent's progress channel. Stdout belongs to data;
// everything said to people goes to stderr.
//
// The rooms, each importing only those above it:
//
//	exit                           exit statuses, and the errors that lead to them
//	host                           streams, environment, agent, terminal, Redis, gateway
//	names, schedule, state         words to IDs; schedules; what a module has on disk
//	runner                         how the modules of this node are run
//	join                           a module's settings for a host of its own
//	history                        what planned runs came to, in Redis
//	gatewayadmin, inventory, lease asking the gateway: of its node, what destinations hold, for a lease
//	run, locate, session           calling restic; finding a repository; guarding a module
//	snapshot                       snapshots and their trees, and what was read before
//	ns8action                      the form of NethServer 8's actions
//	expire                         old snapshots of a repository go
//	notifyfile, message, channel,
//	outbox, hook                   how people are told: what to say, over what, and what waits; hooks of runs
//	keys                           keys of Redis, to files and back
//	backup, restore, wrapper       the commands of a module
//	runbackup, runs                a schedule's run on a node; what runs came to
//	notify, announce               people are told of failures, and in a digest; others of a run
//	registry, ownpassword          Redis as administrators change it; passwords that modules have of their own
//	accounts, schedules, points,
//	destinations, trash, drill,
//	rotate                         the commands of an administrator
//	setup                          a machine with nothing to a first backup
//	scheduler, units               runs schedules at their times, or has systemd do it
//
// account, destination, naming, gatehttp, restic, resticpassword and retention are their
// rules and tools: they do not know commands.
package client
