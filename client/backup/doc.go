// Package backup implements module-backup: plan, check what is missing, run restic, report.
package backup
