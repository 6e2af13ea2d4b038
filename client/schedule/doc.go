// Package schedule holds the one type of a backup schedule, and what reads, writes
// and announces it in Redis. The commands for people are in accounts.
package schedule
