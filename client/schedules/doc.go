// Package schedules holds the administrator's commands for schedules: what is backed up
// where, when, and how long it is kept.
package schedules
