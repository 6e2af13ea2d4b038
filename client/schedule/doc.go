// Package schedule holds the one type of a backup schedule, and what reads, checks, writes
// and announces it in Redis. The commands for people are in schedules.
//
// A schedule is two hashes. The one below cluster/backup/ is NethServer 8's, in its words:
// destination, modules, calendar, how many snapshots are kept, whether it is turned on. It
// stays as NethServer 8 has it, since modules and NethServer 8's own actions read it. The
// one below cluster/backup_plan/ is this program's ([Plan]); without it a schedule does
// what NethServer 8's does, with prune and check at their default times.
//
// Where a schedule is to have all modules, instances holds them by name anyway: who adds a
// module adds it there (Plan.All, Plan.Except), so that modules and NethServer 8 need not
// know of the plan.
//
// Reading never fails because of what a schedule says: [Schedule.Check] does, and says all
// that is wrong with it. Whoever saves a schedule checks it first; a run of one that is
// wrong fails with that text.
package schedule
