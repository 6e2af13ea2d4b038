// Package backup is module-backup: it plans, surveys, runs and judges a backup.
package backup
