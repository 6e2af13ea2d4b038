// Package schedule holds the type of a backup schedule, and reads, checks, writes and
// announces schedules in Redis. The commands for people are in package schedules.
//
// A schedule is two hashes. The one below cluster/backup/ belongs to NethServer 8:
// destination, modules, calendar, number of snapshots to keep, enabled. It keeps NethServer
// 8's form, since modules and NethServer 8's own actions read it. The one below
// cluster/backup_plan/ is ours ([Plan]). Without it a schedule acts like NethServer 8's,
// plus prune and check at their default times.
//
// If a schedule covers all modules (Plan.All, Plan.Except), its field instances still lists
// them by name, and adding a module extends the list. So modules and NethServer 8 need not
// know the plan.
//
// Reading accepts any content. [Schedule.Check] reports everything that is wrong with a
// schedule. Commands that save a schedule check it first; a run of an invalid schedule
// fails with that report.
package schedule
